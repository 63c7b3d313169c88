"""The streams of the soak: every policy, and what it promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.soak.promise import Check, by_class, by_store, few_frames, in_groups, in_order, once


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way to stream."""

    policy: str
    promise: Check
    both_stores: bool = False
    mode: Literal["train", "eval"] = "train"
    batch: int = 24
    gathered: bool = False
    worlds: tuple[int, ...] = (1, 2, 3, 4, 6)
    """World sizes to change between. Training: those that divide the batch, into whole groups where there are any."""

    @property
    def name(self) -> str:
        """For tables."""
        return f"{self.policy} ({self.mode})"


CASES = (
    Case(policy="shuffled", promise=once),
    Case(policy="sequential", promise=in_order, mode="eval", batch=25, both_stores=True, worlds=(1, 2, 3, 4, 5, 6)),
    Case(policy="balanced", promise=by_class("method")),
    Case(policy="blocked:window=4", promise=once, both_stores=True),
    Case(policy="groups:classes=2,per_class=3", promise=in_groups(2, 3), worlds=(1, 2, 4)),
    Case(policy="mixed:first=2,second=1", promise=by_store(2, 1), both_stores=True),
    Case(policy="shuffled:frames_per_clip=2", promise=few_frames(2)),
    Case(policy="groups:classes=3,per_class=4", promise=in_groups(3, 4), gathered=True, both_stores=True),
    Case(policy="mixed:first=2,second=1/balanced", promise=by_store(2, 1, balanced="method"), both_stores=True),
)
