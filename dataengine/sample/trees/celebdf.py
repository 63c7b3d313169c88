"""Celeb-DF v2 in miniature."""

from __future__ import annotations

import math

from dataengine.sample.identity import generator
from dataengine.sample.trees.base import Item, Shot, Tree

TEST_PART = 3
"""One in so many of Celeb-DF's identities. The official list takes a fifth of the reals; a miniature one would hardly
hold a test."""

CELEBRITIES = 60
"""At most; the real one has 59."""


def plan_celebdf(clips: int, seed: int) -> Tree:
    """Celeb-DF v2: three quarters of the reals are of celebrities, who swap in pairs; the others are YouTube's.

    As many fakes as reals: some celebrity clips, of the test list as far as it goes, get a second source. The list
    holds whole target identities.
    """
    famous = max(1, round(clips * 3 / 4))
    celebrities = min(CELEBRITIES, max(4, famous + famous % 2))

    def shot(celebrity: int, number: int) -> Shot:
        return Shot("celeb-df", f"id{celebrity}", f"id{celebrity}_{number:04d}")

    items, order = [], generator("test", seed).permutation((min(celebrities, famous) + 1) // 2).tolist()
    pairs = set(order[: math.ceil(len(order) / TEST_PART)])
    tested = {f"id{star}" for star in range(celebrities) if star // 2 in pairs}
    twice = sorted(range(famous), key=lambda i: (i % celebrities // 2 not in pairs, i))[: clips - famous]
    for i in range(famous):
        star, number = i % celebrities, i // celebrities
        target = shot(star, number)
        items.append(Item(f"Celeb-real/{target.name}.mp4", target))
        for other in (star ^ 1, (star + 2) % celebrities) if i in twice else (star ^ 1,):
            source = shot(other, 0)
            path = f"Celeb-synthesis/{target.identity}_{source.identity}_{number:04d}.mp4"
            items.append(Item(path, target, source, "Celeb-synthesis"))
    strangers = [Shot("celeb-df", f"youtube{i}", f"{i:05d}") for i in range(clips - famous)]
    items += [Item(f"YouTube-real/{shown.name}.mp4", shown) for shown in strangers]
    tested |= {shown.identity for shown in strangers[: math.ceil(len(strangers) / TEST_PART)]}
    listed = sorted(f"{int(not item.method)} {item.path}" for item in items if item.target.identity in tested)
    return Tree(tuple(items), {"List_of_testing_videos.txt": "".join(f"{line}\n" for line in listed)})
