"""`dfx verify` and `dfx repair` on the terminal."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from dataengine.errors import DfxError
from dataengine.store import Store
from tests.dataengine.operations.harm import flip


def invoke(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def copy(mini_store: Store, tmp_path: Path) -> Path:
    return Path(shutil.copytree(mini_store.root, tmp_path / "copy"))


def test_a_whole_store_is_said_to_be_whole_at_the_level_asked_for(copy: Path) -> None:
    assert f"{copy} is whole (quick): 15 files\n" in invoke("verify", copy, "--quick")
    assert f"{copy} is whole (full): 15 files, 108 images\n" in invoke("verify", copy)
    assert "decoded with libjpeg-turbo" in invoke("verify", copy, "--decode")


def test_damage_is_one_line_and_the_list_of_it_is_written_all_the_same(copy: Path, tmp_path: Path) -> None:
    (copy / "train-000000.tar").unlink()
    (copy / "val-000000.idx").unlink()
    with pytest.raises(DfxError, match=r"train-000000\.tar: is missing \(2 of 15 files damaged\); run `dfx repair"):
        invoke("verify", copy, "--quick", "--json", tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["damaged_files"] == 2
    reason = "is missing"
    assert found["damaged"] == [{"file": name, "reason": reason} for name in ("train-000000.tar", "val-000000.idx")]


def test_what_repair_cannot_mend_is_one_line_after_what_it_can(copy: Path, image_tree: Path, tmp_path: Path) -> None:
    (copy / "train-000000.tar").unlink()
    (copy / "val-000000.idx").unlink()
    with pytest.raises(DfxError, match=r"train-000000\.tar stays damaged: no folder .*; give .* --root"):
        invoke("repair", copy, "--root", tmp_path / "nowhere", "--json", tmp_path / "done.json")
    assert json.loads((tmp_path / "done.json").read_text())["written"] == ["val-000000.idx"]
    assert "train-000000.tar: written anew" in invoke("repair", copy, "--root", image_tree)
    assert "is whole: nothing to repair" in invoke("repair", copy)


def test_two_levels_and_selections_are_refused(copy: Path) -> None:
    with pytest.raises(DfxError, match="give one of them"):
        invoke("verify", copy, "--quick", "--decode")
    with pytest.raises(DfxError, match="is a selection; this command takes a whole store"):
        invoke("verify", f"{copy}@split=test")


def test_a_store_made_of_another_names_the_command_that_mends_it_and_that_does(
    mini_store: Store, tmp_path: Path
) -> None:
    out = tmp_path / "all reals"
    invoke("filter", mini_store.root, "--where", "label == 0", "--out", out)
    tar = out / "train-000000.tar"
    whole = tar.read_bytes()
    flip(tar)
    with pytest.raises(DfxError, match="it was made of other stores; delete the file and run: dfx ") as error:
        invoke("repair", out)
    command = str(error.value).partition("run: ")[2]
    assert command == f"dfx filter {mini_store.root} --where 'label == 0' --out '{out}'"
    tar.unlink()
    invoke(*shlex.split(command)[1:])
    assert tar.read_bytes() == whole
    assert "is whole (full)" in invoke("verify", out)
