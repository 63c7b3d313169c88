"""What each policy promises of an epoch, counted from the rows that were seen, without the order that chose them.

Each check takes the rows of one epoch in their global order and answers with what is wrong, "" if nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from dataengine.selection import Rows

Ints = npt.NDArray[np.int64]
Check = Callable[[Ints, Rows, int], str]
"""(seen, rows, global batch) -> what is wrong."""


def in_order(seen: Ints, rows: Rows, batch: int) -> str:
    """Every row once, as they stand in the store."""
    return "" if np.array_equal(seen, np.arange(len(rows))) else "the rows are not 0, 1, 2, ..."


def once(seen: Ints, rows: Rows, batch: int) -> str:
    """Every row once, save the ragged end: fewer than a batch."""
    if len(np.unique(seen)) != len(seen):
        return "a row was seen twice"
    return _whole_batches(seen, len(rows), batch)


def by_class(column: str) -> Check:
    """Classes differ by one sample at most, and so do the rows of a class."""

    def check(seen: Ints, rows: Rows, batch: int) -> str:
        return _balanced(seen, rows.codes(column)[0], 1)

    return check


def few_frames(most: int) -> Check:
    """No row twice; of each clip as many frames as it has, at most `most`, save the ragged end."""

    def check(seen: Ints, rows: Rows, batch: int) -> str:
        if len(np.unique(seen)) != len(seen):
            return "a row was seen twice"
        codes, _ = rows.codes("clip")
        wanted = np.minimum(np.bincount(codes), most)
        if (np.bincount(codes[seen], minlength=len(wanted)) > wanted).any():
            return f"more than {most} frames of a clip were seen"
        return _whole_batches(seen, int(wanted.sum()), batch)

    return check


def in_groups(num_classes: int, per_class: int, column: str = "method") -> Check:
    """Every `num_classes` * `per_class` samples hold so many classes, each so often, from as many clips as it has.

    Whole runs of groups hold each class equally often, whole laps of a class each of its clips; so do a clip's rows
    come, to within one.
    """

    def check(seen: Ints, rows: Rows, batch: int) -> str:
        codes, names = rows.codes(column)
        clips, _ = rows.codes("clip")
        groups = seen.reshape(-1, num_classes * per_class)
        for group in groups:
            held, times = np.unique(codes[group], return_counts=True)
            if len(held) != num_classes or (times != per_class).any():
                return f"a group holds {dict(zip(held.tolist(), times.tolist(), strict=True))}"
            for code in held.tolist():
                there = len(np.unique(clips[codes == code]))
                if len(np.unique(clips[group[codes[group] == code]])) != min(per_class, there):
                    return f"a group does not hold {per_class} clips of {names[code]}"
        run = len(names) // math.gcd(len(names), num_classes)
        if _spread(np.bincount(codes[groups[: len(groups) // run * run]].reshape(-1), minlength=len(names))):
            return f"{run} groups do not hold each {column} equally often"
        for code, name in enumerate(names):
            own = np.flatnonzero(np.bincount(clips[codes == code]))
            had = clips[seen[codes[seen] == code]]
            lap = math.lcm(len(own), per_class)
            if _spread(np.bincount(had[: len(had) // lap * lap], minlength=own.max() + 1)[own]):
                return f"the clips of {name} are not seen equally often"
        times = np.bincount(seen, minlength=len(rows))
        if any(_spread(times[clips == clip]) > 1 for clip in np.unique(clips)):
            return "the frames of a clip are not seen equally often"
        return ""

    return check


def by_store(*weights: float, balanced: str = "") -> Check:
    """After any number of samples each store has had its share, to within one. Its rows come equally often, or, with
    a column in `balanced`, its classes do and the rows of each."""

    def check(seen: Ints, rows: Rows, batch: int) -> str:
        store = rows.column("store").astype(np.int64)
        taken = np.arange(1, len(seen) + 1)
        for number, weight in enumerate(weights):
            mine = store[seen] == number
            off = np.abs(np.cumsum(mine) - taken * weight / sum(weights)).max()
            if off > 1 + 1e-6:
                return f"store {number} is off its share by {off:.2f} samples"
            first, size = int(np.argmax(store == number)), int(np.count_nonzero(store == number))
            codes = rows.codes(balanced)[0] if balanced else np.zeros(len(rows), dtype=np.int64)
            begun = math.ceil(np.count_nonzero(mine) / size)  # each epoch of a store keeps its promise anew
            if wrong := _balanced(seen[mine] - first, codes[first : first + size], begun if balanced else 1):
                return f"store {number}: {wrong}"
        return ""

    return check


def _balanced(seen: Ints, codes: Ints, most: int) -> str:
    """Whether classes differ by more than `most`, or the rows of one."""
    if _spread(np.bincount(codes[seen])) > most:
        return "the classes are not seen equally often"
    times = np.bincount(seen, minlength=len(codes))
    if any(_spread(times[codes == code]) > most for code in np.unique(codes)):
        return "the rows of a class are not seen equally often"
    return ""


def _whole_batches(seen: Ints, wanted: int, batch: int) -> str:
    return "" if len(seen) == wanted // batch * batch else f"{len(seen)} samples of {wanted} were seen"


def _spread(counts: npt.NDArray[np.integer]) -> int:
    return int(counts.max() - counts.min())
