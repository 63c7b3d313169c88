"""Clips by less than their whole names: as a user may ask for one, and as pictures are labelled."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow.compute as pc

from dataengine.errors import DfxError, unknown_name
from dataengine.store import Store

_NEAR_NAMES = 1000  # of hundreds of thousands of clips, those that a mistyped name is compared with
_CANDIDATES = 5


def clip_named(store: Store, ending: str) -> str:
    """The one clip of a store that is called `ending`, or whose name ends in it as parts of a path.

    Raises DfxError for none, naming near ones, and for several, naming some of them.
    """
    clips = store.clips(["clip"])["clip"]
    if pc.any(pc.equal(clips, ending)).as_py():
        return ending
    found = clips.filter(pc.ends_with(clips, f"/{ending}")).to_pylist()
    if len(found) == 1:
        return str(found[0])
    if found:
        more = f" and {len(found) - _CANDIDATES:,} more" if len(found) > _CANDIDATES else ""
        some = ", ".join(sorted(found)[:_CANDIDATES])
        raise DfxError(f"{len(found):,} clips end in '{ending}' ({some}{more}); give more of the name")
    last = ending.rpartition("/")[2]
    near = clips.filter(pc.match_substring(clips, last)) if len(clips) > _NEAR_NAMES else clips
    raise unknown_name("clip", ending, (near if len(near) else clips).slice(0, _NEAR_NAMES).to_pylist())


def short_names(clips: Iterable[str]) -> dict[str, str]:
    """Each clip with an ending of its name that is no other one's, of as few parts of the path as do for all."""
    every, parts = set(clips), 1
    while True:
        endings = {clip: "/".join(clip.split("/")[-parts:]) for clip in every}
        if len(set(endings.values())) == len(every):
            return endings
        parts += 1
