"""How an epoch runs through the selected rows: one dataclass a policy, each a promise of how often what is seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from fractions import Fraction
from typing import ClassVar

import pyarrow as pa

from dataengine.errors import DfxError, unknown_name
from dataengine.records import INDEX_SCHEMA

CLASS_COLUMNS = ("label", *(field.name for field in INDEX_SCHEMA if pa.types.is_string(field.type)))
"""Columns of the index whose values can be classes: names, and the label."""

_MAX_PERIOD = 1 << 16
_MAX_NUMBER = 1 << 48  # positions are int64, and products of two settings must be


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What all policies have in common. `str(policy)` is their one serial form: see `parse_policy`.

    An epoch runs through *items*: all rows, or with `frames_per_clip=k` min(k, frames of the clip) different frames
    of each clip, other ones each epoch.
    """

    name: ClassVar[str] = ""

    frames_per_clip: int | None = None
    """At most so many frames of a clip an epoch; None: all."""

    def __post_init__(self) -> None:
        for field in ("frames_per_clip", "window", "classes", "per_class", "length"):
            value = getattr(self, field, None)
            if value is not None and not 1 <= value < _MAX_NUMBER:
                raise DfxError(f"policy {self.name}: {field} is {value}; give a number of at least 1, below 2**48")
        if hasattr(self, "by"):
            _check_by(self.name, self.by)
            object.__setattr__(self, "by", tuple(self.by))

    @property
    def group(self) -> int:
        """Positions that belong together: a batch must hold whole groups."""
        return 1

    def __str__(self) -> str:
        """The policy's name and what differs from the defaults, so that a new setting leaves old texts as they are."""
        settings = []
        for field in sorted(fields(self), key=lambda field: field.name in Policy.__slots__):  # the policy's own first
            value = getattr(self, field.name)
            if field.default is MISSING or value != field.default:
                settings.append(f"{field.name}={'+'.join(value) if isinstance(value, tuple) else value}")
        return f"{self.name}:{','.join(settings)}" if settings else self.name


