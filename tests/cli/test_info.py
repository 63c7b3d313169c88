"""`dfx info`."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
from typer.testing import CliRunner

from cli.main import app
from dataengine.convert import convert
from dataengine.errors import StoreError
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.settings import ExtractSettings
from dataengine.store import Store
from tests.dataengine.made import jpeg, picture
from tests.dataengine.stores import rewrite


def info(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["info", *arguments], env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    return done.output


def test_info_shows_counts_sizes_and_the_fingerprint(mini_store: Store) -> None:
    output = info(str(mini_store.root))
    assert "108 images of 36 clips" in output
    assert "width 48 to 48 px, median 48" in output
    assert mini_store.fingerprint in output
    assert "frames with a face" not in output
    assert "settings: faces none, images untouched\n" in output


def test_info_tells_what_failed_and_what_the_tree_lacked(mini_store: Store, tmp_path: Path) -> None:
    def failed(clips: pa.Table) -> pa.Table:
        clips = clips.set_column(clips.schema.get_field_index("status"), "status", [["failed"] * 36])
        return clips.set_column(
            clips.schema.get_field_index("reason"), "reason", [[f"why {n // 3}" for n in range(36)]]
        )

    root = rewrite(mini_store, tmp_path / "c", clips=failed, missing=["a.mp4", "b.mp4"], unexpected=["c.txt"])
    output = info(str(root), "--json", str(tmp_path / "info.json"))
    assert "missing: 2 files listed, but not in the tree" in output
    assert "unexpected: 1 file in the tree, but not understood" in output
    assert "why 0" in output
    assert "and 12 clips for other reasons" in output
    said = json.loads((tmp_path / "info.json").read_text())
    assert (said["failed"], said["missing"], len(said["reasons"])) == (36, 2, 12)


def test_the_keys_of_the_json_are_stable(mini_store: Store, tmp_path: Path) -> None:
    info(str(mini_store.root), "--json", str(tmp_path / "info.json"))
    said = json.loads((tmp_path / "info.json").read_text())
    assert set(said) == {
        *(
            "bytes",
            "clips",
            "contents",
            "dfx",
            "face_bias",
            "faces",
            "failed",
            "fingerprint",
            "layout",
            "lacking",
            "leaks",
            "missing",
            "notes",
        ),
        *("reasons", "samples", "settings", "shards", "shared_identities", "sizes", "split_origin", "store"),
        *("face_bias", "unexpected"),
    }
    assert sorted(said["contents"][0]) == [
        "bytes",
        "clips",
        "dataset",
        "failed",
        "method",
        "quality",
        "samples",
        "split",
    ]


def test_a_selection_is_refused(mini_store: Store) -> None:
    done = CliRunner().invoke(app, ["info", f"{mini_store.root}@split=train"])
    assert isinstance(done.exception, StoreError)
    assert "dfx info shows whole stores" in str(done.exception)


def test_info_and_check_say_which_split_is_empty_or_holds_one_label(tmp_path: Path) -> None:
    for number, path in enumerate(("train/real/a", "train/fake/b", "test/fake/c")):
        (tmp_path / "tree" / path).mkdir(parents=True)
        (tmp_path / "tree" / path / "0.jpg").write_bytes(jpeg(picture(number, 64, 64)))
    settings = ConvertSettings(extract=ExtractSettings(faces="none"))
    store = convert("folder", tmp_path / "tree", tmp_path / "store", settings, ScanOptions()).store
    shown = info(str(store.root), "--json", str(tmp_path / "info.json"))
    checked = CliRunner().invoke(app, ["shard", "folder", "--root", str(tmp_path / "tree"), "--check"])
    for output in (shown, checked.output):
        assert "no clip is in val: a training chooses its epoch there" in output
        assert "test holds no real" in output
    assert len(json.loads((tmp_path / "info.json").read_text())["lacking"]) == 2
