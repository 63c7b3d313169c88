"""Class folders in miniature."""

from __future__ import annotations

from dataengine.sample.trees.base import FACE_METHODS, Item, Shot, Tree


def plan_folder(clips: int) -> Tree:
    """Class folders, as people sort their own data: no split files, identities in the names."""
    shots = [Shot("folder", f"p{i:03d}", f"p{i:03d}") for i in range(clips)]
    items = []
    for i, target in enumerate(shots):
        source = shots[(i ^ 1) if (i ^ 1) < clips else 0]
        items.append(Item(f"real/{target.name}.mp4", target))
        for method in FACE_METHODS:
            items.append(Item(f"{method}/{target.name}__{source.name}.mp4", target, source, method))
    return Tree(tuple(items))
