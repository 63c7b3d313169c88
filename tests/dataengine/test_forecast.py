"""What a conversion will take of the disk, foretold and measured."""

from __future__ import annotations

import dataclasses
import multiprocessing
from pathlib import Path

import pytest

from dataengine import layouts, splits
from dataengine.convert import convert
from dataengine.errors import StoreError
from dataengine.forecast import Forecast, forecast, free_bytes, refuse_where_it_cannot_fit, shown_bytes
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings, Plan, make_plan
from dataengine.sample.generate import generate
from dataengine.settings import ExtractSettings

EXTRACT = ExtractSettings(frames=10)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "celeb-df"
    generate("celeb-df", root, clips=4, frames=12, size=(192, 144), workers=0)
    return root


def planned(name: str, tree: Path, settings: ConvertSettings) -> Plan:
    return make_plan(splits.derive(layouts.scan(name, tree, ScanOptions()).clips, settings.seed), settings)


@pytest.mark.parametrize(
    "extract",
    [EXTRACT, dataclasses.replace(EXTRACT, codec="png"), dataclasses.replace(EXTRACT, faces="none", quality=60)],
    ids=["faces", "png", "whole frames"],
)
def test_it_is_within_a_quarter_of_what_is_written(extract: ExtractSettings, tree: Path, tmp_path: Path) -> None:
    settings = ConvertSettings(extract=extract)
    found = forecast(planned("celeb-df", tree, settings).shards, tree, settings)
    store = convert("celeb-df", tree, tmp_path / "out", settings, ScanOptions()).store
    written = sum(path.stat().st_size for path in store.root.rglob("*"))
    assert found is not None
    assert found.bytes == pytest.approx(written, rel=0.25)
    assert found.images == pytest.approx(store.index().num_rows, rel=0.25)
    assert (found.probed, found.unreadable) == (8, 0)


def test_a_process_of_its_own_foretells_the_same(tree: Path) -> None:
    settings = ConvertSettings(extract=EXTRACT)
    shards = planned("celeb-df", tree, settings).shards
    assert forecast(shards, tree, settings, spawn=True) == forecast(shards, tree, settings)


def test_a_clip_that_ends_the_process_that_looks_at_it_ends_no_other(tree: Path) -> None:
    deadly = dataclasses.replace(EXTRACT, detector="tests.dataengine.faces.own_detector:Deadly")
    settings = ConvertSettings(extract=deadly)
    assert forecast(planned("celeb-df", tree, settings).shards, tree, settings, spawn=True) is None
    assert not multiprocessing.active_children()


def test_images_that_keep_their_bytes_are_not_looked_at(image_tree: Path, tmp_path: Path) -> None:
    settings = ConvertSettings(extract=ExtractSettings(faces="none"), shard_samples=24)
    found = forecast(planned("folder", image_tree, settings).shards, image_tree, settings)
    store = convert("folder", image_tree, tmp_path / "out", settings, ScanOptions()).store
    written = sum(path.stat().st_size for path in store.root.rglob("*"))
    assert found is not None
    assert (found.probed, found.images) == (0, 108)
    assert found.bytes == pytest.approx(written, rel=0.25)


def test_images_beyond_the_frames_of_a_clip_are_not_foretold(image_tree: Path, tmp_path: Path) -> None:
    settings = ConvertSettings(extract=ExtractSettings(faces="none", frames=2))
    found = forecast(planned("folder", image_tree, settings).shards, image_tree, settings)
    store = convert("folder", image_tree, tmp_path / "out", settings, ScanOptions()).store
    assert found is not None
    assert found.images == store.index().num_rows == 72
    assert found.bytes == pytest.approx(sum(path.stat().st_size for path in store.root.rglob("*")), rel=0.25)


def test_only_the_shards_that_are_to_be_written_count(tree: Path) -> None:
    settings = ConvertSettings(extract=EXTRACT, shard_samples=20)
    shards = planned("celeb-df", tree, settings).shards
    whole, rest = forecast(shards, tree, settings), forecast(shards[:1], tree, settings)
    assert whole is not None
    assert rest is not None
    assert rest.bytes < whole.bytes / 2


def test_clips_that_cannot_be_read_leave_the_estimate_as_it_is(tree: Path, tmp_path: Path) -> None:
    settings = ConvertSettings(extract=dataclasses.replace(EXTRACT, faces="none"))
    broken = tmp_path / "broken"
    for path in (path for path in tree.rglob("*") if path.is_file()):
        target = broken / path.relative_to(tree)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"" if "synthesis" in str(path) else path.read_bytes())
    whole = forecast(planned("celeb-df", tree, settings).shards, tree, settings)
    half = forecast(planned("celeb-df", broken, settings).shards, broken, settings)
    assert whole is not None
    assert half is not None
    assert (half.probed, half.unreadable) == (8, 4)
    assert half.bytes == pytest.approx(whole.bytes, rel=0.25)


def test_where_nothing_can_be_read_nothing_is_claimed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.mp4").write_bytes(b"no video")
    settings = ConvertSettings(extract=EXTRACT)
    assert forecast(planned("folder", tmp_path, settings).shards, tmp_path, settings) is None


def test_a_remote_output_takes_the_room_of_the_shards_in_hand() -> None:
    found = Forecast(bytes=10**12, images=1, shard_bytes=10**8, probed=1, unreadable=0)
    assert found.disk_bytes(workers=4, remote=True) == 4 * 10**8
    assert found.disk_bytes(workers=4, remote=False) == 10**12
    large = dataclasses.replace(found, shard_bytes=10**9)  # its images do not fit into memory
    assert large.disk_bytes(workers=4, remote=True) == 8 * 10**9
    assert large.disk_bytes(workers=0, remote=False) == 10**12 + 10**9


def test_what_cannot_fit_is_refused_with_both_numbers(tmp_path: Path) -> None:
    refuse_where_it_cannot_fit(10**9, 10**9, tmp_path)
    with pytest.raises(StoreError, match=r"needs about 1\.2 TB .* and 40 GB are free; .* or go on with --force"):
        refuse_where_it_cannot_fit(1_234 * 10**9, 40 * 10**9, tmp_path)


def test_the_free_bytes_of_a_folder_that_is_not_there_are_those_of_its_parent(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "a" / "b") > 0


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (12_400_000_000, "12 GB"), (10**16, "10000 TB")],
)
def test_bytes_are_shown_in_two_digits(count: int, text: str) -> None:
    assert shown_bytes(count) == text
