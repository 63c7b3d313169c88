"""The other loaders: each that is installed takes part for real, on the same samples."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from dataengine.errors import DfxError
from dataengine.selection import Rows
from dataengine.throughput import PEERS, Settings
from dataengine.throughput.peers.nvjpeg import DecodeJpegEntry
from dataengine.throughput.peers.transforms import window
from dataengine.throughput.race import Crop, Race, repeated, round_length
from tests.dataengine.made import jpeg, made_rows, picture, png

SETTINGS = Settings(size=32, batch=4, threads=2, seconds=1e-6, rounds=1)
BY_NAME = {one.name: one for one in PEERS}

# Those that need no more than dfx itself, and those of benchmarks/peers.txt, which pins numpy and compiles.
HERE = ("torchvision", "webdataset_pil", "webdataset_turbo", "dali_native_cpu")
ELSEWHERE = {"litdata": "litdata", "mosaic": "streaming", "spdl": "spdl.pipeline", "ffcv": "ffcv"}


def shades(num_images: int) -> list[np.ndarray]:
    """Flat images, each of a grey of its own: whatever is cropped, it says which image it was."""
    return [np.full((40, 48, 3), 8 * i, np.uint8) for i in range(num_images)]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return made_rows(tmp_path_factory.mktemp("made"), [jpeg(shade) for shade in shades(16)])


def race_of(rows: Rows, folder: Path, settings: Settings = SETTINGS) -> Race:
    copies = folder / "copies"
    copies.mkdir()
    return Race(repeated(rows, round_length(0, settings)), settings, copies)


def is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize("name", [*HERE, *ELSEWHERE])
def test_a_peer_hands_out_every_sample_once_a_round(name: str, rows: Rows, tmp_path: Path) -> None:
    if name in ELSEWHERE and not is_there(ELSEWHERE[name]):
        pytest.skip(f"{name} needs an environment of its own: benchmarks/peers.txt")
    race = race_of(rows, tmp_path)
    assert race.num_images == 32  # each of the 16 twice
    with closing(BY_NAME[name].enter(race)) as entry:
        entry.open()
        for _ in range(2):
            shades_seen = []
            for batch in entry.batches():  # looked at one by one: FFCV writes later batches over earlier ones
                assert str(batch.dtype) == "torch.uint8"
                assert tuple(batch.shape) in ((4, 3, 32, 32), (4, 32, 32, 3))
                shades_seen += [round(float(image.float().mean()) / 8) for image in batch]
            assert sorted(shades_seen) == sorted([*range(16)] * 2)


@pytest.mark.parametrize("name", ["torchvision", "webdataset_pil", "dali_native_cpu"])
def test_png_is_read_by_those_that_can(name: str, tmp_path: Path) -> None:
    rows = made_rows(tmp_path, [png(shade) for shade in shades(16)])
    with closing(BY_NAME[name].enter(race_of(rows, tmp_path))) as entry:
        entry.open()
        assert sum(len(batch) for batch in entry.batches()) == 32


def test_png_is_refused_by_those_that_cannot(tmp_path: Path) -> None:
    rows = made_rows(tmp_path, [png(picture(i)) for i in range(3)])
    with pytest.raises(DfxError, match="no JPEG"):
        BY_NAME["webdataset_turbo"].enter(race_of(rows, tmp_path))


@pytest.mark.parametrize("name", BY_NAME)
def test_an_absent_peer_says_how_to_install_it(
    name: str, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("torchvision", "webdataset", "nvidia", "nvidia.dali", *ELSEWHERE.values(), "spdl", "ffcv.loader"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DfxError, match=r"; (pip install|see benchmarks/peers.txt)"):
        BY_NAME[name].enter(race_of(rows, tmp_path))


def test_peers_do_no_augmentation_beyond_crop_and_flip(rows: Rows, tmp_path: Path) -> None:
    settings = Settings(size=32, batch=4, threads=2, augment="forensic", seconds=1e-6)
    with pytest.raises(DfxError, match="forensic"):
        BY_NAME["torchvision"].enter(race_of(rows, tmp_path, settings))


def test_a_race_holds_each_row_as_often_as_any_other_give_or_take_one(rows: Rows) -> None:
    for num_images in (5, 16, 40):
        offsets = repeated(rows, num_images).table.select(["shard", "offset"]).to_pylist()
        counts = [offsets.count(place) for place in rows.table.select(["shard", "offset"]).to_pylist()]
        assert sum(counts) == num_images
        assert max(counts) - min(counts) <= 1


def test_windows_lie_in_the_image_and_have_the_share_that_was_asked_for() -> None:
    crop = Crop((0.5, 1.0), (0.8, 1.25), 0.5)
    for _ in range(200):
        x, y, w, h = window(crop, 256, 192)
        assert 0 <= x <= 256 - w
        assert 0 <= y <= 192 - h
        assert w * h > 0.45 * 256 * 192
    assert window(Crop((1.0, 1.0), (1.0, 1.0), 0.0), 256, 192) == (32, 0, 192, 192)


def test_batched_decode_jpeg_hands_out_every_sample_once_a_round(rows: Rows, tmp_path: Path) -> None:
    race = race_of(rows, tmp_path)
    with closing(DecodeJpegEntry(race, device="cpu")) as entry:
        entry.open()
        for _ in range(2):
            batches = list(entry.batches())
            assert [tuple(batch.shape) for batch in batches] == [(4, 3, 32, 32)] * 8
            assert sorted(round(float(each.float().mean()) / 8) for batch in batches for each in batch) == sorted(
                [*range(16)] * 2
            )
