"""Splits: official ones kept as they are, derived ones that assign identities."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dataengine.errors import LayoutError
from dataengine.order import counter_hash, text_hash
from dataengine.records import Clip

SHARE = 0.14
"""Of the identities, in val and in test each; FF++'s own official share."""

LEAST_TEST, LEAST_VAL = 12, 6
"""Identities that small datasets put into test and val, up to 30 % and 15 % of theirs: no interval is given for a test
split of fewer than ten."""


def split_sizes(identities: int) -> dict[str, int]:
    """How many of so many identities go into train, val and test; each gets one where there are three."""
    test = max(round(SHARE * identities), min(LEAST_TEST, identities * 3 // 10), int(identities > 2))
    val = max(round(SHARE * identities), min(LEAST_VAL, identities * 15 // 100), int(identities > 1))
    return {"train": identities - val - test, "val": val, "test": test}


def official_pairs(folder: Path) -> dict[str, str]:
    """Read FF++'s {train,val,test}.json, lists of [id, id] pairs: the split of each id.

    Raises LayoutError where a file is missing or malformed, or an id stands in two splits.
    """
    split_of: dict[str, str] = {}
    for split in ("train", "val", "test"):
        path = folder / f"{split}.json"
        try:
            pairs = json.loads(path.read_text())
        except FileNotFoundError:
            raise LayoutError(
                f"{path} is missing; get the official split files from the dataset's repository and put them in "
                f"{folder}, or name their folder with --splits DIR"
            ) from None
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise LayoutError(f"{path} is not valid JSON; get the official split file again") from None
        if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
            raise LayoutError(f"{path} is not a list of [id, id] pairs; get the official split file again")
        for identity in (str(member) for pair in pairs for member in pair):
            if split_of.setdefault(identity, split) != split:
                raise LayoutError(f"{path} lists {identity}, which is in {split_of[identity]}.json too")
    return split_of


def derive(clips: Sequence[Clip], seed: int) -> list[Clip]:
    """Give every clip whose split is "" one, by identity; clips that have one keep it.

    Identities are put in an order keyed by `seed` and dealt out (`split_sizes`). A fake whose target and source fall in
    different splits gets "none", so that no identity is in two of the others. (Joining clips that share an identity
    transitively would make DFD or Celeb-DF one single group.)
    """
    open_clips = [clip for clip in clips if not clip.split]
    identities = {name for clip in open_clips for name in (clip.target_id, clip.source_id) if name}
    split_of = _deal(identities, seed)

    def given(clip: Clip) -> str:
        target = split_of[clip.target_id]
        return target if not clip.source_id or split_of[clip.source_id] == target else "none"

    return [clip if clip.split else replace(clip, split=given(clip)) for clip in clips]


def _deal(identities: set[str], seed: int) -> Mapping[str, str]:
    ranked = sorted(identities, key=lambda name: (int(counter_hash(seed, text_hash(name))), name))
    dealt = iter(ranked)
    return {next(dealt): split for split, size in split_sizes(len(ranked)).items() for _ in range(size)}


def shared_identities(clips: Sequence[Clip]) -> dict[str, int]:
    """How many identities each pair of splits has in common, as {"train+test": 12}; pairs without are left out."""
    seen: dict[str, set[str]] = {"train": set(), "val": set(), "test": set()}
    for clip in clips:
        if clip.split in seen:
            seen[clip.split].update(name for name in (clip.target_id, clip.source_id) if name)
    pairs = (("train", "val"), ("train", "test"), ("val", "test"))
    return {f"{a}+{b}": len(seen[a] & seen[b]) for a, b in pairs if seen[a] & seen[b]}
