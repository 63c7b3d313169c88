"""What a model tells apart: the classes of a task, and the label of every row."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dataengine.errors import DfxError, unknown_name
from dataengine.records import REAL

if TYPE_CHECKING:
    from dataengine.selection import Rows

FAKE = "fake"
"""The second class of detection."""

TASKS = ("attribution", "detection")
"""attribution: real, or which method made the fake. detection: real or fake."""

TRANSFORMATION = "transformation"
"""The task of pre-training: which transformation an image went through (`trainers.dnadet`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxonomy:
    """The classes of a task, in the order of a model's outputs; the first is `real` for each of TASKS."""

    task: str
    """One of TASKS, or TRANSFORMATION."""
    classes: tuple[str, ...]
    """attribution: "real", then the canonical methods in sorted order. detection: "real", "fake"."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))

    def __str__(self) -> str:
        return f"{self.task} over {', '.join(self.classes)}"

    def as_dict(self) -> dict[str, object]:
        """JSON values: `Taxonomy(**taxonomy.as_dict())` is the same taxonomy."""
        return {"task": self.task, "classes": list(self.classes)}

    def labels(self, rows: Rows) -> npt.NDArray[np.int64]:
        """The class index of each row, shape (len(rows),); -1 for a method that the taxonomy does not hold."""
        if self.task == "detection":
            return rows.column("label").astype(np.int64)
        codes, names = rows.codes("method")
        place = {name: i for i, name in enumerate(self.classes)}
        index = np.array([place.get(name, -1) for name in names], dtype=np.int64)
        return index[codes]


def taxonomy_of(task: str, rows: Rows) -> Taxonomy:
    """The taxonomy of `task` over the training rows.

    Raises DfxError for an unknown task, and where the rows hold no real or no fake: such a model could not learn to
    tell anything.
    """
    if task not in TASKS:
        raise unknown_name("task", task, TASKS)
    _require_both(rows, "training")
    if task == "detection":
        return Taxonomy(task=task, classes=(REAL, FAKE))
    methods = set(rows.codes("method")[1]) - {REAL}
    return Taxonomy(task=task, classes=(REAL, *sorted(methods)))


def check_validation(taxonomy: Taxonomy, rows: Rows) -> None:
    """Raise DfxError where the validation rows cannot select a model of this taxonomy.

    They must hold reals and fakes, and no method that training has none of: it would be scored as a mistake of a
    model that was never shown it.
    """
    _require_both(rows, "validation")
    absent = int((taxonomy.labels(rows) < 0).sum())
    if absent:
        names = sorted(set(rows.codes("method")[1]) - set(taxonomy.classes))
        raise DfxError(
            f"{', '.join(names)} ({absent} samples) of {_named(rows)} is absent from the training split; "
            f"leave it out with a selection such as @method={','.join(taxonomy.classes)}"
        )


def _require_both(rows: Rows, what: str) -> None:
    count = Counter((rows.column("label") != 0).tolist())
    for fake, name in ((False, "real"), (True, "fake")):
        if not count[fake]:
            raise DfxError(
                f"the {what} selection {_named(rows)} holds no {name} sample ({len(rows)} of the other label); "
                f"select both, or add a store with {name}s"
            )


def _named(rows: Rows) -> str:
    return " + ".join(str(ref) for ref in rows.refs)
