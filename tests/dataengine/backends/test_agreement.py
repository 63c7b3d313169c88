"""Both backends execute the same draws to the same pixels."""

from __future__ import annotations

import sys
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch

from dataengine.augment import PRESETS, draw
from dataengine.backends import Decoded, GpuDecoding, Request, Setup, open_backend
from dataengine.errors import MediaError
from tests.dataengine.made import cmyk, jpeg, picture, png

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="DALI is for Linux")

USUAL = GpuDecoding()
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
SIZES = [(256, 256), (255, 253), (97, 131), (300, 224)]
IMAGES: dict[str, Callable[[np.ndarray], bytes]] = {
    "4:4:4": lambda image: jpeg(image),
    "4:2:0": lambda image: jpeg(image, "420"),
    "4:2:2": lambda image: jpeg(image, "422", 80),
    "grey": lambda image: jpeg(image, "Gray"),
    "progressive": lambda image: cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes(),
    "png": png,
    "grey png": lambda image: cv2.imencode(".png", image[:, :, 0])[1].tobytes(),
    "turned by a tag": lambda image: _with_orientation(jpeg(image)),
    "CMYK": cmyk,
    "YCCK": lambda image: cmyk(image, "YCCK"),
    "CMYK of unknown inks": lambda image: cmyk(image, "bare"),
}


def _with_orientation(data: bytes) -> bytes:
    """The JPEG with an EXIF tag that asks for a quarter turn."""
    tiff = b"II*\x00\x08\x00\x00\x00" + b"\x01\x00" + b"\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00" + bytes(4)
    exif = b"Exif\x00\x00" + tiff
    return data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]


def _decode(
    backend: str, data: list[bytes], request: Request, views: int, device: str = "cpu", gpu: GpuDecoding = USUAL
) -> Decoded:
    def read(row: int) -> memoryview:
        if not data[row]:
            raise MediaError("gone")
        return memoryview(data[row])

    setup = Setup(
        read=read,
        size=224,
        views=views,
        batch=len(request.rows),
        threads=2,
        prefetch=1,
        device=torch.device(device),
        gpu=gpu,
    )
    opened = open_backend(backend, setup)
    try:
        (decoded,) = opened.stream([request])
    finally:
        opened.close()
    return decoded


def _request(name: str, sizes: list[tuple[int, int]]) -> Request:
    widths, heights = np.array(sizes).T
    views = np.arange(PRESETS[name].views)[:, None]
    count = np.arange(len(sizes))
    return Request(count, draw(PRESETS[name], 11, 0, count, views, widths, heights))


def _difference(data: list[bytes], request: Request, views: int, device: str, gpu: GpuDecoding = USUAL) -> torch.Tensor:
    cpu = _decode("cpu", data, request, views).images
    decoded = _decode("dali", data, request, views, device, gpu)
    assert not decoded.fallback
    dali = decoded.images.cpu()
    assert dali.shape == (views, len(data), 224, 224, 3)
    return (cpu.int() - dali.int()).abs().float()


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("preset", ["crop", "supcon"])
@pytest.mark.parametrize("device", DEVICES)
def test_backends_agree_within_two_of_255_on_any_image(kind: str, preset: str, device: str) -> None:
    data = [IMAGES[kind](picture(i, *size)) for i, size in enumerate(SIZES)]
    difference = _difference(data, _request(preset, SIZES), PRESETS[preset].views, device)
    assert difference.max() <= 2
    assert difference.mean() <= 0.25


@pytest.mark.parametrize("largest", [(0, 0), (300, 256)])
@pytest.mark.parametrize("fancy", [True, False])
@pytest.mark.parametrize("engine_share", [0.0, 1.0])
@pytest.mark.parametrize("device", DEVICES)
def test_backends_agree_however_a_gpu_is_told_to_decode(
    engine_share: float, fancy: bool, largest: tuple[int, int], device: str
) -> None:
    gpu = GpuDecoding(engine_share=engine_share, fancy=fancy, largest=largest)
    data = [jpeg(picture(i, *size)) for i, size in enumerate(SIZES)]
    assert _difference(data, _request("crop", SIZES), 1, device, gpu).max() <= 2


@pytest.mark.parametrize("device", DEVICES)
def test_both_tell_what_could_not_be_read_and_decode_the_rest(device: str) -> None:
    data = [jpeg(picture(i, 256, 256)) for i in range(4)]
    request = _request("crop", [(256, 256)] * 4)
    whole = _decode("cpu", data, request, 1).images
    gaps = Request(np.array([0, -1, 2, 3]), request.draws)
    data[2] = b""
    for backend in ("cpu", "dali"):
        decoded = _decode(backend, data, gaps, 1, device)
        assert decoded.failures == [(2, "gone")]
        assert (decoded.images[0, [0, 3]].cpu().int() - whole[0, [0, 3]].int()).abs().max() <= 2


@pytest.mark.parametrize("device", DEVICES)
def test_both_say_the_same_of_a_damaged_jpeg_of_four_inks(device: str) -> None:
    data = [cmyk(picture(i, 256, 256)) for i in range(2)]
    data[1] = data[1][: len(data[1]) // 2]
    request = _request("crop", [(256, 256)] * 2)
    cpu, dali = (_decode(backend, data, request, 1, device) for backend in ("cpu", "dali"))
    assert [place for place, _ in cpu.failures] == [1]
    assert cpu.failures == dali.failures
    assert not dali.fallback


def _cut_off(image: np.ndarray) -> bytes:
    data = jpeg(image)
    return data[: len(data) // 2]


def _sun_raster(image: np.ndarray) -> bytes:
    """A format that OpenCV reads and DALI does not."""
    return cv2.imencode(".ras", np.ascontiguousarray(image[..., ::-1]))[1].tobytes()


@pytest.mark.parametrize(
    ("unwelcome", "device"),
    [(_cut_off, "cpu"), (_sun_raster, "cpu"), pytest.param(_sun_raster, "cuda", marks=pytest.mark.gpu)],
)
@pytest.mark.parametrize("prefetch", [1, 2, 3])
def test_a_batch_that_dali_cannot_decode_goes_to_the_cpu_path_and_the_stream_goes_on(
    unwelcome: Callable[[np.ndarray], bytes], device: str, prefetch: int
) -> None:
    data = [jpeg(picture(i, 256, 256)) for i in range(8)]
    data[2] = unwelcome(picture(2, 256, 256))
    request = _request("crop", [(256, 256)] * 8)

    def read(row: int) -> memoryview:
        return memoryview(data[row])

    streams = {}
    for backend in ("cpu", "dali"):
        place = torch.device(device)
        setup = Setup(read=read, size=64, views=1, batch=2, threads=2, prefetch=prefetch, device=place)
        opened = open_backend(backend, setup)
        parts = [slice(start, start + 2) for start in (0, 2, 4, 6)]
        streams[backend] = list(opened.stream(Request(request.rows[p], request.draws.part(p)) for p in parts))
        opened.close()
    assert [bool(decoded.fallback) for decoded in streams["dali"]] == [False, True, False, False]
    for cpu, dali in zip(streams["cpu"], streams["dali"], strict=True):
        assert cpu.failures == dali.failures
        good = [i for i in range(2) if i not in dict(cpu.failures)]
        assert (cpu.images[:, good].cpu().int() - dali.images[:, good].cpu().int()).abs().max() <= 2
