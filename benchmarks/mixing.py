"""How well each order mixes the classes of a batch, from class-sorted shards and from shards as dfx writes them.

20 classes of 1,000 images in 50 clips each, 40 shards, batches of 256: what DALI's pull request #6491 looked at.

`mixing` is the mean over batches of the total variation distance between the classes of a batch and those of the
whole (half the sum of |share in the batch - share in the whole|), divided by the mean distance of batches drawn at
random without replacement: 1 is as well mixed as a random draw, and 8.7 is a batch of a single class. `classes` is
the mean number of different classes in a batch, `top_two` the mean share of the two most frequent ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.figure import Figure

from dataengine.drawing import COLOURS, STYLE
from dataengine.order import Order, counter_hash, parse_policy, text_hash
from dataengine.plan import ConvertSettings, make_plan
from dataengine.records import Clip, sample_key

Ints = npt.NDArray[np.int64]

CLASSES, CLIPS, FRAMES, SHARD, BATCH, BUFFER, EPOCHS = 20, 50, 20, 500, 256, 1024, 10
LAYOUTS = {"sorted": "shards sorted by class", "dfx": "shards as dfx writes them"}


@dataclass(frozen=True, slots=True)
class Sorted:
    """Rows in shards, with the class of each."""

    classes: Ints
    shards: Ints

    def __len__(self) -> int:
        return len(self.classes)

    def identity(self) -> dict[str, list[str]]:
        """The classes themselves."""
        return {"fingerprints": [str(text_hash(str(self.classes.tolist())))]}

    def codes(self, name: str) -> tuple[Ints, list[str]]:
        """Of the classes alone."""
        assert name == "method"
        return self.classes, [str(i) for i in range(CLASSES)]

    def shard_sizes(self) -> Ints:
        """Rows of each shard."""
        return self.shards


def sorted_by_class() -> Sorted:
    """Class after class, as a folder tree is read."""
    size = CLASSES * CLIPS * FRAMES
    return Sorted(np.repeat(np.arange(CLASSES), CLIPS * FRAMES), np.full(size // SHARD, SHARD))


def as_written() -> Sorted:
    """Clips planned into shards and samples sorted in them as `dfx shard` does it."""
    made = [
        Clip(
            clip=f"made/{number:02d}/{clip:03d}",
            paths=tuple(f"{frame:03d}.jpg" for frame in range(FRAMES)),
            media="images",
            dataset="made",
            split="train",
            raw_method=str(number),
            method=str(number),
            category="",
            quality="",
            target_id="",
            source_id="",
        )
        for number in range(CLASSES)
        for clip in range(CLIPS)
    ]
    settings = ConvertSettings(shard_samples=SHARD)
    classes, sizes = [], []
    for shard in make_plan(made, settings).shards:
        keys = [(sample_key(clip.clip, frame), int(clip.method)) for clip in shard.clips for frame in range(FRAMES)]
        keys.sort(key=lambda key: (int(counter_hash(settings.seed, text_hash(key[0]))), key[0]))
        classes += [number for _, number in keys]
        sizes.append(len(keys))
    return Sorted(np.array(classes), np.array(sizes))


def buffered(rows: Sorted, seed: int) -> Ints:
    """A sequential read through a shuffle buffer: each place that is drawn is filled with the next sample."""
    random = np.random.default_rng(seed)
    buffer = list(range(BUFFER))
    out = []
    for row in range(BUFFER, len(rows)):
        place = int(random.integers(BUFFER))
        out.append(buffer[place])
        buffer[place] = row
    return np.array([*out, *random.permutation(buffer)])


def ordered(policy: str) -> Callable[[Sorted, int], Ints]:
    """An epoch under a policy of dfx."""

    def rows_of_epoch(rows: Sorted, seed: int) -> Ints:
        order = Order(parse_policy(policy), rows, seed)
        return order.rows(np.arange(order.length(0)), 0)

    return rows_of_epoch


READERS: dict[str, Callable[[Sorted, int], Ints]] = {
    "sequential": ordered("sequential"),
    f"shuffle buffer of {BUFFER:,}": buffered,
    "blocked, window 1": ordered("blocked:window=1"),
    "blocked, window 4": ordered("blocked:window=4"),
    "blocked, window 16": ordered("blocked:window=16"),
    "shuffled": ordered("shuffled"),
    "balanced": ordered("balanced"),
}


def shares(classes: Ints) -> npt.NDArray[np.float64]:
    """(batches, classes): each class's share of each whole batch."""
    batches = classes[: len(classes) // BATCH * BATCH].reshape(-1, BATCH)
    return (batches[:, :, None] == np.arange(CLASSES)).mean(axis=1)


def distance(of_batches: npt.NDArray[np.float64]) -> float:
    """Mean total variation distance to equal shares."""
    return float(abs(of_batches - 1 / CLASSES).sum(axis=1).mean() / 2)


def measure() -> list[dict[str, Any]]:
    """Each reader over both layouts, the mean of several epochs."""
    random = np.random.default_rng(0)
    layouts = {"sorted": sorted_by_class(), "dfx": as_written()}
    ideal = distance(np.concatenate([shares(random.permutation(layouts["sorted"].classes)) for _ in range(100)]))
    results = []
    for layout, rows in layouts.items():
        for reader, read in READERS.items():
            found = np.concatenate([shares(rows.classes[read(rows, seed)]) for seed in range(EPOCHS)])
            results.append(
                {
                    "layout": layout,
                    "reader": reader,
                    "mixing": distance(found) / ideal,
                    "classes": float((found > 0).sum(axis=1).mean()),
                    "top_two": float(np.sort(found, axis=1)[:, -2:].sum(axis=1).mean()),
                }
            )
    return results


def draw_figure(results: list[dict[str, Any]], path: Path) -> None:
    """Bars of `mixing` and of `classes` for each reader, both layouts side by side."""
    with rc_context(STYLE):
        figure = Figure(figsize=(10, 4), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        places = np.arange(len(READERS))
        for panel, value, title, target in (
            (panels[0], "mixing", "distance to the whole's classes (1: a random draw)", 1),
            (panels[1], "classes", f"classes in a batch of {BATCH} (of {CLASSES})", CLASSES),
        ):
            for shift, layout, colour in ((-0.2, "sorted", COLOURS[1]), (0.2, "dfx", COLOURS[0])):
                values = [result[value] for result in results if result["layout"] == layout]
                bars = panel.barh(places + shift, values, 0.38, color=colour, label=LAYOUTS[layout])
                panel.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
            panel.axvline(target, color="black", linewidth=0.8, linestyle=":")
            panel.set_title(title, fontsize=10)
            panel.margins(x=0.12)
            panel.xaxis.get_major_locator().set_params(integer=True)
            panel.spines[["top", "right"]].set_visible(False)
        panels[0].set_yticks(places, list(READERS))
        panels[0].invert_yaxis()
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
