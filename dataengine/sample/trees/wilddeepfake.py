"""WildDeepfake in miniature."""

from __future__ import annotations

from dataengine.sample.trees.base import Item, Shot, Tree


def plan_wilddeepfake(clips: int) -> Tree:
    """WildDeepfake: an archive for each person, with up to two sequences of faces; every other person is test.

    As the released ones, the archives are plain tars that are called .tar.gz, and frame 10 comes after frame 9.
    """
    people = (clips + 1) // 2
    items = []
    for i in range(clips):
        person = i // 2
        target = Shot("wilddeepfake", f"p{person}", f"p{person}-{i % 2}")
        source = Shot("wilddeepfake", f"p{people + person}", f"p{people + person}")
        for label, number in (("real", i), ("fake", clips + i)):
            fake = label == "fake"
            shard = person + 1
            items.append(
                Item(
                    f"{shard}/{label}/{number}",
                    target,
                    source if fake else None,
                    "Deepfakes" if fake else "",
                    form="faces",
                    archive=f"deepfake_in_the_wild/{label} {'test' if person % 2 else 'train'}/{shard}.tar.gz",
                    frame="{}",
                )
            )
    return Tree(tuple(items))
