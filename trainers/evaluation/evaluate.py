"""A finished run on the stores it is asked about: predictions, then every score with its interval.

Scoring reads predictions (`assess`), so that any table can be remade from a run folder without a GPU, the weights or
the stores; `evaluate` adds the predictions that are missing, and what only the stores can tell: whether people are
shared with training.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dataengine.errors import DfxError, StateError, StoreError, unknown_name
from dataengine.place import place_of
from dataengine.selection import select
from dataengine.store import DATASET_FILE, file_sha256, parse_ref
from trainers.checkpoint import write_json, write_whole
from trainers.dnadet.protocols import relabel
from trainers.evaluation.assess import assess, levels_of
from trainers.evaluation.people import OF_CLIPS, Strangers, strangers, trained_groups, trained_people
from trainers.evaluation.reliability import draw_reliability
from trainers.evaluation.source import Source, source_of
from trainers.evaluation.stored import Stored, find_stored, stored_predictions
from trainers.metrics import CLIPS, scored
from trainers.predict import predict, prediction_path, read_predictions
from trainers.run import WEIGHTS_FILE, Run, open_run

EVALUATIONS = "evaluations"
"""The run's folder of results as JSON, a file for each file of predictions, with the weights that made it."""

OnProgress = Callable[[str, int, int], None]
"""Called with (store reference, samples predicted, samples in all)."""


