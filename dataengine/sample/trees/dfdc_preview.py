"""The DFDC preview in miniature."""

from __future__ import annotations

import json
from typing import Any

from dataengine.sample.identity import generator
from dataengine.sample.trees.base import Item, Shot, Tree

MADE_BY = {"method_A": "DeepFakeDetection", "method_B": "Deepfakes"}
"""Whose pixels stand in for the two methods, which are not published."""


def plan_dfdc_preview(clips: int, seed: int) -> Tree:
    """The DFDC preview: two recordings of each person; they swap in pairs, every third pair in the test set."""
    people = max(2, (clips + 1) // 2)
    numbers = sorted(set(generator("dfdc-preview", seed).integers(100_000, 2_000_000, 4 * people).tolist()))[:people]

    def shot(person: int, scene: int) -> Shot:
        return Shot("dfdc-preview", str(numbers[person]), f"{numbers[person]}_{chr(ord('A') + scene)}")

    items, entries = [], {}
    for i in range(clips):
        person, scene = i % people, i // people
        partner = person ^ 1 if person ^ 1 < people else person - 1
        target, source = shot(person, scene), shot(partner, 0)
        tested = person // 2 % 3 == 1
        about: dict[str, Any] = {
            "set": "test" if tested else "train",
            "target_id": target.identity,
            "augmentations": ["resolution"] if tested and scene else [],
        }
        path = f"original_videos/{target.identity}/{target.name}_001.mp4"
        items.append(Item(path, target))
        entries[path] = {"label": "real", **about, "swapped_id": None}
        for folder, method in MADE_BY.items():
            name = f"{source.identity}_{target.name}_001.mp4"
            path = f"{folder}/{target.identity}/{target.name}/{name}"
            items.append(Item(path, target, source, method))
            entries[path] = {"label": "fake", **about, "swapped_id": source.identity}
    return Tree(tuple(items), {"dataset.json": json.dumps(entries, indent=1) + "\n"})
