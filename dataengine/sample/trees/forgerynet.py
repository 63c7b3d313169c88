"""ForgeryNet in miniature."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

from dataengine.sample.identity import generator
from dataengine.sample.trees.base import Item, Shot, Tree
from dataengine.splits import split_sizes

MADE_BY = {1: "FaceShifter", 3: "Deepfakes", 4: "FaceSwap", 7: "NeuralTextures", 10: "Face2Face"}
"""Some of the classes, and whose pixels stand in for them."""
FOLDERS = {0: 16, 1: 5, 3: 9, 4: 6, 7: 2, 10: 13}
"""The numbered folder of a class, which is not its number."""
THREE = {0: 0, 1: 2, 3: 2, 4: 2, 7: 1, 10: 1}
FRAME = "frame{:05d}"
IMAGES = 2
"""From a recording of as many frames, in the image lists, which name each."""

LEAST = 10
"""Frames of a video that is manipulated in part: room for two segments and for real frames around them."""


def plan_forgerynet(clips: int, frames: int, seed: int) -> Tree:
    """ForgeryNet: every other recording gives images instead of videos; every other fake is manipulated in part.

    The segments of a fake need ten frames; of shorter videos, all are manipulated as a whole.
    """
    validation = clips - split_sizes(clips)["test"]
    shots = [Shot("forgerynet", f"person{i}", _hash("recording", i, seed)) for i in range(clips)]
    items: list[Item] = []
    lists: dict[str, list[str]] = defaultdict(list)
    for i, shot in enumerate(shots):
        side, release = ("Validation", "val") if i >= validation else ("Training", "train")
        source = shots[(i + 1) % clips]
        for number in FOLDERS:
            method = MADE_BY.get(number, "")
            labels = f"{int(number > 0)} {THREE[number]} {number}"
            name = f"{FOLDERS[number]}/{shot.name}"
            who = (shot, source if method else None, method)
            if i % 2:
                name = f"{release}_release/{name}/{_hash(method, i, seed)}"
                images = min(IMAGES, frames)
                items.append(Item(f"{side}/image/{name}", *who, form="frames", frames=images, frame=FRAME))
                lists[f"{side}/image_list.txt"] += [f"{name}/{FRAME.format(k)}.jpg {labels}" for k in range(images)]
            else:
                name = f"{release}_video_release/{name}.mp4"
                in_part = method and frames >= LEAST and (i // 2 + number) % 2
                fake = _segments(number, i, frames, seed) if in_part else ()
                items.append(Item(f"{side}/video/{name}", *who, segments=fake))
                parts = _parts(fake, frames) if fake else [(0, frames, int(number > 0))]
                told = " ".join(f"{start} {stop - start} {flag}" for start, stop, flag in parts)
                lists[f"{side}/video_list.txt"].append(f"{len(parts)} {name} {told} {labels}")
    return Tree(tuple(items), {path: "".join(f"{line}\n" for line in lines) for path, lines in lists.items()})


def _segments(number: int, recording: int, frames: int, seed: int) -> tuple[tuple[int, int], ...]:
    """Where a video is fake: two segments that begin at random, real frames before, between and behind them."""
    start, gap = generator("segments", seed, recording, number).integers(1, 3, 2).tolist()
    return (start, start + 4), (start + 4 + gap, max(frames * 5 // 6, start + gap + 5))


def _parts(fake: tuple[tuple[int, int], ...], frames: int) -> list[tuple[int, int, int]]:
    """All segments of a video, each [start, stop) with 1 for fake."""
    bounds = [0, *(bound for segment in fake for bound in segment), frames]
    return [(start, stop, k % 2) for k, (start, stop) in enumerate(pairwise(bounds))]


def _hash(what: str, number: int, seed: int) -> str:
    return generator("forgerynet", seed, what, number).bytes(16).hex()
