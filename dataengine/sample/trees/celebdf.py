"""Celeb-DF v2 in miniature."""

from __future__ import annotations

from dataengine.sample.identity import generator
from dataengine.sample.trees.base import Item, Shot, Tree

TEST_SHARE = 1 / 2
"""Of Celeb-DF's identities. The official list takes a fifth of the reals; a miniature one would hardly hold a test."""


def plan_celebdf(clips: int, seed: int) -> Tree:
    """Celeb-DF v2: two thirds of the reals are of celebrities, who are swapped; the others are YouTube's.

    As many fakes as reals: some celebrity clips get a second source. The test list holds whole target identities.
    """
    famous = max(1, round(clips * 2 / 3))
    celebrities = max(3, (famous + 1) // 2)

    def shot(celebrity: int, number: int) -> Shot:
        return Shot("celeb-df", f"id{celebrity}", f"id{celebrity}_{number:04d}")

    items, order = [], generator("test", seed).permutation(min(celebrities, famous)).tolist()
    tested = {f"id{i}" for i in order[: max(1, round(TEST_SHARE * len(order)))]}
    for i in range(famous):
        target = shot(i % celebrities, i // celebrities)
        items.append(Item(f"Celeb-real/{target.name}.mp4", target))
        for other in range(1, 3 if i < clips - famous else 2):
            source = shot((i + other) % celebrities, 0)
            number = target.name.rpartition("_")[2]
            path = f"Celeb-synthesis/{target.identity}_{source.identity}_{number}.mp4"
            items.append(Item(path, target, source, "Celeb-synthesis"))
    strangers = [Shot("celeb-df", f"youtube{i}", f"{i:05d}") for i in range(clips - famous)]
    items += [Item(f"YouTube-real/{shown.name}.mp4", shown) for shown in strangers]
    tested |= {shown.identity for shown in strangers[: round(TEST_SHARE * len(strangers))]}
    listed = sorted(f"{int(not item.method)} {item.path}" for item in items if item.target.identity in tested)
    return Tree(tuple(items), {"List_of_testing_videos.txt": "".join(f"{line}\n" for line in listed)})
