"""Make a miniature dataset: each file a pure function of its settings, in spawned processes, resumed where it stood."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from dataengine.errors import DfxError, unknown_name
from dataengine.sample.encode import CRF, encode, jpeg, png, tar
from dataengine.sample.footage import FPS, Footage, Take, draw_take, film, render
from dataengine.sample.identity import U8, draw_face, generator
from dataengine.sample.making import claim, finish, made, num_bytes, write, write_folder
from dataengine.sample.manipulate import MANIPULATIONS
from dataengine.sample.placing import face_of
from dataengine.sample.styles import STYLES
from dataengine.sample.trees import MINIATURES
from dataengine.sample.trees.base import Item, Shot

FORMAT = 2
"""Raised when the same settings give other pixels or files."""
KINDS = {"video": "videos", "frames": "folders of frames", "faces": "folders of faces"}
"""What an item's form is in words."""
SMALLEST = (160, 120)
"""Below this width and height a face is too small for the detector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the bytes of a miniature dataset depend on."""

    name: str
    clips: int
    frames: int
    width: int
    height: int
    seed: int
    quality: str
    dfd: bool
    format: int = FORMAT


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleReport:
    """What `generate` made."""

    root: str
    settings: Settings
    real: int
    fake: int
    media: dict[str, int]
    """What was made, by kind: videos, folders of frames, folders of faces, archives."""
    written: int
    kept: int
    """Clips that were there already."""
    bytes: int
    seconds: float


def generate(
    name: str,
    root: str | Path,
    *,
    clips: int = 16,
    frames: int = 48,
    size: tuple[int, int] | None = None,
    seed: int = 0,
    quality: str | None = None,
    dfd: bool = False,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> SampleReport:
    """Make the miniature dataset `name` (a key of MINIATURES): `clips` reals, a fake of each method for each.

    Args:
        size: width and height in pixels, even; None is the dataset's own (styles.py).
        quality: c23 or c40, None is the dataset's own.
        dfd: with ff++, also DeepFakeDetection's actors, `clips` reals and as many fakes.
        workers: processes; 0 works in this one, None takes the cores there are. The files are the same for any.
        on_progress: called with clips done (those already there too) and clips in all.

    Raises:
        DfxError: a setting that cannot be had, a root that holds something else, or a disk that cannot be written.
    """
    settings = _checked(name, clips, frames, size, seed, quality, dfd)
    root = Path(root)
    tree = MINIATURES[name].plan(clips, frames, seed, settings.quality, dfd)
    start = time.perf_counter()
    try:
        claim(root, asdict(settings))
        files = _files(tree.items)
        missing = [items for path, items in files.items() if not (root / path).exists()]
        written = sum(map(len, missing))
        kept = len(tree.items) - written
        done = kept
        if on_progress and kept:
            on_progress(done, len(tree.items))
        for items in made(missing, partial(_make, root=root, settings=settings), root, "clips", workers):
            done += len(items)
            if on_progress:
                on_progress(done, len(tree.items))
        for path, text in tree.lists.items():
            write(root / path, text.encode())
        finish(root, asdict(settings))
    except OSError as error:
        where = error.filename or root
        raise DfxError(
            f"cannot write {where}: {error.strerror or error}; free space or choose another --root"
        ) from error
    fake = sum(bool(item.method) for item in tree.items)
    return SampleReport(
        root=str(root),
        settings=settings,
        real=len(tree.items) - fake,
        fake=fake,
        media=dict(Counter(_kind(items[0]) for items in files.values())),
        written=written,
        kept=kept,
        bytes=sum(num_bytes(root / path) for path in files),
        seconds=time.perf_counter() - start,
    )


def _checked(
    name: str, clips: int, frames: int, size: tuple[int, int] | None, seed: int, quality: str | None, dfd: bool
) -> Settings:
    if name not in MINIATURES:
        raise unknown_name("miniature dataset", name, MINIATURES)
    width, height = size or STYLES[MINIATURES[name].style or name].size
    quality = quality or MINIATURES[name].quality
    if quality not in CRF:
        raise unknown_name("quality", quality, CRF)
    if clips < 2:
        raise DfxError(f"--clips {clips}: a swap needs two identities; take 2 or more")
    if frames < 1:
        raise DfxError(f"--frames {frames}: a video needs a frame; take 1 or more")
    if width < SMALLEST[0] or height < SMALLEST[1]:
        raise DfxError(f"--size {width}x{height} leaves no face to detect; take {SMALLEST[0]}x{SMALLEST[1]} or more")
    if width % 2 or height % 2:
        raise DfxError(
            f"--size {width}x{height}: H.264 needs even sides; take {width + width % 2}x{height + height % 2}"
        )
    if dfd and name != "ff++":
        raise DfxError(f"DFD comes with ff++, not with {name}; leave --dfd out")
    return Settings(
        name=name, clips=clips, frames=frames, width=width, height=height, seed=seed, quality=quality, dfd=dfd
    )


def _files(items: Iterable[Item]) -> dict[str, list[Item]]:
    """The clips by the file or folder that is made of them: one, or all of an archive."""
    files: dict[str, list[Item]] = {}
    for item in items:
        files.setdefault(item.archive or item.path, []).append(item)
    return files


def _kind(item: Item) -> str:
    return "archives" if item.archive else KINDS[item.form]


def _make(items: list[Item], root: Path, settings: Settings) -> None:
    if items[0].archive:
        held = ((f"./{item.path}/{name}", data) for item in items for name, data in _images(item, settings))
        write(root / items[0].archive, tar(held))
    elif items[0].form == "video":
        size = (settings.width, settings.height)
        write(root / items[0].path, encode(_frames(items[0], settings), size, crf=CRF[settings.quality], fps=FPS))
    else:
        write_folder(root / items[0].path, _images(items[0], settings))


def _images(item: Item, settings: Settings) -> Iterator[tuple[str, bytes]]:
    """The files of a folder of frames or faces."""
    take = _footage(item.target, settings).take
    for number, frame in enumerate(_frames(item, settings)):
        name = item.frame.format(number)
        if item.form == "frames":
            yield f"{name}.jpg", jpeg(frame)
        else:
            yield f"{name}.png", png(face_of(frame, take.matrix(number)))


def _frames(item: Item, settings: Settings) -> Iterator[U8]:
    """The frames of a clip. A real and the fakes of it see the same footage, each encoded once."""
    footage = _footage(item.target, settings)
    frames = min(item.frames or settings.frames, settings.frames)
    if item.source is None:
        yield from (render(footage, frame) for frame in range(frames))
        return
    touched = item.segments or ((0, frames),)
    rng = generator("manipulation", settings.seed, item.target.style, item.path.rpartition("/")[2], item.method)
    step = MANIPULATIONS[item.method](footage, _take(item.source, settings), rng)
    for frame in range(frames):
        recorded = render(footage, frame)
        yield step(recorded, frame) if any(start <= frame < stop for start, stop in touched) else recorded


@lru_cache(maxsize=2)  # the files of one target follow each other, and painting its layers is a third of a short file
def _footage(target: Shot, settings: Settings) -> Footage:
    return film(_take(target, settings), STYLES[target.style], _generator("scene", target, settings))


def _take(shot: Shot, settings: Settings) -> Take:
    face = draw_face(settings.seed, shot.style, shot.identity)
    size = (settings.width, settings.height)
    return draw_take(face, STYLES[shot.style], size, settings.frames, _generator("take", shot, settings))


def _generator(what: str, shot: Shot, settings: Settings) -> np.random.Generator:
    return generator(what, settings.seed, shot.style, shot.name)
