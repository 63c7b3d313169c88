"""The same bytes in two splits or two stores."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from dataengine.leaks.material import Material
from dataengine.leaks.records import NUM_EXAMPLES, Leak


def same_bytes(material: Material) -> list[Leak]:
    """One leak for each two sides that hold images of equal xxh3 and size; bytes are not read again."""
    order = np.lexsort((material.size, material.xxh3))
    hashes, sizes = material.xxh3[order], material.size[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (sizes[1:] != sizes[:-1])
    content = np.cumsum(new) - 1
    often = np.bincount(content)[content] > 1
    order, content = order[often], content[often]
    side = np.array([place.side for place in material.places], dtype=np.int64)[material.place[order]]
    leaks = []
    for a, b in combinations(range(len(material.sides)), 2):
        held = [np.unique(content[side == one], return_index=True) for one in (a, b)]
        common, at_a, at_b = np.intersect1d(held[0][0], held[1][0], assume_unique=True, return_indices=True)
        if not len(common):
            continue
        firsts = zip(
            order[side == a][held[0][1][at_a]][:NUM_EXAMPLES].tolist(),
            order[side == b][held[1][1][at_b]][:NUM_EXAMPLES].tolist(),
            strict=True,
        )
        concerned = np.isin(content, common)
        clips = [len(np.unique(material.place[order[concerned & (side == one)]])) for one in (a, b)]
        leaks.append(
            Leak(
                kind="bytes",
                sides=(material.sides[a].name, material.sides[b].name),
                count=len(common),
                clips=(clips[0], clips[1]),
                breaks=material.sides[a].tests(material.sides[b]),
                examples=tuple((material.example(i), material.example(j)) for i, j in firsts),
            )
        )
    return leaks
