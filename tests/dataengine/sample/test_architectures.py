"""Pictures from generators of several architectures: class folders that the layout `folder` takes as they are."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dataengine.convert import convert
from dataengine.errors import DfxError
from dataengine.layouts import scan
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.sample import generate_architectures
from dataengine.sample.upsampling import ARCHITECTURES
from dataengine.selection import select
from dataengine.settings import ExtractSettings

CLASSES = ("real", *ARCHITECTURES)


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*.png"))}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of each class; do not write to it."""
    root = tmp_path_factory.mktemp("sample") / "architectures"
    generate_architectures(root, pictures=3, workers=0)
    return root


def test_each_class_has_every_picture_under_the_same_name(tree: Path) -> None:
    names = [f"{number:05d}.png" for number in range(3)]
    assert sorted(contents(tree)) == sorted(f"{name}/{file}" for name in CLASSES for file in names)
    assert {cv2.imread(str(path)).shape for path in tree.rglob("*.png")} == {(128, 128, 3)}
    assert len(set(contents(tree).values())) == 3 * len(CLASSES)


def test_a_fake_looks_like_its_portrait_more_than_any_other(tree: Path) -> None:
    real, *fakes = (
        np.stack([cv2.imread(str(tree / name / f"{n:05d}.png")).astype(int) for n in range(3)]) for name in CLASSES
    )
    for fake in fakes:
        distance = np.abs(fake[:, None] - real[None]).mean(axis=(2, 3, 4))
        assert distance.argmin(axis=1).tolist() == [0, 1, 2]
        assert distance.diagonal().max() < 12


def test_a_store_of_them_has_the_untouched_files_and_no_portrait_in_two_splits(tree: Path, tmp_path: Path) -> None:
    settings = ConvertSettings(extract=ExtractSettings(faces="none"))
    store = convert("folder", tree, tmp_path / "store", settings, ScanOptions()).store
    rows = select([str(store.root)])
    files = contents(tree)
    assert len(rows) == len(files)
    assert sorted(rows.column("size").tolist()) == sorted(map(len, files.values()))
    assert set(rows.strings("ext")) == {"png"}
    assert set(rows.strings("method")) == set(CLASSES)
    assert len(set(zip(rows.strings("target_id"), rows.strings("split"), strict=True))) == 3


def test_the_files_are_the_same_from_any_number_of_workers(tree: Path, tmp_path: Path) -> None:
    generate_architectures(tmp_path, pictures=3, workers=2)
    assert contents(tmp_path) == contents(tree)


def test_other_weights_share_no_picture(tree: Path, tmp_path: Path) -> None:
    generate_architectures(tmp_path, pictures=3, weights_seed=1, workers=0)
    assert not set(contents(tmp_path).values()) & set(contents(tree).values())


def test_what_is_missing_is_made_again_and_no_more(tree: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    generate_architectures(tmp_path, pictures=3, workers=0)
    (tmp_path / "Bilinear" / "00001.png").unlink()
    report = generate_architectures(tmp_path, pictures=3, workers=0, on_progress=lambda *call: calls.append(call))
    assert (report.kept, report.written, calls) == (10, 5, [(10, 15), (15, 15)])
    assert contents(tmp_path) == contents(tree)


def test_what_cannot_be_had_is_refused(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(DfxError, match="--clips 0"):
        generate_architectures(tmp_path, pictures=0)
    with pytest.raises(DfxError, match="weights_seed 0, not 4"):
        generate_architectures(tree, pictures=3, weights_seed=4)


def test_images_has_the_same_pictures_and_lists_that_keep_a_portrait_in_one_split(tree: Path, tmp_path: Path) -> None:
    generate_architectures(tmp_path, name="images", pictures=3, workers=0)
    assert contents(tmp_path) == contents(tree)
    found = scan("images", tmp_path, ScanOptions())
    assert {(clip.paths[0].split("/")[0], clip.method) for clip in found.clips} == {(name, name) for name in CLASSES}
    assert {(clip.paths[0].split("/")[1], clip.split) for clip in found.clips} == {
        ("00000.png", "train"),
        ("00001.png", "val"),
        ("00002.png", "test"),
    }
    assert (len(found.clips), found.notes) == (15, ())
