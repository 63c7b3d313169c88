"""File names of any kind arrive; trees that cannot be read as they are meant are refused before anything is written."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from dataengine.convert import convert
from dataengine.errors import LayoutError
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.settings import ExtractSettings
from dataengine.store import Store
from tests.bad_inputs.images import saved

SETTINGS = ConvertSettings(extract=ExtractSettings(faces="none"), shard_samples=64)
GOOD = saved("JPEG")

NAMES = (
    "with spaces.jpg",
    "parentheses (1).jpg",
    "new\nline.jpg",
    "carriage\rreturn.jpg",
    "tab\there.jpg",
    "dots...and.dots..jpg",
    "-leading-dash.jpg",
    "--out.jpg",
    "percent%20escaped.jpg",
    "percent escaped.jpg",
    "Case.jpg",
    "case.jpg",
    "CASE.JPG",
    "same-stem.jpg",
    "same-stem.png",
    "quotes'\".jpg",
    "semi;colon & ampersand $(echo).jpg",
    "[brackets]{braces}*star?.jpg",
    "back\\slash.jpg",
    "ünïcödé-文字-🙂.jpg",
    "x" * 250 + ".jpg",
    "ü" * 120 + ".jpg",
    "http:__host_file.jpg",
    "~home.jpg",
    "#hash@at=equals+plus,comma.jpg",
)


def tree(folder: Path) -> Path:
    """Three good clips in two classes."""
    root = folder / "mini"
    for path in ("real/a.jpg", "real/b.jpg", "fake/c.jpg"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(GOOD)
    return root


def converted(root: Path) -> Store:
    return convert("folder", root, root.parent / "out", SETTINGS, ScanOptions(), max_failures=1000).store


def test_names_of_any_kind_arrive_with_their_bytes(tmp_path: Path) -> None:
    root = tree(tmp_path)
    for name in NAMES:
        (root / "fake" / name).write_bytes(GOOD)
    store = converted(root)
    clips = store.clips().to_pylist()
    assert {clip["path"] for clip in clips} == {"real/a.jpg", "real/b.jpg", *(f"fake/{n}" for n in ("c.jpg", *NAMES))}
    assert {clip["status"] for clip in clips} == {"ok"}
    rows = store.index().to_pylist()
    assert len({row["key"] for row in rows}) == len(NAMES) + 3
    assert not any(re.search(r"[.\s]", row["key"]) for row in rows)
    for row in rows:
        assert store.shard_path(row["shard"]).read_bytes()[row["offset"] : row["offset"] + row["size"]] == GOOD


def not_utf8(root: Path) -> None:
    (root / "fake" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(GOOD)


def link_to_parent(root: Path) -> None:
    (root / "fake" / "again").symlink_to("..")


def link_to_sibling(root: Path) -> None:
    (root / "fake" / "reals").symlink_to("../real")


def link_to_itself(root: Path) -> None:
    (root / "fake" / "loop.jpg").symlink_to("loop.jpg")


def link_to_nothing(root: Path) -> None:
    (root / "fake" / "gone.jpg").symlink_to("/nowhere/gone.jpg")


def pipe(root: Path) -> None:
    os.mkfifo(root / "fake" / "pipe.mp4")


def listening(root: Path) -> None:
    here = os.getcwd()
    os.chdir(root / "fake")  # a socket's whole path must be short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket.mp4")
    finally:
        os.chdir(here)


def no_media(root: Path) -> None:
    for path in [path for path in root.rglob("*") if path.is_file()]:
        path.rename(path.with_suffix(".txt"))


def class_in_a_class(root: Path) -> None:
    (root / "fake" / "Deepfakes").mkdir()
    (root / "fake" / "Deepfakes" / "d.jpg").write_bytes(GOOD)


def split_beside_a_class(root: Path) -> None:
    (root / "train" / "real").mkdir(parents=True)
    (root / "train" / "real" / "d.jpg").write_bytes(GOOD)


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a name that is not UTF-8": (not_utf8, r"the name of '.*caf\\udce9.jpg' is not UTF-8; rename the file"),
    "a link to the folder above": (link_to_parent, "fake/again is a link to a folder that is read already; remove it"),
    "a link to a folder beside": (link_to_sibling, "fake/reals is a link to a folder that is read already; remove it"),
    "a link to itself": (link_to_itself, "loop.jpg is a link to nothing; restore what it points to, or remove it"),
    "a link to nothing": (link_to_nothing, "gone.jpg is a link to nothing; restore what it points to, or remove it"),
    "a pipe": (pipe, "fake/pipe.mp4 is a pipe, socket or device; remove it"),
    "a socket": (listening, "fake/socket.mp4 is a pipe, socket or device; remove it"),
    "no video or image": (no_media, "holds no video or image; give the dataset's folder with --root"),
    "a class in a class": (class_in_a_class, "fake/Deepfakes is named like a class or a split"),
    "splits beside classes": (split_beside_a_class, "has split folders and 'fake' beside them"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_tree_that_means_nothing_is_refused_and_nothing_written(case: str, tmp_path: Path) -> None:
    root = tree(tmp_path)
    REFUSED[case][0](root)
    with pytest.raises(LayoutError, match=REFUSED[case][1]) as refused:
        converted(root)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_what_links_lead_to_outside_is_judged_as_any_file(tmp_path: Path) -> None:
    """A dataset may lie on several disks; a link to what is no image fails and tells nothing of its content."""
    root, elsewhere = tree(tmp_path), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "d.jpg").write_bytes(GOOD)
    (elsewhere / "secret").write_text("root:x:0:0")
    (root / "more").symlink_to(elsewhere)
    (root / "fake" / "secret.jpg").symlink_to(elsewhere / "secret")
    store = converted(root)
    failed = [clip for clip in store.clips().to_pylist() if clip["status"] == "failed"]
    reason = "not a JPEG, PNG, WebP, BMP or TIFF image; convert or remove it"
    assert [(clip["path"], clip["reason"]) for clip in failed] == [("fake/secret.jpg", reason)]
    assert {clip["path"] for clip in store.clips().to_pylist()} > {
        "more/d.jpg",
        "real/a.jpg",
        "real/b.jpg",
        "fake/c.jpg",
    }
    assert not any(b"root:x" in path.read_bytes() for path in store.root.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_fails_alone(tmp_path: Path) -> None:
    root = tree(tmp_path)
    (root / "fake" / "locked.jpg").write_bytes(GOOD)
    (root / "fake" / "locked.jpg").chmod(0)
    reasons = {clip["path"]: clip["reason"] for clip in converted(root).clips().to_pylist()}
    assert reasons.pop("fake/locked.jpg") == "Permission denied; check the path and its permissions"
    assert set(reasons.values()) == {""}


def test_what_a_system_leaves_in_folders_is_no_clip(tmp_path: Path) -> None:
    root = tree(tmp_path)
    for name in (".DS_Store", "._c.jpg", "Thumbs.db", "README.txt", "c.jpg.part"):
        (root / "fake" / name).write_bytes(b"left by a system")
    assert converted(root).clips().num_rows == 3
