"""The files of a clip, opened wherever they lie: on a disk, behind a URL, in an archive that is never unpacked."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dataengine.archive import members
from dataengine.errors import MediaError
from dataengine.place import Place, is_remote
from dataengine.records import Clip
from dataengine.video import ImageFile, checked_image, read_image


@contextmanager
def video_file(root: Place, path: str) -> Iterator[Path]:
    """A video below `root` as a local file: itself, or a temporary copy of a remote one.

    Raises MediaError where a remote one is missing, StoreError where it cannot be had.
    """
    if not is_remote(root):
        assert isinstance(root, Path)
        yield root / path
        return
    with tempfile.NamedTemporaryFile(suffix=Path(path).suffix) as copy:
        try:
            for data in (root / path).chunks():
                copy.write(data)
        except FileNotFoundError:
            raise MediaError(f"{root / path}: not there any more; restore the file") from None
        copy.flush()
        yield Path(copy.name)


def images(root: Place, clip: Clip, positions: Sequence[int]) -> Iterator[tuple[int, ImageFile | MediaError]]:
    """The images at `positions` in `clip.paths` (ascending) as (position, image); an error in the place of each that
    cannot be read.

    An archive is read once from its start, no further than needed; of its members those alone are held, encoded.
    """
    if clip.archive:
        yield from sorted(_members(root, clip, positions), key=lambda image: image[0])
        return
    for position in positions:
        try:
            yield position, _image(root, clip.paths[position])
        except MediaError as error:
            yield position, error


def _image(root: Place, path: str) -> ImageFile:
    if isinstance(root, Path):
        return read_image(root / path)
    try:
        return checked_image((root / path).read_bytes(), str(root / path))
    except FileNotFoundError:
        raise MediaError(f"{root / path}: not there any more; restore the file") from None


def _members(root: Place, clip: Clip, positions: Sequence[int]) -> Iterator[tuple[int, ImageFile | MediaError]]:
    wanted = {clip.paths[position]: position for position in positions}
    name = str(root / clip.archive)
    reason = "not in the archive any more; restore it"
    try:
        for path, data in members(root, clip.archive, frozenset(wanted)):
            position = wanted.pop(path, None)
            if position is not None:  # a tar may hold a name twice; the first counts
                try:
                    yield position, checked_image(data, f"{name}/{path}")
                except MediaError as error:
                    yield position, error
            if not wanted:
                return
    except MediaError as error:
        reason = str(error).removeprefix(f"{name}: ")
    for path, position in wanted.items():
        yield position, MediaError(f"{name}/{path}: {reason}")
