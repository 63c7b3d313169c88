"""Every broken file fails alone, with its reason; every odd one arrives; the good ones beside them as if alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from dataengine.convert import convert
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.settings import ExtractSettings
from dataengine.store import Store
from tests.bad_inputs import images, videos

SETTINGS = ConvertSettings(extract=ExtractSettings(faces="none"), shard_samples=64)
BAD = {**videos.BAD, **images.BAD}
ODD = {**videos.ODD, **images.ODD}
GOOD = {f"real/{n}.mp4": (lambda n=n: videos.video(seed=n + 1)) for n in range(3)}


def converted(files: dict[str, Callable[[], bytes]], folder: Path) -> Store:
    for path, made in files.items():
        (folder / "mini" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "mini" / path).write_bytes(made())
    out = folder / "out"
    return convert("folder", folder / "mini", out, SETTINGS, ScanOptions(), max_failures=1000).store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """All of them in one tree."""
    made = {f"fake/{name}": case[0] for name, case in {**BAD, **ODD}.items()}
    return converted({**GOOD, **made}, tmp_path_factory.mktemp("all"))


def row(store: Store, name: str) -> dict[str, object]:
    (found,) = (row for row in store.clips().to_pylist() if row["path"] == f"fake/{name}")
    return found


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_fails_with_a_reason_of_one_line(name: str, store: Store) -> None:
    found = row(store, name)
    assert (found["status"], found["samples"]) == ("failed", 0)
    reason = str(found["reason"])
    assert re.search(BAD[name][1], reason), reason
    assert "\n" not in reason
    assert len(reason) < 200


@pytest.mark.parametrize("name", videos.ODD)
def test_an_odd_video_arrives_upright_and_whole(name: str, store: Store) -> None:
    samples, width, height = videos.ODD[name][1]
    found = row(store, name)
    assert (found["status"], found["reason"], found["samples"]) == ("ok", "", samples)
    rows = store.index().filter(pa.compute.equal(store.index()["clip"], found["clip"])).to_pylist()
    assert {(each["width"], each["height"]) for each in rows} == {(width, height)}


@pytest.mark.parametrize("name", images.ODD)
def test_an_odd_image_arrives_with_its_bytes(name: str, store: Store) -> None:
    made, ext = images.ODD[name]
    (found,) = (each for each in store.index().to_pylist() if each["clip"] == row(store, name)["clip"])
    data = store.shard_path(found["shard"]).read_bytes()
    assert found["ext"] == ext
    assert data[found["offset"] : found["offset"] + found["size"]] == made()


def test_good_clips_arrive_as_they_would_alone(store: Store, tmp_path: Path) -> None:
    alone = converted(GOOD, tmp_path)
    expected = {(each["key"], each["xxh3"]) for each in alone.index().to_pylist()}
    assert len(expected) == 3 * videos.FRAMES
    assert expected <= {(each["key"], each["xxh3"]) for each in store.index().to_pylist()}