def evaluate(
    path: str | Path,
    refs: Sequence[str] = (),
    *,
    split: str = "test",
    clips: str = "mean",
    counts_as: Mapping[str, str] | None = None,
    unseen_people: bool = False,
    figures: bool = False,
    device: str = "auto",
    backend: str = "auto",
    batch: int = 64,
    threads: int | None = None,
    resamples: int = 1000,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> list[dict[str, Any]]:
    """Score a finished run on each store reference, in their order; JSON-able, with stable keys. Without a reference:
    on all that the run holds predictions of, by file name.

    Each result holds run, store, ref, split, selection, fingerprint, task, classes, weights (sha256 of those that made
    the predictions, null where no record says), what `assess` gives, two warnings: `seen_in_training` (the store was
    trained on, if another split of it) and `groups_shared_with_training` (identity groups that were trained on as well;
    null where a source's store is not where it was; both null for an imported run, which does not know its sources),
    `source` (what the source's validation predictions gave), `counts_as` (the trained class that a method was scored
    as, as it was given; see `trainers.dnadet.protocols`), `unseen_people` (null where all rows were scored),
    `checked`: whether the `store` was there and still holds what was predicted, and whether the `weights` there made
    the predictions; and `figure`, the reliability diagram that `figures` writes, by its name in the run. The result is
    also written to `evaluations/` in the run.

    With `unseen_people` only clips of people who were not trained on are scored (`people.strangers`), and the result's
    `unseen_people` counts the clips of each method that were `kept` and `left_out`, and the fakes whose source is not
    known. Predictions stay whole, and such a result lies beside the plain one.

    Predictions made by the same weights of the same samples are taken as they are, unless a sample could not be read:
    the store may have been mended since. Where the store or the weights are gone they are taken as well. Raises
    StateError for an unfinished run, and where predictions would have to be made without weights; and, before anything
    is predicted, DfxError for a store without stored predictions that is missing or has no such split or selection;
    with `unseen_people` also where a store or one that was trained on is missing, or no real or no fake clip is left.
    """
    if clips not in CLIPS:
        raise unknown_name("way from frames to clips", clips, CLIPS)
    run = open_run(path, weights=False)
    weights = file_sha256(run.path / WEIGHTS_FILE) if (run.path / WEIGHTS_FILE).exists() else None
    asked = [_asked(run, ref, split, weights) for ref in refs] if refs else _everything(run, weights)
    source = source_of(run, clips)
    trained = _trained_groups(run)
    left = _strangers(asked, split, trained_people(run)) if unseen_people else [None] * len(asked)
    sources = {source["fingerprint"] for source in run.config["sources"]}
    results = []
    for one, others in zip(asked, left, strict=True):
        if one.make:
            predictions = predict(
                run,
                one.ref,
                split=split,
                device=device,
                backend=backend,
                batch=batch,
                threads=threads,
                on_batch=_reporter(on_progress, one.ref),
            )
            meta = json.loads(predictions.schema.metadata[b"dfx"])
        else:
            predictions, meta = read_predictions(one.file)
        record = _record(run, one.file, counts_as, unseen_people)
        if counts_as:
            predictions = relabel(predictions, counts_as)
        if others is not None:
            predictions = others.of(predictions)
        groups = set(pc.unique(predictions["group"]).to_pylist())
        figure = record.with_name(f"{record.stem}-reliability.png") if figures else None
        result = {
            "run": run.name,
            **{name: meta[name] for name in ("store", "ref", "split", "selection", "fingerprint", "task", "classes")},
            "weights": weights if one.make else one.made_by,
            **assess(
                predictions,
                run.taxonomy,
                thresholds=source.thresholds,
                temperatures=source.temperatures,
                clips=clips,
                resamples=resamples,
                seed=seed,
            ),
            "seen_in_training": meta["fingerprint"] in sources if sources else None,
            "groups_shared_with_training": None if trained is None else len(groups & trained),
            "counts_as": dict(counts_as or {}),
            "unseen_people": None if others is None else others.as_dict(),
            "source": source.as_dict(),
            "checked": {
                "store": one.store_there,
                "weights": one.make or (weights is not None and one.made_by == weights),
            },
            "figure": None if figure is None else str(figure.relative_to(run.path)),
        }
        if figure is not None:
            where = f"{meta['store']}{meta['selection']}, split {meta['split']}"
            _draw(predictions, run, source, clips, figure, title=f"{run.name} on {where}")
        write_json(record, result)
        results.append(result)
    return results


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One table that is to be scored."""

    ref: str
    file: Path
    store_there: bool
    made_by: str | None
    """sha256 of the weights that made the predictions in `file`; None: unknown, or there are none."""
    make: bool
    """The predictions are to be made, for the first time or again."""


def _asked(run: Run, ref: str, split: str, weights: str | None) -> _Asked:
    try:
        rows = select([ref], split=split)
    except DfxError as error:
        stored = find_stored(run.path, ref, split)
        if stored is None:
            if (place_of(parse_ref(ref).path) / DATASET_FILE).exists():  # the selection is wrong, not the store
                raise
            what = f"{run.path} holds no predictions of it to score without the store"
            raise StoreError(f"{error}; {what}") from None
        return _kept(run, stored, weights)
    file = prediction_path(run.path, rows.stores[0], rows.refs[0], None)
    made_by = _made_by(file)
    if weights is None and not file.is_file():
        raise StateError(
            f"{run.path} holds no predictions of {ref}, and without {WEIGHTS_FILE} none can be made; "
            "restore the weights, or train the run again"
        )
    fresh = file.is_file() and made_by == weights and not read_predictions(file)[1]["unreadable"]
    return _Asked(ref=ref, file=file, store_there=True, made_by=made_by, make=weights is not None and not fresh)


def _everything(run: Run, weights: str | None) -> list[_Asked]:
    """All that is stored. Raises StateError where nothing is."""
    found = [_kept(run, stored, weights) for stored in stored_predictions(run.path)]
    if not found:
        raise StateError(f"{run.path} holds no predictions; name a store to predict with --on STORE")
    return found


def _kept(run: Run, stored: Stored, weights: str | None) -> _Asked:
    """Stored predictions that nothing can be compared with but the weights."""
    file, ref = stored.path, stored.facts["ref"]
    made_by = stored.facts.get("weights")
    if None not in (made_by, weights) and made_by != weights:
        raise StateError(
            f"{file} was made by other weights than {WEIGHTS_FILE}; predict again with "
            f"`dfx eval {run.path} --on {ref}`, where the store is there"
        )
    return _Asked(ref=ref, file=file, store_there=False, made_by=made_by, make=False)


def _strangers(asked: Sequence[_Asked], split: str, trained: Set[str]) -> list[Strangers]:
    for one in asked:
        if not one.store_there:
            raise StateError(f"who is in the clips of {one.ref} stands in the store alone; name it with --on STORE")
    return [strangers(select([one.ref], split=split, columns=OF_CLIPS), trained) for one in asked]


def _record(run: Run, file: Path, counts_as: Mapping[str, str] | None, unseen_people: bool) -> Path:
    """Where a result stands: one of methods that count as others, or of a part of the clips, lies beside the plain one,
    which alone the report reads."""
    others = "".join(f"+{method}={counted}" for method, counted in sorted((counts_as or {}).items())).replace("/", "_")
    return run.path / EVALUATIONS / f"{file.stem}{others}{'+unseen-people' if unseen_people else ''}.json"


def _made_by(file: Path) -> str | None:
    """The sha256 of the weights that made a file of predictions; None where there is none, or it does not say."""
    return read_predictions(file)[1].get("weights") if file.is_file() else None


def _draw(predictions: pa.Table, run: Run, source: Source, clips: str, path: Path, *, title: str) -> None:
    levels = {
        name: scored(table, run.taxonomy, threshold=source.thresholds[name], temperature=source.temperatures[name])
        for name, table in levels_of(predictions, clips).items()
    }
    write_whole(path, lambda file: draw_reliability(levels, run.taxonomy, file, title=title))


def read_result(record: Path) -> dict[str, Any] | None:
    """What `evaluate` wrote beside a file of predictions; None where there is nothing, or nothing whole."""
    try:
        result = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(result, dict) and {"weights", "groups_shared_with_training"} <= result.keys()
    return result if whole else None


def _reporter(on_progress: OnProgress | None, ref: str) -> Callable[[int, int], None] | None:
    return None if on_progress is None else lambda done, total: on_progress(ref, done, total)


def _trained_groups(run: Run) -> set[str] | None:
    """None where a source is unknown, not there any more or another now."""
    try:
        return trained_groups(run)
    except StateError:
        return None
