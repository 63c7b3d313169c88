"""The whole search for what splits and stores share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dataengine.backends.slices import usable_cpus
from dataengine.leaks.contents import same_bytes
from dataengine.leaks.footage import OnImage, near_leaks, sign
from dataengine.leaks.material import gather
from dataengine.leaks.people import official_elsewhere, same_identities
from dataengine.leaks.records import LeakReport, Searched


def find_leaks(
    stores: Sequence[str],
    *,
    test_lists: Sequence[Path] = (),
    threads: int | None = None,
    on_image: OnImage | None = None,
) -> LeakReport:
    """What the splits of stores, here or behind URLs, share with each other: bytes, frames, identities, test clips.

    `stores` may be selections; the split `none` is left out. Every image is read and decoded once, on `threads`
    (None: all cores), `on_image(done, total)` after each few; what stays in memory is some 80 bytes an image.
    `test_lists` are files of official test clips: see `official_elsewhere`. Raises StoreError for a store that cannot
    be opened or is named twice, and for a list that cannot be read.
    """
    material = gather(stores)
    listed = official_elsewhere(material, test_lists)
    signed = sign(material, threads=threads or usable_cpus(), on_image=on_image)
    near, beside = near_leaks(material, signed)
    found = [*same_bytes(material), *near, *same_identities(material), *listed]
    return LeakReport(
        sides=tuple(
            Searched(name=side.name, clips=side.clips, images=side.images, beside_their_reals=int(count))
            for side, count in zip(material.sides, beside, strict=True)
        ),
        leaks=tuple(sorted(found, key=lambda leak: not leak.breaks)),
        plain=int(signed.plain[signed.readable].sum()),
        unreadable=int((~signed.readable).sum()),
        first_unreadable=signed.first_unreadable,
    )
