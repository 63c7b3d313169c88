"""The predictions that a run holds, found by what they are of, with or without the store."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataengine.errors import StateError
from dataengine.place import place_of
from dataengine.store import StoreRef, parse_ref
from trainers.run import PREDICTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A file of predictions."""

    path: Path
    facts: dict[str, Any]
    """What it is of: store, ref, selection, split, fingerprint, task, classes (`predict.write_predictions`)."""


def stored_predictions(run: Path) -> tuple[Stored, ...]:
    """Every file of predictions in a run folder, by name. Raises StateError where one is damaged."""
    found = []
    for path in sorted((run / PREDICTIONS).glob("*.parquet")):
        try:
            facts = json.loads(pq.read_schema(path).metadata[b"dfx"])
        except (pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError):
            raise StateError(f"{path} holds no predictions; delete it and predict again") from None
        found.append(Stored(path=path, facts=facts))
    return tuple(found)


def find_stored(run: Path, ref: str, split: str) -> Stored | None:
    """The predictions of a store reference, told by the store's name, the selection and the split; None: not there.

    `split` is what the reference selects where it names none itself. Raises StateError where predictions of two stores
    of that name are there, and the reference as it was written tells neither.
    """
    parsed = parse_ref(ref)
    where = dict(parsed.where)
    splits = where.pop("split", (split,))
    selection = StoreRef("", tuple(sorted(where.items()))).selection
    wanted = (place_of(parsed.path).resolve().name, selection, "+".join(splits))
    found = [s for s in stored_predictions(run) if (s.facts["store"], s.facts["selection"], s.facts["split"]) == wanted]
    if len(found) > 1:
        text = str(StoreRef(parsed.path, tuple(sorted({**where, "split": splits}.items()))))
        exact = [stored for stored in found if stored.facts["ref"] == text]
        if len(exact) != 1:
            refs = ", ".join(stored.facts["ref"] for stored in found)
            raise StateError(f"{run} holds predictions of several stores called {wanted[0]}; name one of {refs}")
        found = exact
    return found[0] if found else None
