"""Whom a run was trained on, and which clips of a store show none of them.

Datasets share people where one is made from the other's videos (DeeperForensics and DF40 from FF++'s, DFDM and a part
of DF40 from Celeb-DF's), and each has splits of its own, so that a test clip of one may show a training identity of the
other. Identities are compared by name; people whom two datasets name differently are not recognised.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dataengine.errors import DfxError, StateError
from dataengine.records import REAL
from dataengine.selection import Rows, select
from dataengine.store import StoreRef, parse_ref
from trainers.run import Run, open_run

OF_CLIPS = ("clip", "group", "source_id", "label", "method")
"""The columns of the index that say who is in a clip, and what it is."""


def trained_groups(run: Run) -> set[str]:
    """The identity groups of a run's training rows: the people in the footage.

    Raises StateError where a store that it was trained on is unknown, not there any more or another now.
    """
    return _trained(run, "group")


def trained_people(run: Run) -> set[str]:
    """All whom a run's weights have seen: in the footage of its training rows and, where known, put into their fakes,
    and those of the runs that it started from. The validation rows, which move no weight, are not looked at.

    Raises StateError as `trained_groups` does, and where a run that it started from is not there any more.
    """
    people = (_trained(run, "group") | _trained(run, "source_id")) - {""}
    start = str(run.config["train"].get("weights", "none")).removeprefix("backbone:")
    if start in ("none", "imagenet") or Path(start).is_file():  # of a file nobody can say more
        return people
    try:
        return people | trained_people(open_run(start, weights=False, pretraining=True))
    except StateError as error:
        raise StateError(f"whom the weights that {run.path} started from have seen is not known: {error}") from None


def _trained(run: Run, column: str) -> set[str]:
    """The values of a column of the index in a run's training rows."""
    if not run.config["sources"]:
        raise StateError(f"{run.path} was imported: whom it was trained on is not known")
    found: set[str] = set()
    for source in run.config["sources"]:
        try:
            where = parse_ref("store" + source["selection"]).where  # the path itself may hold an @
            rows = select([StoreRef(source["path"], where)], split="train", columns=(column,))
        except DfxError as error:
            raise StateError(f"whom {run.path} was trained on is not known: {error}") from None
        if rows.fingerprints != (source["fingerprint"],):
            raise StateError(
                f"whom {run.path} was trained on is not known: {source['path']} holds other samples now; put the store "
                "of then there"
            )
        found.update(pc.unique(rows.table[column]).to_pylist())
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Strangers:
    """The clips of a selection that show nobody whom a run was trained on."""

    clips: pa.Array
    """Their names."""
    counts: dict[str, dict[str, int]]
    """For each method, real first, its clips: `kept`, and `left_out`."""
    source_unknown: int
    """Fakes among `clips` of which nobody knows who was put in."""

    def of(self, predictions: pa.Table) -> pa.Table:
        """The rows of a table of predictions that are of these clips; its metadata as they were."""
        return predictions.filter(pc.is_in(predictions["clip"], value_set=self.clips))

    def as_dict(self) -> dict[str, Any]:
        """For a result."""
        return {"clips": self.counts, "source_unknown": self.source_unknown}


def strangers(rows: Rows, trained: Set[str]) -> Strangers:
    """Of the selected rows, the clips in which neither the person in the footage (`group`) nor, in a fake, the one who
    was put in (`source_id`, where known) was trained on.

    Raises StateError where of the real clips, or of the fakes, that were there none is left.
    """
    table = rows.facts(OF_CLIPS).group_by(list(OF_CLIPS)).aggregate([])
    known = pa.array(sorted(trained), pa.string())
    seen = pc.or_(*(pc.is_in(table[name], value_set=known) for name in ("group", "source_id")))
    kept, left_out = table.filter(pc.invert(seen)), table.filter(seen)
    for label, word in enumerate(("real", "fake")):
        there, left = (pc.sum(pc.equal(part["label"], label)).as_py() or 0 for part in (table, kept))
        if there and not left:
            raise StateError(
                f"{rows.refs[0]}: each of its {there} {word} clips shows a person whom the run was trained on; "
                "score it without --unseen-people, or name a store of other people"
            )
    return Strangers(
        clips=kept["clip"].combine_chunks(),
        counts={
            method: {"kept": _num(kept, method), "left_out": _num(left_out, method)}
            for method in sorted(pc.unique(table["method"]).to_pylist(), key=lambda name: (name != REAL, name))
        },
        source_unknown=pc.sum(pc.and_(pc.equal(kept["label"], 1), pc.equal(kept["source_id"], ""))).as_py() or 0,
    )


def _num(clips: pa.Table, method: str) -> int:
    return int(pc.sum(pc.equal(clips["method"], method)).as_py() or 0)
