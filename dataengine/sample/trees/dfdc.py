"""DFDC in miniature."""

from __future__ import annotations

import json
from collections import defaultdict

from dataengine.sample.identity import generator
from dataengine.sample.trees.base import Item, Shot, Tree
from dataengine.splits import split_sizes

PARTS = 2


def plan_dfdc(clips: int, seed: int) -> Tree:
    """DFDC: training parts with originals, a validation set with a table of labels, a test set with both kinds of list.

    As in the real one, names are random letters, a fake names its original, and a video that a list names is missing.
    """
    sizes = split_sizes(clips)
    places = [f"dfdc_train_part_{i % PARTS}" for i in range(sizes["train"])]
    places += ["validation"] * sizes["val"] + ["test"] * sizes["test"]
    shots = [Shot("dfdc", f"actor{i}", f"{i:04d}") for i in range(clips)]
    items: list[Item] = []
    parts: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    labels: dict[str, dict[str, int]] = defaultdict(dict)
    for i, place in enumerate(places):
        real, fake = (_name(kind, i, seed) for kind in ("real", "fake"))
        items.append(Item(f"{place}/{real}", shots[i]))
        items.append(Item(f"{place}/{fake}", shots[i], shots[(i + 1) % clips], "Deepfakes"))
        if place in ("validation", "test"):
            labels[place] |= {real: 0, fake: 1}
        else:
            parts[place][real] = {"label": "REAL", "split": "train"}
            parts[place][fake] = {"label": "FAKE", "split": "train", "original": real}
    parts["dfdc_train_part_0"][_name("gone", 0, seed)] = {"label": "REAL", "split": "train"}
    lists = {f"{place}/metadata.json": json.dumps(entries) + "\n" for place, entries in sorted(parts.items())}
    for place, flags in labels.items():
        lists[f"{place}/labels.csv"] = "filename,label\n" + "".join(f"{name},{flag}\n" for name, flag in flags.items())
    if "test" in labels:
        lists["test/metadata.json"] = json.dumps({name: {"is_fake": flag} for name, flag in labels["test"].items()})
    return Tree(tuple(items), lists)


def _name(kind: str, number: int, seed: int) -> str:
    letters = generator("dfdc", seed, kind, number).integers(0, 26, 10)
    return "".join(chr(ord("a") + int(letter)) for letter in letters) + ".mp4"
