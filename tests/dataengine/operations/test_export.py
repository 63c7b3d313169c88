"""A store back as folders and a CSV."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dataengine.errors import StoreError
from dataengine.operations.export import MANIFEST, export_store, image_path
from dataengine.store import Store, open_store
from tests.dataengine.operations.harm import flip


def test_every_image_has_its_stored_bytes_and_its_row(failing_store: Store, failing_tree: Path, tmp_path: Path) -> None:
    done = export_store(failing_store, tmp_path / "out")
    with (tmp_path / "out" / "index.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert (len(rows), done.images, done.written) == (48, 48, True)
    assert tuple(rows[0])[: len(MANIFEST)] == MANIFEST
    for row in rows:
        clip = row["clip"].removeprefix("mini/")
        assert row["path"] == f"{row['split']}/{row['method']}/{row['clip']}/{int(row['frame']):06d}.jpg"
        source = failing_tree / clip / f"{int(row['frame']):03d}.jpg"
        assert (tmp_path / "out" / row["path"]).read_bytes() == source.read_bytes()
    assert len([path for path in (tmp_path / "out").rglob("*") if path.is_file()]) == 48 + 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_finished_export_is_recognised_and_anything_else_left_alone(failing_store: Store, tmp_path: Path) -> None:
    export_store(failing_store, tmp_path / "out")
    assert not export_store(failing_store, tmp_path / "out").written
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    for way in ("mine", "mine/thesis.tex"):
        with pytest.raises(StoreError, match=r"is not empty and not this export|is a file"):
            export_store(failing_store, tmp_path / way)
    (tmp_path / "new.part").mkdir()
    (tmp_path / "new.part" / "thesis.tex").touch()
    with pytest.raises(StoreError, match=r"new\.part is in the way"):
        export_store(failing_store, tmp_path / "new")


def test_an_export_that_is_stopped_leaves_no_folder_and_begins_anew(copy: Path, tmp_path: Path) -> None:
    whole = (copy / "val-000000.tar").read_bytes()
    flip(copy / "val-000000.tar")
    with pytest.raises(StoreError, match=r"val-000000\.tar is damaged"):
        export_store(open_store(copy), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (copy / "val-000000.tar").write_bytes(whole)
    assert export_store(open_store(copy), tmp_path / "out").written
    assert not (tmp_path / "out.part").exists()


def test_a_name_never_leaves_the_folder() -> None:
    row = {"key": "a/000001", "split": "train", "method": "real", "clip": "a", "ext": "jpg"}
    assert image_path(row) == "train/real/a/000001.jpg"
    assert image_path({**row, "method": "../x:y", "clip": "ff++/a%2Eb"}) == "train/%2E%2E%2Fx%3Ay/ff++/a%2Eb/000001.jpg"
    for clip in ("../../etc", "/etc/passwd", "a//b", ".."):
        with pytest.raises(StoreError, match="would lie outside the folder"):
            image_path({**row, "clip": clip})
