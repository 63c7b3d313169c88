"""How far DALI's pixels on a GPU lie from those of libjpeg-turbo on the same bytes, and from the cpu backend's draws.

Decoding: images of several kinds are decoded at their own size by the loader's two ways, the decoder cutting out a
window ("window", one view) and decoding whole ("whole", several), for both settings of `GpuDecoding.fancy`, by a GPU's
JPEG engine alone and by its cores alone. Drawing: the same draws on both backends, each operation by itself, from JPEG
and from PNG, whose pixels are decoded alike everywhere, so that what differs there is the operation's own.

python -m benchmarks.gpu.correctness [--images 8] [--side 256]
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from itertools import product
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg
import torch
from PIL import Image

from benchmarks.gpu.record import Record, Row, arguments, check_device, reason, show
from dataengine.augment import PRESETS, Augment, draw
from dataengine.backends import Decoded, GpuDecoding, Request, Setup, open_backend
from dataengine.backends.slices import usable_cpus
from dataengine.sample.architectures import portrait

Pixels = npt.NDArray[np.uint8]

AGREE = 2
"""Of 255: the difference that the goals allow."""
QUALITIES = (95, 75)
LOSSLESS = "png"
WAYS = {"window": 1, "whole": 2}
"""Way of decoding -> views that take it."""
FIGURES = ("mean", "largest", "beyond_percent")
ORIENTED = 6
"""EXIF's orientation of a picture that was shot with the camera turned by a quarter."""


