"""Portraits, and what tiny generators of four architectures make of them: to try attribution by architecture on.

Class folders of PNG files: `real`, and one for each of `upsampling.ARCHITECTURES`. A picture bears the same name in
every class, and only the generator's trace tells the classes apart. As `architectures` they are for the layout
`folder`, whose derived split keeps pictures of one name together; as `images`, for the layout of that name, they have
lists of the splits beside them (`path<TAB>class`, and `classes.txt`). Scores on them say nothing about real generators.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path

import cv2

from dataengine.errors import DfxError
from dataengine.layouts.images import CLASSES
from dataengine.records import REAL
from dataengine.sample.footage import draw_take, film, render
from dataengine.sample.identity import U8, draw_face, generator
from dataengine.sample.making import claim, finish, made, write
from dataengine.sample.styles import STYLES
from dataengine.sample.upsampling import ARCHITECTURES, SIZE_PX, Generator, draw_generator
from dataengine.splits import split_sizes

NAME = "architectures"
"""Of this miniature, beside those of `trees.MINIATURES`."""
LISTED_NAME = "images"
"""Of the same with lists beside the class folders."""
PICTURES = 400
"""Of each class: a network learns them on a CPU in minutes."""
FORMAT = 1
"""Raised when the same settings give other pixels or files."""
_FITTED_TO = 6  # portraits: 98,304 pixels for 39 numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSettings:
    """Everything the bytes of the pictures depend on."""

    pictures: int
    seed: int
    """Of the portraits."""
    weights_seed: int
    """Of the generators' weights, and of the portraits: nobody is in the pictures of two seeds."""
    name: str = NAME
    """NAME, or LISTED_NAME for lists beside the folders."""
    format: int = FORMAT


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureReport:
    """What `generate_architectures` made."""

    root: str
    settings: PictureSettings
    classes: tuple[str, ...]
    written: int
    kept: int
    """Pictures that were there already."""
    bytes: int
    seconds: float


def generate_architectures(
    root: str | Path,
    *,
    name: str = NAME,
    pictures: int = PICTURES,
    seed: int = 0,
    weights_seed: int = 0,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> PictureReport:
    """Make `pictures` portraits of SIZE_PX px and what each architecture makes of them, `{class}/{number}.png`.

    Args:
        name: NAME, or LISTED_NAME for lists of each split beside the folders.
        weights_seed: another one gives other weights in the same architectures, and other portraits.
        workers: processes; 0 works in this one, None takes the cores there are. The files are the same for any.
        on_progress: called with pictures done (those already there too) and pictures in all.

    Raises:
        DfxError: fewer than one picture, a root that holds something else, or a disk that cannot be written.
    """
    if pictures < 1:
        raise DfxError(f"--clips {pictures}: a class needs a picture; take 1 or more")
    settings = PictureSettings(pictures=pictures, seed=seed, weights_seed=weights_seed, name=name)
    root, classes = Path(root), (REAL, *ARCHITECTURES)
    start = time.perf_counter()
    try:
        claim(root, asdict(settings))
        files = [[_file(root, name, number) for name in classes] for number in range(pictures)]
        missing = [number for number, row in enumerate(files) if not all(file.is_file() for file in row)]
        done = kept = (pictures - len(missing)) * len(classes)
        if on_progress and kept:
            on_progress(done, pictures * len(classes))
        for _ in made(missing, partial(_make, root=root, settings=settings), root, "pictures", workers):
            done += len(classes)
            if on_progress:
                on_progress(done, pictures * len(classes))
        for path, text in _lists(pictures, classes).items() if name == LISTED_NAME else ():
            write(root / path, text.encode())
        finish(root, asdict(settings))
    except OSError as error:
        where = error.filename or root
        raise DfxError(
            f"cannot write {where}: {error.strerror or error}; free space or choose another --root"
        ) from error
    return PictureReport(
        root=str(root),
        settings=settings,
        classes=classes,
        written=done - kept,
        kept=kept,
        bytes=sum(file.stat().st_size for row in files for file in row),
        seconds=time.perf_counter() - start,
    )


def _lists(pictures: int, classes: tuple[str, ...]) -> dict[str, str]:
    """The lists of the splits, each portrait in one of them with all that was made of it, and the classes' names."""
    lists, first = {CLASSES: "".join(f"{name}\n" for name in classes)}, 0
    for split, size in split_sizes(pictures).items():
        numbers = range(first, first := first + size)
        lines = [f"{name}/{n:05d}.png\t{label}\n" for n in numbers for label, name in enumerate(classes)]
        lists |= {f"{split}.txt": "".join(lines)} if lines else {}
    return lists


def portrait(*words: str | int) -> U8:
    """The portrait that the words name, as a camera recorded it: RGB (SIZE_PX, SIZE_PX, 3)."""
    rng = generator("portrait", *words)
    style = STYLES[sorted(STYLES)[rng.integers(len(STYLES))]]
    take = draw_take(draw_face(NAME, *words), style, (SIZE_PX, SIZE_PX), 1, rng)
    return render(film(take, style, rng), 0)


@lru_cache(maxsize=8)
def trained(architecture: str, weights_seed: int) -> Generator:
    """The generator that `weights_seed` names, fitted to portraits that are in no dataset."""
    rng = generator("fit", architecture, weights_seed)
    return draw_generator(architecture, weights_seed).fitted(_portraits_to_fit(), rng)


@lru_cache(maxsize=1)
def _portraits_to_fit() -> list[U8]:
    return [portrait("fit", number) for number in range(_FITTED_TO)]


def _make(number: int, root: Path, settings: PictureSettings) -> None:
    words = (settings.seed, settings.weights_seed, number)
    real = portrait(*words)
    _write(_file(root, REAL, number), real)
    for name in ARCHITECTURES:
        _write(_file(root, name, number), trained(name, settings.weights_seed)(real, generator("grain", name, *words)))


def _file(root: Path, name: str, number: int) -> Path:
    return root / name / f"{number:05d}.png"


def _write(file: Path, rgb: U8) -> None:
    write(file, cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes())
