"""DALI's video decoder behind the interface of ours. Its CPU variant reads VP9 here; NVDEC itself needs a GPU."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from dataengine import nvdec, video
from dataengine.errors import DfxError, MediaError
from dataengine.video import Pixels

nvidia = pytest.importorskip("nvidia.dali", reason="DALI exists for Linux alone")

WIDTH, HEIGHT, FRAMES = 96, 64, 40
INDICES = [0, 3, 7, 11, 12, 20, 27, 34, 39]


def write(
    path: Path, codec: str, *, size: tuple[int, int] = (WIDTH, HEIGHT), gaps: bool = False, matrix: int = 2
) -> Path:
    """A video of coloured noise that says its frame's number by a grey stripe; with `gaps`, at a variable rate.

    `matrix` is what it says of its colours: 1 is BT.709, 2 nothing.
    """
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream(codec, rate=25, options={"g": "12", "crf": "10", "b": "2M"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.colorspace = matrix
        for index in range(FRAMES):
            image = cv2.resize(rng.integers(0, 255, (8, 12, 3), np.uint8), size)
            image[-16:] = 20 + 5 * index
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=matrix if matrix != 2 else None)
            frame.pts = index + gaps * ((index > 9) * 3 + (index > 20) * 7)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def vp9(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("vp9") / "clip.mp4", "libvpx-vp9")


def both(path: Path, device: nvdec.Device = "cpu") -> tuple[dict[int, Pixels], dict[int, Pixels]]:
    count = video.count_frames(path)
    indices = [index for index in INDICES if index < count]
    ours = dict(video.decode_frames(path, indices, num_frames=count))
    return ours, dict(nvdec.decode_frames(path, indices, num_frames=count, device=device))


def test_any_frames_are_those_of_the_cpu_decoder_to_two_of_255(vp9: Path) -> None:
    ours, theirs = both(vp9)
    assert list(theirs) == INDICES
    for index, rgb in theirs.items():
        assert rgb.dtype == np.uint8
        assert rgb.flags.c_contiguous
        assert np.abs(rgb.astype(int) - ours[index]).max() <= 2
        assert round((rgb[-8:, -8:].mean() - 20) / 5) == index


def test_frames_of_a_variable_rate_are_counted_not_timed(tmp_path: Path) -> None:
    ours, theirs = both(write(tmp_path / "vfr.mp4", "libvpx-vp9", gaps=True))
    assert all(np.abs(theirs[index].astype(int) - ours[index]).max() <= 2 for index in INDICES)


@pytest.mark.parametrize("matrix", [1, 9])
def test_a_stream_of_another_colour_matrix_keeps_its_colours(matrix: int, tmp_path: Path) -> None:
    ours, theirs = both(write(tmp_path / "clip.mp4", "libvpx-vp9", matrix=matrix))
    off = np.concatenate([np.abs(theirs[index].astype(int) - ours[index]).ravel() for index in INDICES])
    assert off.mean() <= 1
    assert np.quantile(off, 0.99) <= 3  # but for what BT.601 had already cut off at 0 or 255


def test_an_odd_height_is_refused(tmp_path: Path) -> None:
    odd = write(tmp_path / "odd.webm", "libvpx-vp9", size=(96, 65))
    with pytest.raises(MediaError, match=r"odd.webm: .* odd height \(65\); use --decoder cpu"):
        both_theirs(odd)


@pytest.mark.parametrize(
    "said",
    [
        "Error in thread 0: CUDA driver API error CUDA_ERROR_OUT_OF_MEMORY (2):\nout of memory",
        "Error in MIXED operator `nvidia.dali.fn.decoders.video`\nencountered:\n\nCUDA allocation failed",
        "Can't allocate 88473600 bytes on device 0.",
    ],
)
def test_a_full_gpu_ends_the_run_and_not_the_clip(said: str, vp9: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        cache_clear = staticmethod(nvdec._pipeline.cache_clear)

        def __call__(self, device: str) -> None:
            raise RuntimeError(said)

    monkeypatch.setattr(nvdec, "_pipeline", Full())
    with pytest.raises(DfxError, match="memory is full; run the same command with fewer --workers") as refused:
        both_theirs(vp9)
    assert not isinstance(refused.value, MediaError)


def test_what_does_not_fit_into_memory_at_once_comes_in_parts(vp9: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = both(vp9)[1]
    monkeypatch.setattr(nvdec, "_CHUNK_BYTES", 2 * WIDTH * HEIGHT * 3)
    parts = both(vp9)[1]
    assert list(parts) == INDICES
    assert all(np.array_equal(parts[index], whole[index]) for index in INDICES)


def test_a_rotated_video_comes_upright(vp9: Path, tmp_path: Path) -> None:
    data = bytearray(vp9.read_bytes())
    at = data.index(struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
    at = data.index(struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30), at + 1)  # the track's
    data[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, HEIGHT << 16, 0, 1 << 30)
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(data)
    ours, theirs = both(turned)
    assert theirs[0].shape == (WIDTH, HEIGHT, 3)
    assert all(np.abs(theirs[index].astype(int) - ours[index]).max() <= 2 for index in INDICES)


def test_a_truncated_video_is_refused_before_dali_makes_frames_up(vp9: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(vp9.read_bytes()[: vp9.stat().st_size * 2 // 3])
    with pytest.raises(MediaError, match=r"cut.mp4: truncated, \d+ of 40 frames are there"):
        both_theirs(cut)


def both_theirs(path: Path) -> list[tuple[int, Pixels]]:
    return list(nvdec.decode_frames(path, INDICES, num_frames=FRAMES, device="cpu"))


def test_a_damaged_video_fails_and_the_next_one_decodes(vp9: Path, tmp_path: Path) -> None:
    data = bytearray(vp9.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data)
    with pytest.raises(MediaError, match=r"damaged.mp4: DALI's cpu video decoder refuses it \(.+\); use --decoder cpu"):
        both_theirs(damaged)
    assert list(both(vp9)[1]) == INDICES


def test_frames_that_an_edit_list_hides_are_refused(vp9: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden.mp4"
    with (
        av.open(str(vp9)) as read,
        av.open(str(hidden), "w", options={"avoid_negative_ts": "disabled"}) as write,
    ):
        stream = write.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(read.streams.video[0]):
            if packet.size:
                shift = round(5 / 25 / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
                write.mux(packet)
    with pytest.raises(MediaError, match="hides frames, which nvdec would count; use --decoder cpu"):
        both_theirs(hidden)


def test_without_a_cuda_device_it_is_refused_in_a_line(vp9: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(DfxError, match="needs a CUDA device and there is none here; use --decoder cpu") as refused:
        next(nvdec.decode_frames(vp9, [0], num_frames=FRAMES))
    assert not isinstance(refused.value, MediaError)  # which would fail each clip and go on


LARGE = [(320, 192), (320, 180)]
"""NVDEC reads HEVC from 144 px on and VP9 from 128; 180 lines are coded as 192 or 184."""


@pytest.mark.gpu
@pytest.mark.parametrize("size", LARGE, ids=str)
@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9"])
def test_nvdec_gives_the_frames_of_the_cpu_decoder(codec: str, size: tuple[int, int], tmp_path: Path) -> None:
    """Within 3 of 255 in the mean: the GPU takes chroma to RGB by a filter of its own."""
    ours, theirs = both(write(tmp_path / "clip.mp4", codec, size=size), "mixed")
    assert list(theirs) == INDICES
    for index, rgb in theirs.items():
        assert np.abs(rgb.astype(int) - ours[index]).mean() <= 3
        assert round((rgb[-8:, -8:].mean() - 20) / 5) == index


@pytest.mark.gpu
def test_nvdec_keeps_the_colours_of_bt709(tmp_path: Path) -> None:
    ours, theirs = both(write(tmp_path / "clip.mp4", "libx264", size=LARGE[0], matrix=1), "mixed")
    assert all(np.abs(theirs[index].astype(int) - ours[index]).mean() <= 3 for index in INDICES)


@pytest.mark.gpu
def test_what_is_too_small_for_nvdec_is_refused_and_the_next_one_decodes(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"DALI's mixed video decoder refuses it .*use --decoder cpu"):
        both(write(tmp_path / "small.mp4", "libx265"), "mixed")
    assert list(both(write(tmp_path / "large.mp4", "libx265", size=LARGE[0]), "mixed")[1]) == INDICES
