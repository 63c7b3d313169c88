"""Derived splits, which assign identities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from dataengine.order import counter_hash, text_hash
from dataengine.records import Clip

SHARE = 0.14
"""Of the identities, in val and in test each; FF++'s own official share."""

LEAST_TEST, LEAST_VAL = 12, 6
"""Identities that small datasets put into test and val, up to 30 % and 15 % of theirs: no interval is given for a test
split of fewer than ten."""


LARGEST_CIRCLE = 0.05
"""Share of the identities above which a circle of them is not dealt as one: the splits would miss their sizes."""


def split_sizes(identities: int) -> dict[str, int]:
    """How many of so many identities go into train, val and test; each gets one where there are three."""
    test = max(round(SHARE * identities), min(LEAST_TEST, identities * 3 // 10), int(identities > 2))
    val = max(round(SHARE * identities), min(LEAST_VAL, identities * 15 // 100), int(identities > 1))
    return {"train": identities - val - test, "val": val, "test": test}


def derive(clips: Sequence[Clip], seed: int) -> list[Clip]:
    """Give every clip whose split is "" one, by identity; clips that have one keep it, and a split that is official
    for some of a dataset's clips gets no others.

    Identities are put in an order keyed by `seed` and dealt out (`split_sizes`). Those that swap faces in small
    circles of their own, as FF++'s pairs do, are dealt together. Where circles are large, a fake whose target and
    source fall in different splits gets "none" instead: joining clips that share an identity transitively would make
    DFD or Celeb-DF one single group. Either way no identity is in two derived splits; what a derived split shares with
    an official one is counted (`shared_identities`).
    """
    open_clips = [clip for clip in clips if not clip.split]
    split_of: dict[str, str] = {}
    for dataset in {clip.dataset for clip in open_clips}:
        official = {clip.split for clip in clips if clip.dataset == dataset and clip.split}
        split_of |= _deal(_circles([clip for clip in open_clips if clip.dataset == dataset]), seed, official)

    def given(clip: Clip) -> str:
        target = split_of[clip.target_id]
        return target if not clip.source_id or split_of[clip.source_id] == target else "none"

    return [clip if clip.split else replace(clip, split=given(clip)) for clip in clips]


def _circles(clips: Sequence[Clip]) -> list[list[str]]:
    """What is dealt together: circles of identities that swap faces, or single identities where circles are large."""
    circle_of: dict[str, list[str]] = {}
    for clip in clips:
        circles = [circle_of.setdefault(name, [name]) for name in (clip.target_id, clip.source_id) if name]
        if circles[0] is not circles[-1]:
            circles[0].extend(circles[-1])
            circle_of.update(dict.fromkeys(circles[-1], circles[0]))
    circles = list({id(circle): circle for circle in circle_of.values()}.values())
    largest = max((len(circle) for circle in circles), default=0)
    if len(circles) >= 3 and largest <= max(2, LARGEST_CIRCLE * len(circle_of)):
        return circles
    return [[name] for name in circle_of]


def _deal(circles: list[list[str]], seed: int, official: set[str]) -> dict[str, str]:
    """Deal circles to the splits that are not official: nothing is added to one that is."""

    def rank(circle: list[str]) -> tuple[int, str]:
        first = min(circle)
        return int(counter_hash(seed, text_hash(first))), first

    left = {split: size for split, size in split_sizes(sum(map(len, circles))).items() if split not in official}
    split_of: dict[str, str] = {}
    for circle in sorted(circles, key=rank):
        split = next((split for split in ("test", "val") if left.get(split, 0) > 0), "train")
        left[split] = left.get(split, 0) - len(circle)
        split_of.update(dict.fromkeys(circle, split))
    return split_of


class Placed(Protocol):
    """What has identities and stands in a split: a clip, or a row of clips.parquet."""

    @property
    def split(self) -> str: ...
    @property
    def target_id(self) -> str: ...
    @property
    def source_id(self) -> str: ...


def shared_identities(clips: Iterable[Placed]) -> dict[str, int]:
    """How many identities each pair of splits has in common, as {"train+test": 12}; pairs without are left out."""
    seen: dict[str, set[str]] = {"train": set(), "val": set(), "test": set()}
    for clip in clips:
        if clip.split in seen:
            seen[clip.split].update(name for name in (clip.target_id, clip.source_id) if name)
    pairs = (("train", "val"), ("train", "test"), ("val", "test"))
    return {f"{a}+{b}": len(seen[a] & seen[b]) for a, b in pairs if seen[a] & seen[b]}