def _check_by(policy: str, by: tuple[str, ...]) -> None:
    if isinstance(by, str):
        raise DfxError(f"policy {policy}: by is the text '{by}'; give a tuple of columns, such as ('{by}',)")
    if not by or len(set(by)) < len(by):
        raise DfxError(f"policy {policy}: by is '{'+'.join(by)}'; name at least one column, and each once")
    for column in by:
        if column in INDEX_SCHEMA.names and column not in CLASS_COLUMNS:
            raise DfxError(
                f"policy {policy}: by names '{column}', whose numbers are no classes; "
                "name a column such as method, category, dataset or label"
            )
        if column not in CLASS_COLUMNS:
            raise unknown_name("column", column, CLASS_COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequential(Policy):
    """Each item once, in the store's order; clips limited by `frames_per_clip` stand where their first row does."""

    name: ClassVar[str] = "sequential"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shuffled(Policy):
    """Each item once, in a new random order each epoch."""

    name: ClassVar[str] = "shuffled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked(Policy):
    """Each item once: shards in a new order each epoch, and the items of each `window` consecutive ones shuffled among
    themselves. At any time the stream reads from one window's shards, which suits remote stores and spinning disks.

    With `frames_per_clip` a clip's items belong to the shard that holds its first row.
    """

    name: ClassVar[str] = "blocked"

    window: int = 8
    """Shards that are open at a time. The stream is mixed as well as a draw of so many shards from the store is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balanced(Policy):
    """Every run of C positions, from a multiple of C on, holds each of the C classes once, in an order of its own.

    The visits of a class go through all of its items before one comes again, in a new order each time: they differ
    by at most one visit in an epoch, and a small class comes again more often than a large one.
    """

    name: ClassVar[str] = "balanced"

    by: tuple[str, ...] = ("method",)
    """Columns of the index: the classes are the distinct combinations of their values among the rows."""
    length: int | None = None
    """Positions in an epoch; None: as many as there are items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups(Policy):
    """Groups of `classes` different classes times `per_class` items, a class's items side by side: what contrastive
    losses compare. An epoch is `length` or the number of items, rounded down to whole groups.

    With C classes every C / gcd(C, classes) groups, from a multiple of that on, hold each class equally often. A
    class's items in a group are of different clips where it has `per_class` clips, else each of its M clips comes
    per_class / M times, rounded up or down; over M / gcd(M, per_class) visits of the class, each clip comes equally
    often. The visits of a clip go through all of its frames (those of `frames_per_clip`) before one comes again.
    """

    name: ClassVar[str] = "groups"

    classes: int
    """Different classes in a group."""
    per_class: int
    """Items of each of them."""
    by: tuple[str, ...] = ("method",)
    """Columns of the index: the classes are the distinct combinations of their values among the rows."""
    length: int | None = None
    """Positions in an epoch; None: as many as there are items. Rounded down to whole groups."""

    @property
    def group(self) -> int:
        """Positions of a group."""
        return self.classes * self.per_class


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed(Policy):
    """Several stores, each served in proportion to its weight, as evenly as whole positions allow.

    With weights as whole numbers c_s without a common divisor and T their sum, every T positions, from a multiple of
    T on, hold c_s of store s, spread out: its j-th stands where (j + 1/2) / c_s ranks among all, equals in the order
    of `weights`. The visits of a store run through epochs of `within`, over its rows alone, one after the other.
    """

    name: ClassVar[str] = "mixed"

    weights: tuple[tuple[str, float], ...]
    """(name of a store, its weight above 0), also taken as a mapping; only the weights' ratios count."""
    within: Policy = Shuffled()
    """The policy in each store: sequential, shuffled, blocked or balanced."""
    length: int | None = None
    """Positions in an epoch; None: as many as the stores' own epochs have in all."""

    def __post_init__(self) -> None:
        given = self.weights.items() if isinstance(self.weights, Mapping) else self.weights
        object.__setattr__(self, "weights", tuple((name, float(weight)) for name, weight in given))
        if not isinstance(self.within, Sequential | Shuffled | Blocked | Balanced):
            why = {
                "groups": "a group would be torn apart by the stores' turns",
                "mixed": "weights of all stores in one mixture say the same",
            }.get(self.within.name, "it is none")
            raise DfxError(f"policy mixed: '{self.within.name}' cannot be the policy within a store: {why}")
        Policy.__post_init__(self)
        self._share_frames_per_clip()
        _check_names([name for name, _ in self.weights])
        self.counts()

    def _share_frames_per_clip(self) -> None:
        ours, theirs = self.frames_per_clip, self.within.frames_per_clip
        if None not in (ours, theirs) and ours != theirs:
            raise DfxError(f"policy mixed: frames_per_clip is {ours}, and {theirs} within the stores; give it once")
        object.__setattr__(self, "frames_per_clip", ours or theirs)
        object.__setattr__(self, "within", replace(self.within, frames_per_clip=ours or theirs))

    def counts(self) -> list[int]:
        """How many of each T positions are each store's: the weights as whole numbers without a common divisor.

        Ratios are taken to the nearest fraction with a denominator of at most 65,536. Raises DfxError for weights
        that are not above 0, or whose T is above 65,536.
        """
        for name, weight in self.weights:
            if not (weight > 0 and math.isfinite(weight)):
                raise DfxError(f"policy mixed: the weight of '{name}' is {weight:g}; give a number above 0")
        exact = [Fraction(repr(weight)) for _, weight in self.weights]
        shares = [(weight / max(exact)).limit_denominator(_MAX_PERIOD) for weight in exact]
        scale = math.lcm(*(share.denominator for share in shares))
        counts = [int(share * scale) for share in shares]
        common = math.gcd(*counts)
        if not min(counts) or sum(counts) // common > _MAX_PERIOD:
            raise DfxError(
                f"policy mixed: weights {', '.join(f'{weight:g}' for _, weight in self.weights)} repeat only after "
                f"more than {_MAX_PERIOD:,} positions; round them to a simpler ratio, such as 3 to 1"
            )
        return [count // common for count in counts]

    def __str__(self) -> str:
        """As in `Policy`, the stores first and a policy within that is not the default one last, after a '/'."""
        settings = [f"{name}={repr(weight).removesuffix('.0')}" for name, weight in self.weights]
        if self.length is not None:
            settings.append(f"length={self.length}")
        within = str(self.within)
        return f"mixed:{','.join(settings)}" + ("" if within == Shuffled.name else f"/{within}")


def _check_names(names: list[str]) -> None:
    if not names:
        raise DfxError("policy mixed: no store has a weight; give one for each store, such as ff++=2,celeb-df=1")
    for name in names:
        if not name or name != name.strip() or set(name) & set("/=,"):
            raise DfxError(f"policy mixed: '{name}' is no store's name; name stores by their folder's last part")
        if name in ("length", "frames_per_clip"):
            raise DfxError(f"policy mixed: a store named '{name}' would be taken for a setting; rename its folder")
        if names.count(name) > 1:
            raise DfxError(f"policy mixed: '{name}' has two weights; give one for each store")
