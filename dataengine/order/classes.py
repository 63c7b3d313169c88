"""Items by class."""

from __future__ import annotations

import numpy as np

from dataengine.errors import DfxError
from dataengine.order.clips import Clips
from dataengine.order.hashing import Ints, Key
from dataengine.order.members import gather
from dataengine.order.source import ClassSource, Items, class_codes

_CHUNK = 1 << 20


class ClassRows:
    """Rows sorted by class, each an item."""

    def __init__(self, codes: Ints, num_classes: int) -> None:
        self._members, self.part_items = gather(codes, num_classes)
        self.num_items = len(self._members)

    def rows(self, items: Ints, key: Key) -> Ints:
        """The rows of items, the same each epoch."""
        del key
        return np.asarray(self._members[items], dtype=np.int64)


def items_by_class(rows: ClassSource, by: tuple[str, ...], frames_per_clip: int | None) -> tuple[Items, Ints]:
    """The items sorted by class, and where each class begins (C + 1,)."""
    if frames_per_clip is not None:
        clips = clips_by_class(rows, by, frames_per_clip)
        return clips, clips.part_items
    class_rows = ClassRows(*class_codes(rows, by))
    return class_rows, class_rows.part_items


def clips_by_class(rows: ClassSource, by: tuple[str, ...], frames_per_clip: int | None) -> Clips:
    """The clips sorted by class. Raises DfxError where a clip's rows are of several."""
    codes, num_classes = class_codes(rows, by)
    clips = Clips(rows, frames_per_clip, lambda first: codes[first], num_classes)
    bounds = clips.starts[clips.part_clips].astype(np.int64)
    for start in range(0, len(codes), _CHUNK):
        members = clips.members[start : start + _CHUNK]
        expected = np.searchsorted(bounds, np.arange(start, start + len(members)), "right") - 1
        if (codes[members] != expected).any():
            raise DfxError(
                f"the values of {' and '.join(by)} change within a clip, so that clips have no class of their own; "
                "order by columns such as method, category or dataset"
            )
    return clips
