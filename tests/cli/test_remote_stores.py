"""Commands on stores behind a URL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from dataengine.errors import DfxError
from dataengine.leaks.search import find_leaks
from dataengine.store import Store
from tests.dataengine import s3
from tests.dataengine.leaks.made import people, scene, write
from tests.dataengine.made import jpeg
from tests.trainers.tiny_store import write_store


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.Remote]:
    root = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**s3.ENVIRONMENT, "DFX_CACHE": str(root), "DFX_CACHE_LIMIT": "100MB"}.items():
            patch.setenv(name, value)
        with s3.served() as served:
            yield served


def invoke(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments)
    if isinstance(done.exception, DfxError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_a_run_is_trained_and_evaluated_from_a_url(
    bucket: s3.Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_store(tmp_path / "home", clips={"train": 6, "val": 4, "test": 4}, frames=1)
    url = bucket.upload(tmp_path / "home", "stores/home")
    small = ("--model", "mobilenetv3_small_050", "--weights", "none", "--size", "32", "--batch", "9", "--epochs", "1")
    cpu = ("--device", "cpu", "--backend", "cpu", "--threads", "1")
    output = invoke("train", "detection", "--data", url, *small, *cpu)
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name.startswith("detection-home-mobilenetv3")
    (source,) = json.loads((run / "config.json").read_text())["sources"]
    assert (source["name"], source["path"]) == ("home", url)
    assert url in output  # the command that evaluates it
    invoke("eval", str(run), "--on", url, *cpu, "--json", str(tmp_path / "result.json"))
    (result,) = json.loads((tmp_path / "result.json").read_text())
    assert (result["store"], result["seen_in_training"], result["groups_shared_with_training"]) == ("home", True, 0)


def test_info_shows_and_verifies_it(bucket: s3.Remote, mini_store: Store) -> None:
    url = bucket.upload(mini_store.root, "stores/mini")
    assert "is whole (full)" in invoke("verify", url)
    output = invoke("info", url)
    assert "s3://bucket/stores/mini (folder)" in output


def test_leaks_are_found_behind_it(bucket: s3.Remote, tmp_path: Path) -> None:
    clips = people(100) | {"test/real/777": [jpeg(scene(100))]}
    url = bucket.upload(Path(write(tmp_path, clips, name="a")), "stores/a")
    (leak,) = find_leaks([url], threads=1).leaks
    assert (leak.kind, leak.sides) == ("bytes", ("a:test", "a:train"))


def test_a_dataset_is_converted_into_a_url_and_recognised_there(bucket: s3.Remote, image_tree: Path) -> None:
    words = ("shard", "folder", "--root", str(image_tree), "--out", bucket.url("stores/new"), "--faces", "none")
    assert "108 images of 36 clips" in invoke(*words, "--workers", "0")
    assert "is finished already" in invoke(*words, "--workers", "0")
