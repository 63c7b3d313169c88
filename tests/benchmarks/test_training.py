"""The measurement of training, at its smallest."""

from __future__ import annotations

from pathlib import Path

from benchmarks import training
from dataengine.selection import select
from tests.trainers.tiny_store import write_store


def test_every_round_of_a_network_is_measured_with_its_wait_for_the_loader(tmp_path: Path) -> None:
    rows = select([str(write_store(tmp_path / "store", clips={"train": 8}))], split="train")
    found = training.measure("test_resnet", rows, batch=8, rounds=2, device="cpu", size=32, threads=1)
    assert len(found["images_per_s_of_rounds"]) == 2
    assert found["images_per_s"] > 0
    assert 0 <= found["input_wait"] <= 1
    assert (found["size"], found["peak_gpu_bytes"]) == (32, None)


def test_the_networks_are_those_that_the_documentation_names() -> None:
    text = (Path(training.__file__).parents[1] / "docs" / "models.md").read_text()
    five = text.partition("## Five backbones")[2]
    assert [line.split("`")[1] for line in five.splitlines() if line.startswith("| `")] == list(training.FIVE)