@cache
def picture(number: int, width: int, height: int) -> Pixels:
    """A generated face with a sensor's noise, RGB; another one for each number."""
    face = cv2.resize(portrait("correctness", number), (width, height), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(number).normal(0, 3, face.shape)
    return np.clip(face + noise, 0, 255).astype(np.uint8)


def turbo(image: Pixels, quality: int, subsampling: str) -> bytes:
    """A baseline JPEG of libjpeg-turbo."""
    if subsampling == "Gray":
        grey = np.ascontiguousarray(image[:, :, 1:2])
        return simplejpeg.encode_jpeg(grey, quality, "GRAY", "Gray")
    return simplejpeg.encode_jpeg(image, quality, "RGB", subsampling)


def pillow(image: Pixels, quality: int, mode: str = "RGB", **settings: Any) -> bytes:
    """A JPEG of Pillow's, for what simplejpeg does not write."""
    file = io.BytesIO()
    Image.fromarray(image).convert(mode).save(file, "JPEG", quality=quality, **settings)
    return file.getvalue()


def oriented(image: Pixels, quality: int) -> bytes:
    """A JPEG whose tag asks for a quarter turn, which neither backend follows."""
    exif = Image.Exif()
    exif[0x0112] = ORIENTED
    return pillow(image, quality, subsampling=2, exif=exif)


def ycck(image: Pixels, quality: int) -> bytes:
    """A JPEG of four inks, three of them as luma and chroma, at half resolution."""
    inks = 255 - np.asarray(Image.fromarray(image).convert("CMYK"))
    return simplejpeg.encode_jpeg(inks, quality, "CMYK", "420")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Images of one kind."""

    encode: Callable[[Pixels, int], bytes]
    """(RGB, quality) -> the file."""
    beside: tuple[int, int] = (0, 0)
    """How much wider and higher they are than the others, in pixels."""


KINDS = {
    "4:4:4": Kind(encode=lambda image, quality: turbo(image, quality, "444")),
    "4:2:0": Kind(encode=lambda image, quality: turbo(image, quality, "420")),
    "4:2:2": Kind(encode=lambda image, quality: turbo(image, quality, "422")),
    "grey": Kind(encode=lambda image, quality: turbo(image, quality, "Gray")),
    "progressive 4:2:0": Kind(encode=lambda image, quality: pillow(image, quality, subsampling=2, progressive=True)),
    "turned by a tag": Kind(encode=oriented),
    "CMYK": Kind(encode=lambda image, quality: pillow(image, quality, "CMYK")),
    "YCCK": Kind(encode=ycck),
    "odd 4:4:4": Kind(encode=lambda image, quality: turbo(image, quality, "444"), beside=(43, -1)),
    "odd 4:2:0": Kind(encode=lambda image, quality: turbo(image, quality, "420"), beside=(43, -1)),
    "odd 4:2:2": Kind(encode=lambda image, quality: turbo(image, quality, "422"), beside=(43, -1)),
}

NONE = Augment(name="none")
DRAWN = {
    "crop": PRESETS["crop"],
    "supcon": PRESETS["supcon"],
    "rotate": replace(NONE, rotate=1.0),
    "brightness": replace(NONE, brightness=1.0),
    "contrast": replace(NONE, contrast=1.0),
    "saturation": replace(NONE, saturation=1.0),
    "hue": replace(NONE, hue=1.0),
    "grey": replace(NONE, grey=1.0),
    "scale": replace(NONE, scale=1.0),
    "blur": replace(NONE, blur=1.0),
    "noise": replace(NONE, noise=1.0),
    "forensic without scale and jpeg": replace(PRESETS["forensic"], scale=0.0, jpeg=0.0),
    "jpeg": replace(NONE, jpeg=1.0),
    "forensic": PRESETS["forensic"],
}
"""What is drawn, each operation always and with the strengths that `forensic` draws from."""
LEFT_OUT = {
    "scale": "an image is resampled three times, and each backend rounds to whole levels after each: that adds up to 3",
    "jpeg": "a pixel that differs by 1 may send a coefficient to the quantiser's next step, and on a GPU DALI computes "
    "the blocks itself, without a codec",
    "forensic": "half of its images go through jpeg",
}
"""Draws that cannot agree to AGREE, and why."""


def difference(images: torch.Tensor, others: torch.Tensor) -> Row:
    """Of two batches of pixels: the mean and the largest difference, of 255, and the share of pixels, in percent, of
    which a channel differs by more than AGREE."""
    differs = (images.cpu().int() - others.cpu().int()).abs()
    beyond = (differs > AGREE).any(dim=-1).double().mean()
    return {
        "mean": round(differs.double().mean().item(), 4),
        "largest": int(differs.max()),
        "beyond_percent": round(100 * beyond.item(), 4),
    }


def decode(backend: str, data: list[bytes], requests: list[Request], setup: Setup) -> list[Decoded]:
    """The requests' images, whose rows are places in `data`."""
    opened = open_backend(backend, replace(setup, read=lambda row: memoryview(data[row])))
    try:
        return list(opened.stream(requests))
    finally:
        opened.close()


def compare(data: list[bytes], requests: list[Request], setup: Setup, named: list[Row]) -> Iterator[Row]:
    """For each request its name and the difference of the backends, or under "why" the reason that there is none."""
    ours = decode("cpu", data, requests, replace(setup, device=torch.device("cpu")))
    theirs = decode("dali", data, requests, setup)
    for name, cpu, dali in zip(named, ours, theirs, strict=True):
        reasons = [dali.fallback, *(f"image {place}: {why}" for place, why in cpu.failures or dali.failures)]
        if why := "; ".join(filter(None, reasons)):
            yield {**name, "why": why}
        else:
            yield {**name, **difference(cpu.images, dali.images)}


def decoding(
    device: torch.device, gpu: GpuDecoding, way: str, beside: tuple[int, int], *, side: int, num_images: int
) -> Iterator[Row]:
    """The kinds of one size, at both qualities, in batches of `num_images`."""
    width, height = side + beside[0], side + beside[1]
    images = [picture(number, width, height) for number in range(num_images)]
    data: list[bytes] = []
    requests, named = [], []
    for name, kind in KINDS.items():
        for quality in QUALITIES if kind.beside == beside else ():
            rows = np.arange(len(data), len(data) + num_images)
            data += [kind.encode(image, quality) for image in images]
            requests.append(_request(NONE, rows, width, height, views=WAYS[way]))
            named.append({"kind": name, "quality": quality})
    yield from compare(data, requests, _setup(device, gpu, min(width, height), WAYS[way], num_images), named)


def drawing(device: torch.device, gpu: GpuDecoding, name: str, *, side: int, num_images: int) -> Iterator[Row]:
    """What DRAWN has under `name`, of images of `side` pixels scaled to 7/8 of it, as 256 to 224."""
    augment, size = DRAWN[name], side * 7 // 8
    encoders: dict[str, Callable[[Pixels], bytes]] = {
        "4:4:4": lambda image: turbo(image, 95, "444"),
        "4:2:0": lambda image: turbo(image, 95, "420"),
        LOSSLESS: lambda image: cv2.imencode(".png", image[..., ::-1])[1].tobytes(),
    }
    images = [picture(number, side, side) for number in range(num_images)]
    data = [encode(image) for encode in encoders.values() for image in images]
    requests = [
        _request(augment, np.arange(num_images) + start * num_images, side, side, views=augment.views)
        for start in range(len(encoders))
    ]
    setup = replace(_setup(device, gpu, size, augment.views, num_images), operations=augment.operations)
    yield from compare(data, requests, setup, [{"of": kind} for kind in encoders])


def _request(augment: Augment, rows: npt.NDArray[np.int64], width: int, height: int, *, views: int) -> Request:
    column = np.arange(views)[:, None]
    widths, heights = np.full(len(rows), width), np.full(len(rows), height)
    return Request(rows, draw(augment, 11, 0, np.arange(len(rows)), column, widths, heights))


def _setup(device: torch.device, gpu: GpuDecoding, size: int, views: int, batch: int) -> Setup:
    return Setup(
        read=lambda _: memoryview(b""),
        size=size,
        views=views,
        batch=batch,
        threads=min(8, usable_cpus()),
        prefetch=2,
        device=device,
        gpu=gpu,
    )


def keep(record: Record, measure: Callable[[], Iterator[Row]], **what: Any) -> None:
    """Measure and keep the rows; what fails is kept with the reason."""
    if record.late():
        record.miss("the time was up", **what)
        return
    try:
        for row in measure():
            (record.miss if "why" in row else record.add)(**what, **row)
    except Exception as error:  # whatever it is, the other rows are worth having
        record.miss(reason(error), **what)


def worst(rows: list[Row], *keys: str) -> list[Row]:
    """Of the rows that have the same values under `keys`, the worst figures."""
    groups: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        group = groups.setdefault(tuple(row[key] for key in keys), {key: row[key] for key in keys})
        group.update({figure: max(group.get(figure, 0), row[figure]) for figure in FIGURES})
    return list(groups.values())


def found(rows: list[Row], not_measured: list[Row]) -> Row:
    """The goals: how near decoding comes with interpolated chroma and without, and whether all draws agree."""
    decoded = {
        fancy: {row["kind"]: row["largest"] for row in worst(some, "kind")}
        for fancy in (True, False)
        if (some := [row for row in rows if row["part"] == "decoding" and row["fancy"] is fancy])
    }
    compared = [row for row in rows if row["part"] == "drawing"]
    judged = [row for row in compared if row["drawn"] not in LEFT_OUT]
    lossless = [row for row in judged if row["of"] == LOSSLESS]
    missing = {row["drawn"] for row in not_measured if row["part"] == "drawing"}
    missing |= DRAWN.keys() - {row["drawn"] for row in compared}

    def agree(some: list[Row]) -> bool | None:
        return None if missing - LEFT_OUT.keys() else all(row["largest"] <= AGREE for row in some)

    return {
        "largest_with_fancy": max(decoded.get(True, {}).values(), default=None),
        "largest_without_fancy": max(decoded.get(False, {}).values(), default=None),
        "largest_with_fancy_by_kind": decoded.get(True, {}),
        "draws_agree_to_2_of_255": agree(judged),
        "draws_agree_to_2_of_255_where_decoding_is_lossless": agree(lossless),
        "largest_by_draw": {row["drawn"]: row["largest"] for row in worst(compared, "drawn")},
        "draws_left_out": LEFT_OUT,
    }


def main() -> None:
    """Compare, keep, show."""
    parser = arguments(__doc__)
    parser.add_argument("--images", type=int, default=8, help="images of each kind (default: 8)")
    parser.add_argument("--side", type=int, default=256, help="their width and height in pixels (default: 256)")
    chosen = parser.parse_args()
    check_device(parser, chosen.device)
    device, usual = torch.device(chosen.device), GpuDecoding()
    sizes = {"side": chosen.side, "num_images": chosen.images}
    settings = {**sizes, "qualities": QUALITIES, "decoding_where_drawn": asdict(usual)}
    record = Record("correctness", chosen.device, settings, chosen.limit, chosen.out)
    decode_all(record, device, fancy=True, **sizes)
    for name in DRAWN:
        keep(record, partial(drawing, device, usual, name, **sizes), part="drawing", drawn=name)
    decode_all(record, device, fancy=False, **sizes)
    for part, keys in (("decoding", ("kind", "fancy", "engine_share")), ("drawing", ("drawn", "of"))):
        rows = worst([row for row in record.rows if row["part"] == part], *keys)
        show(rows, {key: key.replace("_", " ") for key in (*keys, *FIGURES)}, f"{part}: the worst of each")
    record.end(**found(record.rows, record.not_measured))


def decode_all(record: Record, device: torch.device, *, fancy: bool, **sizes: int) -> None:
    """All kinds, by the JPEG engine alone and by the GPU's cores alone, both ways."""
    for share, way, beside in product((1.0, 0.0), WAYS, dict.fromkeys(kind.beside for kind in KINDS.values())):
        gpu = GpuDecoding(fancy=fancy, engine_share=share)
        what = {"part": "decoding", "fancy": fancy, "engine_share": share, "way": way}
        keep(record, partial(decoding, device, gpu, way, beside, **sizes), **what)


if __name__ == "__main__":
    main()
