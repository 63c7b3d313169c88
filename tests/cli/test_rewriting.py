"""`dfx filter`, `merge`, `reshard` and `export` of stores on the terminal."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from dataengine.errors import DfxError
from dataengine.store import Store, open_store
from tests.cli.test_verify import invoke


def test_a_store_is_parted_and_put_together_again(mini_store: Store, tmp_path: Path) -> None:
    for name, where in (("reals", "label == 0"), ("fakes", "label == 1")):
        output = invoke("filter", mini_store.root, "--where", where, "--out", tmp_path / name)
        assert f"note filtered by `{where}`: " in output
        assert output.splitlines()[-1] == f"next: dfx info {tmp_path / name}"
    whole = tmp_path / "whole.json"
    invoke("merge", tmp_path / "reals", tmp_path / "fakes", "--out", tmp_path / "whole", "--json", whole)
    small = tmp_path / "small.json"
    invoke("reshard", tmp_path / "whole", "--shard-samples", 9, "--out", tmp_path / "small", "--json", small)
    results = [json.loads(file.read_text()) for file in (whole, small)]
    assert {result["fingerprint"] for result in results} == {mini_store.fingerprint}
    assert results[1]["shards_written"] > results[0]["shards_written"]
    assert "108 images of 36 clips" in invoke("info", tmp_path / "small")
    again = invoke("reshard", tmp_path / "whole", "--shard-samples", 9, "--out", tmp_path / "small")
    assert "is finished already" in again


def test_a_selection_is_no_store_to_write_from(mini_store: Store, tmp_path: Path) -> None:
    with pytest.raises(DfxError, match="is a selection; give the whole store, and select with `dfx filter`"):
        invoke("reshard", f"{mini_store.root}@split=test", "--shard-samples", 9, "--out", tmp_path / "small")


def test_export_tells_a_store_from_a_run(mini_store: Store, tmp_path: Path) -> None:
    output = invoke("export", mini_store.root, "--out", tmp_path / "folders")
    assert f"{tmp_path / 'folders'}: 108 images and index.csv" in output
    assert output.splitlines()[-1].startswith(f"next: dfx shard manifest {tmp_path / 'folders' / 'index.csv'} ")
    assert "exported already" in invoke("export", mini_store.root, "--out", tmp_path / "folders")
    with pytest.raises(DfxError, match="is a store; say with --out"):
        invoke("export", mini_store.root)
    with pytest.raises(DfxError, match="is a store, and --format is for runs"):
        invoke("export", mini_store.root, "--format", "onnx")
    with pytest.raises(DfxError, match="run"):
        invoke("export", tmp_path / "neither")


def test_the_command_that_export_ends_with_makes_a_store_of_the_same_images(
    mini_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    output = invoke("export", mini_store.root, "--out", "my folders")
    command = output.splitlines()[-1].removeprefix("next: ")
    back = f"shards/{mini_store.name}-exported"
    assert command == f"dfx shard manifest 'my folders/index.csv' --faces none --out {back}"
    assert "note columns" not in invoke(*shlex.split(command)[1:], "--workers", 0)
    stores = mini_store.index(), open_store(back).index()
    columns = ["clip", "split", "method", "label", "target_id", "source_id", "xxh3"]
    then, now = (store.select(columns).sort_by([("clip", "ascending"), ("xxh3", "ascending")]) for store in stores)
    assert now.equals(then)
