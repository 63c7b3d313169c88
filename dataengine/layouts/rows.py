"""One row of a manifest: its columns, and what each of them may say."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from dataengine import methods
from dataengine.errors import LayoutError
from dataengine.layouts.folder import SPLIT_FOLDERS
from dataengine.layouts.metadata import whole_number
from dataengine.records import REAL, Media, clip_id

_SPLITS = {**SPLIT_FOLDERS, "none": "none", "": ""}
_LABELS = {"real": 0, "0": 0, "fake": 1, "1": 1}


class Row(NamedTuple):
    """One row of a manifest as text; "" where nothing is said."""

    path: str
    label: str
    method: str
    raw_method: str
    split: str
    target_id: str
    source_id: str
    quality: str
    clip: str
    dataset: str
    archive: str
    frame: str
    start: str
    stop: str


@lru_cache(maxsize=4096)
def method_of(label: str, name: str, dataset: str) -> tuple[str, methods.Method]:
    """The method's name in the dataset, and the method. Raises LayoutError where label and method contradict."""
    if label and label.lower() not in _LABELS:
        raise LayoutError(f"label '{label}' is none of real, fake, 0 (real), 1 (fake)")
    if not label and not name:
        raise LayoutError("neither label nor method says what it is; give one")
    fake = _LABELS[label.lower()] if label else None
    raw = name or ("fake" if fake else REAL)
    method = methods.named_by_user(raw, dataset)
    if fake is None and method.name != REAL and methods.is_called_real(name):
        raise LayoutError(f"the method '{name}' does not say whether it is real or fake; give the label")
    if fake == 0 and method.name != REAL:
        raise LayoutError(f"a real with the method '{name}'; leave the method of reals empty, or write real")
    if fake == 1 and method.name == REAL:
        raise LayoutError(f"a fake with the method '{name}', which is real; mend one of the two")
    return raw, method


@lru_cache(maxsize=64)
def split_of(name: str) -> str:
    """A split as a store names it, "" where one is to be derived. Raises LayoutError for any other name."""
    if name.lower() not in _SPLITS:
        raise LayoutError(f"split '{name}' is none of train, val, test, none; leave it empty to have one derived")
    return _SPLITS[name.lower()]


def span_of(row: Row, media: Media) -> tuple[int, int] | None:
    """The frames [start, stop) that the row takes, None for all of them. Raises LayoutError where they are none."""
    if media == "video" and row.frame:
        raise LayoutError(f"frame {row.frame} of a video; frames of videos are chosen with start and stop")
    if not row.start and not row.stop:
        return None
    if media != "video":
        raise LayoutError("start and stop are for videos; leave them empty for images")
    start, stop = number_of(row.start, "start"), number_of(row.stop, "stop")
    if start >= stop:
        raise LayoutError(f"start {start} is not before stop {stop}; frames are counted from 0, and stop is left out")
    return start, stop


def number_of(text: str, column: str) -> int:
    """A frame's number. Raises LayoutError, naming the column, for what is no whole number from 0."""
    digits = text.removesuffix(".0")  # what tables make of whole numbers beside empty cells
    number = whole_number(digits)
    if number < 0:
        raise LayoutError(f"{column} is '{text[:50]}'; give a whole number from 0")
    return number


def identity_of(dataset: str, name: str) -> str:
    """Qualified by the dataset; one that is already, as in a table that a store was exported to, stays as it is."""
    return name if name.startswith(f"{dataset}/") else f"{dataset}/{name}"


def clip_name(dataset: str, name: str) -> str:
    """The id of a clip that the list names; an id that a store gave stays as it is."""
    rest = name.removeprefix(f"{dataset}/")
    if rest != name and clip_id(dataset, unquote(rest), keep_suffix=True) == name:
        return name
    return clip_id(dataset, name, keep_suffix=True)
