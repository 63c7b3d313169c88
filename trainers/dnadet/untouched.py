"""Whether a store's images still carry no compression but the one that pre-training puts on them."""

from __future__ import annotations

from collections import Counter

import numpy as np

from dataengine.errors import DfxError
from dataengine.selection import Rows
from dataengine.store import Store

LOSSLESS = frozenset({"png", "bmp", "tif", "tiff"})
"""Types of stored images that keep every pixel as it was given."""


def check_untouched(rows: Rows, *, force: bool = False) -> list[str]:
    """Refuse stores whose images are compressed: each of the 170 classes would be learnt on top of that compression.

    JPEG that dfx wrote when it cropped faces or took frames from videos, and originals that are JPEG (or WebP)
    themselves, count alike: a class "jpeg q=60" would be double compression, like the 24 classes that are meant to be.
    PNG and other lossless files pass. Whether a PNG was made from a JPEG, or from frames of a video, nobody can tell
    from the store.

    Raises DfxError, one line on the first such store. With `force` nothing is refused: what would have been is
    returned, a line for each store, for the caller to tell.
    """
    found = []
    stores = rows.column("store")
    types = np.array(rows.strings("ext"))
    for number, store in enumerate(rows.stores):
        count = Counter(types[stores == number].tolist())
        lossy = {name: there for name, there in count.items() if name not in LOSSLESS}
        if lossy:
            named = ", ".join(f"{there} {name}" for name, there in sorted(lossy.items()))
            found.append(f"{store.root} holds compressed images ({named} of {count.total()}): {_why(store)}")
    if found and not force:
        raise DfxError(f"{found[0]}; or force it, and the transformations are learnt on top of that compression")
    return found


def _why(store: Store) -> str:
    extract = store.meta["settings"].get("extract", {})
    if extract.get("faces", "none") != "none" and extract.get("codec") == "jpeg":
        return "`dfx shard` cropped faces into JPEG; convert again with --codec png"
    return "originals that are JPEG themselves, or frames of videos; convert PNG images with --faces none"
