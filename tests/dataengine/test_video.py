from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import MediaError
from dataengine.video import Pixels, count_frames, decode_frames, frame_indices, frames_within, read_image

WIDTH, HEIGHT, FRAMES = 64, 48, 60


def numbered(index: int) -> Pixels:
    """A frame that says its index by its grey level, with a red corner top left."""
    image = np.full((HEIGHT, WIDTH, 3), 20 + 3 * index, np.uint8)
    image[: HEIGHT // 2, : WIDTH // 2] = (220, 20, 20)
    return image


def number_of(rgb: Pixels) -> int:
    return round((float(rgb[-8:, -8:].mean()) - 20) / 3)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 numbered frames, H.264 with B-frames, its index at the end."""
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "12", "bf": "2", "crf": "10"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(index), format="rgb24")))
        container.mux(stream.encode())
    return path


def copied(source: Path, target: Path, *, hidden: int = 0, **movflags: str) -> Path:
    """The same packets in another container, the first `hidden` frames before its beginning."""
    options = {"avoid_negative_ts": "disabled", **movflags}
    with av.open(str(source)) as read, av.open(str(target), "w", options=options) as write:
        stream = write.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(read.streams.video[0]):
            if packet.size:
                shift = round(hidden / 25 / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = stream
                write.mux(packet)
    return target


def decoded(path: Path, n: int, *, threads: int = 1) -> Iterator[tuple[int, Pixels]]:
    total = count_frames(path)
    return decode_frames(path, frame_indices(total, n), num_frames=total, threads=threads)


@given(st.integers(0, 5000), st.integers(1, 400))
def test_indices_are_the_middles_of_equal_parts_of_the_whole_clip(num_frames: int, n: int) -> None:
    indices = frame_indices(num_frames, n)
    assert len(indices) == min(n, num_frames) == len(set(indices))
    assert indices == sorted(indices)
    if num_frames > n:
        assert indices == [(2 * i + 1) * num_frames // (2 * n) for i in range(n)]
        assert indices[0] + 1 >= num_frames - 1 - indices[-1] >= indices[0] - 1


@pytest.mark.parametrize("threads", [1, 2])
def test_the_frames_asked_for_are_the_ones_decoded(video: Path, threads: int) -> None:
    frames = list(decoded(video, 7, threads=threads))
    assert [index for index, _ in frames] == [4, 12, 21, 30, 38, 47, 55]
    assert [number_of(rgb) for _, rgb in frames] == [4, 12, 21, 30, 38, 47, 55]
    assert all(rgb.shape == (HEIGHT, WIDTH, 3) and rgb.dtype == np.uint8 for _, rgb in frames)


def test_a_clip_of_fewer_frames_gives_all_of_them(video: Path) -> None:
    assert [number_of(rgb) for _, rgb in decoded(video, 1000)] == list(range(FRAMES))


def test_colours_stay_within_two_of_what_was_encoded(tmp_path: Path) -> None:
    colours = [(200, 60, 40), (40, 180, 70), (50, 70, 210), (128, 128, 128), (0, 0, 0), (255, 255, 255)]
    path = tmp_path / "colours.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "1"})
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for colour in colours:
            image = np.full((32, 32, 3), colour, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    for colour, (_, rgb) in zip(colours, decoded(path, 6), strict=True):
        assert np.abs(rgb.reshape(-1, 3).mean(0) - colour).max() <= 2


def test_frames_are_counted_where_the_container_does_not_say(video: Path, tmp_path: Path) -> None:
    matroska = copied(video, tmp_path / "clip.mkv")
    with av.open(str(matroska)) as container:
        assert container.streams.video[0].frames == 0
    assert count_frames(matroska) == FRAMES
    assert [number_of(rgb) for _, rgb in decoded(matroska, 3)] == [10, 30, 50]


@pytest.mark.parametrize("hidden", [12, 15])  # a whole group of pictures; and part of the next one
def test_frames_hidden_by_an_edit_list_are_not_of_the_clip(video: Path, tmp_path: Path, hidden: int) -> None:
    trimmed = copied(video, tmp_path / "trimmed.mp4", hidden=hidden)
    with av.open(str(trimmed)) as container:
        assert container.streams.video[0].frames == FRAMES
    assert count_frames(trimmed) == FRAMES - hidden
    assert [number_of(rgb) for _, rgb in decoded(trimmed, 1000)] == list(range(hidden, FRAMES))


@pytest.mark.parametrize(
    ("matrix", "turned"),
    [
        ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),  # a phone held upright
        ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
        ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
        ((-1, 0, 0, 1), np.fliplr),  # a mirrored selfie
    ],
)
def test_the_display_matrix_is_respected(video: Path, tmp_path: Path, matrix, turned) -> None:
    data = bytearray(video.read_bytes())
    at = data.index(b"tkhd") + 44  # behind version, times, track, duration, layer, group, volume
    assert struct.unpack(">9i", data[at : at + 36]) == (65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    a, b, c, d = (65536 * entry for entry in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    rotated = tmp_path / "rotated.mp4"
    rotated.write_bytes(data)
    (_, plain), (_, rgb) = next(decoded(video, 1)), next(decoded(rotated, 1))
    assert np.array_equal(rgb, turned(plain))
    assert rgb.flags["C_CONTIGUOUS"]


def test_the_video_is_not_read_behind_the_last_frame_asked_for(video: Path, tmp_path: Path) -> None:
    whole = copied(video, tmp_path / "whole.mp4", movflags="faststart").read_bytes()
    half = tmp_path / "half.mp4"
    half.write_bytes(whole[: len(whole) * 2 // 3])
    assert [number_of(rgb) for _, rgb in decode_frames(half, [0, 9], num_frames=FRAMES)] == [0, 9]


@pytest.mark.parametrize("lost", [1, 3])
def test_a_few_frames_lost_at_the_end_are_forgiven(video: Path, lost: int) -> None:
    frames = list(decode_frames(video, [0, 30, FRAMES - 1 + lost], num_frames=FRAMES + lost))
    assert [index for index, _ in frames] == [0, 30]


def test_a_video_without_its_end_is_truncated_and_says_by_how_much(video: Path, tmp_path: Path) -> None:
    whole = copied(video, tmp_path / "whole.mp4", movflags="faststart").read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(MediaError, match=r"cut\.mp4: truncated, \d+ of 60 frames decode") as error:
        list(decoded(cut, 10))
    assert "\n" not in str(error.value)


def test_what_is_no_video_is_named_with_its_file(video: Path, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        sound.rate = 16000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    whole = video.read_bytes()
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_bytes(b"no video " * 400)
    (tmp_path / "index.mp4").write_bytes(whole[: whole.index(b"moov")])
    (tmp_path / "codec.mp4").write_bytes(whole.replace(b"avc1", b"zzzz"))
    for name, what in (
        ("sound", "no video stream"),
        ("empty", "the file is empty"),
        ("text", "not a video"),
        ("index", "not a video, or cut off before its index"),
        ("codec", "codec"),
        ("missing", "No such file"),
    ):
        with pytest.raises(MediaError, match=what) as error:
            count_frames(tmp_path / f"{name}.mp4")
        assert f"{name}.mp4" in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("ext", ["jpg", "png", "webp", "bmp", "tif"])
def test_an_image_is_what_its_bytes_say(tmp_path: Path, ext: str) -> None:
    data = cv2.imencode(f".{ext}", numbered(5))[1].tobytes()
    path = tmp_path / "image.jpeg"
    path.write_bytes(data)
    image = read_image(path)
    assert (image.data, image.ext, image.width, image.height) == (data, ext, WIDTH, HEIGHT)
    assert np.abs(image.pixels()[-8:, -8:].astype(int) - 35).max() <= 2


@pytest.mark.parametrize("ext", ["jpg", "png", "webp", "bmp", "tif"])
def test_a_truncated_image_is_damaged(tmp_path: Path, ext: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    path = tmp_path / "image.bin"
    path.write_bytes(cv2.imencode(f".{ext}", noise)[1].tobytes()[:1500])
    with pytest.raises(MediaError, match=r"image\.bin: damaged"):
        read_image(path)


def test_an_image_of_no_known_format_is_an_error(tmp_path: Path) -> None:
    for name, data, what in (("empty.jpg", b"", "empty"), ("text.jpg", b"hello", "not a JPEG")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(MediaError, match=what):
            read_image(tmp_path / name)
    with pytest.raises(MediaError, match="No such file"):
        read_image(tmp_path / "missing.jpg")


spans = st.lists(st.integers(1, 30), min_size=2, max_size=8).map(
    lambda steps: [(sum(steps[: i + 1]), sum(steps[: i + 2])) for i in range(0, len(steps) - 1, 2)]
)


@given(ranges=spans, num_frames=st.integers(1, 200), n=st.integers(1, 40))
def test_frames_within_ranges_are_distinct_ascending_and_as_many_as_there_are(
    ranges: list[tuple[int, int]], num_frames: int, n: int
) -> None:
    allowed = [frame for start, stop in ranges for frame in range(start, min(stop, num_frames))]
    chosen = frames_within(ranges, num_frames, n)
    assert chosen == [allowed[k] for k in frame_indices(len(allowed), n)]
    assert frames_within((), num_frames, n) == frame_indices(num_frames, n)
