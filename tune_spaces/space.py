"""What a search space is made of: choices and ranges, each with the reason for it.

Nothing here knows Ray or Optuna, so that a space can be read, narrowed and tested without them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from dataengine.errors import DfxError, unknown_name

Setting = str | int | float | bool | None
"""What one setting of a training may be in a space."""

Condition = tuple[str, Setting]
"""(setting, value): the dimension is searched only where that earlier setting has that value."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values."""

    options: tuple[Setting, ...]
    why: str
    """Why these, in a sentence."""
    when: Condition | None = None

    def __post_init__(self) -> None:
        if not self.options or len(set(self.options)) != len(self.options):
            raise ValueError(f"a choice needs different values, got {self.options}")

    def holds(self, value: Setting) -> bool:
        """Whether the dimension can take this value."""
        return value in self.options

    def as_text(self) -> str:
        """All that is drawn from, on one line."""
        return ", ".join(map(str, self.options)) + _only(self.when)


@dataclass(frozen=True, slots=True)
class Range:
    """A number from `low` to `high`, both in it."""

    low: float
    high: float
    why: str
    """Why these bounds, in a sentence."""
    log: bool = False
    """Drawn evenly on a logarithmic scale: for what works by its order of magnitude."""
    when: Condition | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"a range needs low < high, got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range must be above 0, got {self.low}")

    def holds(self, value: Setting) -> bool:
        """Whether the dimension can take this value."""
        return isinstance(value, int | float) and self.low <= value <= self.high

    def as_text(self) -> str:
        """All that is drawn from, on one line."""
        return f"{self.low} to {self.high}{' (logarithmic)' if self.log else ''}{_only(self.when)}"


def _only(when: Condition | None) -> str:
    return f" where {when[0]} is {when[1]}" if when else ""


Dimension = Choice | Range
Space = Mapping[str, Dimension]
"""Settings of a training, by their names in `TrainConfig`, in the order in which they are drawn."""

Settings = dict[str, Setting]
"""One point of a space."""


def draw(space: Space, ask: Callable[[str, Dimension], Setting]) -> Settings:
    """One point: `ask(name, dimension)` gives each value; a dimension whose condition is not met is left out."""
    settings: Settings = {}
    for name, dimension in space.items():
        if dimension.when is None or settings.get(dimension.when[0]) == dimension.when[1]:
            settings[name] = ask(name, dimension)
    return settings


def narrow(space: Space, keep: Mapping[str, Sequence[Setting]]) -> Space:
    """The space with only these values of some of its choices; an empty sequence keeps a choice as it is.

    A value that the space does not list is taken as well (any timm backbone may be asked for); what depends on a
    value that is now excluded goes too.
    """
    narrowed = dict(space)
    for name, values in keep.items():
        if name not in space:
            raise unknown_name("setting in the search space", name, space)
        dimension = space[name]
        if not isinstance(dimension, Choice):
            raise DfxError(f"'{name}' is a range in the search space, not a choice; edit the space to change it")
        if values:
            narrowed[name] = replace(dimension, options=tuple(dict.fromkeys(values)))

    def reachable(dimension: Dimension) -> bool:
        return dimension.when is None or narrowed[dimension.when[0]].holds(dimension.when[1])

    return {name: dimension for name, dimension in narrowed.items() if reachable(dimension)}


def grid(space: Space, names: Sequence[str]) -> list[Settings]:
    """Every combination of the named choices, the last one varying fastest; the other settings are left out."""
    choices: list[tuple[Setting, ...]] = []
    for name in names:
        dimension = space[name]
        if not isinstance(dimension, Choice):
            raise DfxError(f"'{name}' is a range in the search space: a grid takes choices only")
        choices.append(dimension.options)
    return [dict(zip(names, values, strict=True)) for values in product(*choices)]
