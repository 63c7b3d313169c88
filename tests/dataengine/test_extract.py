from __future__ import annotations

import dataclasses
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import simplejpeg

from dataengine.errors import DfxError
from dataengine.extract import extract
from dataengine.records import Clip
from dataengine.settings import ExtractSettings
from dataengine.video import Pixels, decode_frames

WIDTH, HEIGHT, FRAMES = 480, 360, 40


def portrait(x: int, y: int, radius: int) -> Pixels:
    """A drawn face on a plain ground; no face at all where `radius` is 0."""
    image = np.full((HEIGHT, WIDTH, 3), (90, 110, 130), np.uint8)
    for dx, dy, w, h, colour in (
        (0, -0.25, 0.95, 1.15, (50, 35, 25)),
        (0, 0, 0.78, 1.05, (224, 180, 150)),
        *((side, -0.38, 0.2, 0.05, (60, 40, 30)) for side in (-0.33, 0.33)),
        *((side, -0.18, 0.16, 0.09, (250, 250, 250)) for side in (-0.33, 0.33)),
        *((side, -0.18, 0.075, 0.08, (40, 30, 20)) for side in (-0.33, 0.33)),
        (0, 0.15, 0.1, 0.12, (190, 140, 115)),
        (0, 0.52, 0.3, 0.1, (160, 60, 60)),
    ):
        centre, axes = (int(x + dx * radius), int(y + dy * radius)), (int(w * radius), int(h * radius))
        if radius:
            cv2.ellipse(image, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.5), np.uint8)


def write_video(path: Path, images: list[Pixels]) -> None:
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "18", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """face.mp4: a face that drifts; gap.mp4: gone for a while; wall.mp4: none; and what is no video."""
    root = tmp_path_factory.mktemp("clips")
    drift = [portrait(200 + k, 180, 70) for k in range(FRAMES)]
    wall = portrait(0, 0, 0)
    write_video(root / "face.mp4", drift)
    write_video(root / "gap.mp4", [wall if 8 <= k < 16 or 24 <= k < 36 else drift[k] for k in range(FRAMES)])
    write_video(root / "wall.mp4", [wall] * 10)
    whole = (root / "face.mp4").read_bytes()
    (root / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (root / "empty.mp4").write_bytes(b"")
    for k in range(3):
        (root / f"{k}.jpg").write_bytes(cv2.imencode(".jpg", drift[k][..., ::-1])[1].tobytes())
    (root / "png.jpg").write_bytes(cv2.imencode(".png", drift[3][..., ::-1])[1].tobytes())
    (root / "broken.jpg").write_bytes((root / "0.jpg").read_bytes()[:900])
    return root


def clip(*paths: str) -> Clip:
    return Clip(
        clip="mini/clip",
        paths=paths,
        media="video" if paths[0].endswith(".mp4") else "images",
        dataset="mini",
        split="",
        raw_method="original",
        method="real",
        category="real",
        quality="",
        target_id="mini/0",
        source_id="",
    )


TEN = ExtractSettings(frames=10)


def test_a_video_gives_square_crops_of_its_face(root: Path) -> None:
    samples, report = extract(clip("face.mp4"), root, TEN)
    assert (report.status, report.reason) == ("ok", "")
    assert (report.frames_asked, report.frames_found) == (10, 10)
    assert (report.faces_detected, report.faces_tracked, report.faces_interpolated) == (4, 6, 0)
    assert report.decode_s > 0
    assert [sample.frame for sample in samples] == [2, 6, 10, 14, 18, 22, 26, 30, 34, 38]
    assert [sample.origin for sample in samples].count("detected") == 4
    frames = dict(decode_frames(root / "face.mp4", [sample.frame for sample in samples], num_frames=FRAMES))
    for sample in samples:
        assert sample.box is not None
        left, top, right, bottom = (int(edge) for edge in sample.box)
        assert sample.width == sample.height == right - left == bottom - top < 256
        assert left < 200 + sample.frame < right
        assert top < 180 < bottom
        assert 0.9 < sample.score <= 1
        source = frames[sample.frame][top:bottom, left:right].astype(int)
        assert np.abs(simplejpeg.decode_jpeg(sample.data) - source).mean() < 2


def test_jpeg_keeps_its_full_chroma_and_png_every_pixel(root: Path) -> None:
    (jpeg, *_), _ = extract(clip("face.mp4"), root, TEN)
    assert jpeg.ext == "jpg"
    assert simplejpeg.decode_jpeg_header(jpeg.data)[3] == "444"
    (png, *_), _ = extract(clip("face.mp4"), root, dataclasses.replace(TEN, codec="png"))
    assert png.ext == "png"
    assert png.box is not None
    left, top, right, bottom = (int(edge) for edge in png.box)
    ((_, frame),) = decode_frames(root / "face.mp4", [png.frame], num_frames=FRAMES)
    pixels = cv2.imdecode(np.frombuffer(png.data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.array_equal(pixels, frame[top:bottom, left:right])


def test_crops_are_at_most_as_large_as_asked(root: Path) -> None:
    samples, _ = extract(clip("face.mp4"), root, dataclasses.replace(TEN, size=96))
    assert {(sample.width, sample.height) for sample in samples} == {(96, 96)}
    assert {sample.box[2] - sample.box[0] > 96 for sample in samples if sample.box} == {True}


def test_a_short_gap_is_interpolated_and_a_long_one_counted_as_missing(root: Path) -> None:
    samples, report = extract(clip("gap.mp4"), root, dataclasses.replace(TEN, detect_stride=1))
    assert [sample.frame for sample in samples] == [2, 6, 10, 14, 18, 22, 38]
    assert [sample.frame for sample in samples if sample.origin == "interpolated"] == [10, 14]
    assert (report.faces_detected, report.faces_tracked) == (5, 0)
    assert (report.faces_interpolated, report.faces_missing) == (2, 3)
    assert (report.status, report.reason) == ("ok", "no face in 3 of 10 frames")


def test_whole_frames_are_stored_without_a_face(root: Path) -> None:
    samples, report = extract(clip("wall.mp4"), root, ExtractSettings(faces="none"))
    assert len(samples) == report.frames_asked == report.frames_found == 10
    assert {(s.width, s.height, s.box, s.score, s.origin) for s in samples} == {(WIDTH, HEIGHT, None, 0.0, "")}
    assert (report.faces_detected, report.faces_missing) == (0, 0)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("wall.mp4", "no face found in 10 frames"),
        ("cut.mp4", "truncated"),
        ("empty.mp4", "empty"),
        ("missing.mp4", "No such file"),
    ],
)
def test_bad_media_fail_the_clip_with_one_line(root: Path, path: str, reason: str) -> None:
    samples, report = extract(clip(path), root, TEN)
    assert (samples, report.status) == ([], "failed")
    assert reason in report.reason
    assert "\n" not in report.reason


def test_images_that_are_not_cropped_keep_their_bytes(root: Path) -> None:
    paths = ("0.jpg", "png.jpg")
    samples, report = extract(clip(*paths), root, ExtractSettings(faces="none"))
    assert [sample.data for sample in samples] == [(root / path).read_bytes() for path in paths]
    assert [(s.frame, s.ext, s.width, s.height) for s in samples] == [
        (0, "jpg", WIDTH, HEIGHT),
        (1, "png", WIDTH, HEIGHT),
    ]
    assert (report.status, report.frames_asked, report.frames_found) == ("ok", 2, 2)


@pytest.mark.parametrize("faces", ["none", "track", "largest", "all"])
def test_an_unreadable_image_is_left_out_with_its_reason(root: Path, faces) -> None:
    settings = ExtractSettings(faces=faces)
    samples, report = extract(clip("0.jpg", "broken.jpg", "2.jpg"), root, settings)
    assert [sample.frame for sample in samples] == [0, 2]
    assert (report.status, report.frames_asked, report.frames_found) == ("ok", 3, 2)
    assert report.reason.startswith("1 of 3 frames cannot be read: ")
    assert "broken.jpg: damaged" in report.reason
    samples, report = extract(clip("broken.jpg"), root, settings)
    assert (samples, report.status) == ([], "failed")
    assert report.reason == "damaged, the jpg image does not decode; replace the file"


def test_images_are_cropped_to_their_face(root: Path) -> None:
    samples, report = extract(clip("0.jpg", "1.jpg", "png.jpg"), root, ExtractSettings())
    assert [sample.frame for sample in samples] == [0, 1, 2]
    assert {sample.ext for sample in samples} == {"jpg"}
    assert all(sample.width == sample.height < HEIGHT for sample in samples)
    assert report.faces_detected + report.faces_tracked == 3


def test_every_process_gives_the_same_bytes(root: Path) -> None:
    here = [extract(clip(path), root, TEN)[0] for path in ("face.mp4", "gap.mp4")]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = [pool.submit(extract, clip(path), root, TEN).result()[0] for path in ("gap.mp4", "face.mp4")]
    assert there == here[::-1]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("frames", 0),
        ("faces", "some"),
        ("min_score", 1.5),
        ("margin", 0.0),
        ("margin", float("nan")),
        ("size", 4),
        ("min_face", 5),
        ("detect_stride", 0),
        ("codec", "gif"),
        ("quality", 101),
    ],
)
def test_a_setting_out_of_range_is_named(setting: str, value: object) -> None:
    with pytest.raises(DfxError, match=rf"^--(jpeg-)?{setting.replace('_', '-')} is ") as error:
        ExtractSettings(**{setting: value})
    assert "\n" not in str(error.value)
