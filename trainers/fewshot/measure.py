"""Probes on k clips of each class of a store, over draws of the clips, scored on another split of the same store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch.nn.functional as F

from dataengine.errors import DfxError
from dataengine.order import counter_hash, permute
from dataengine.selection import Rows, select
from dataengine.store import parse_ref
from trainers.evaluation.bootstrap import intervals
from trainers.evaluation.predicted import Computing, OnProgress
from trainers.evaluation.seeds import spread
from trainers.fewshot.probes import NEIGHBOURS, PROBES, TEMPERATURE, C, Probe
from trainers.metrics import clip_table, measured, scored
from trainers.metrics.rows import Floats, Ints
from trainers.predict import FACTS, run_over
from trainers.run import Run
from trainers.taxonomy import Taxonomy, taxonomy_of

METRICS: Mapping[str, tuple[str, ...]] = {
    "attribution": ("attribution_balanced_accuracy", "attribution_macro_f1"),
    "detection": ("detection_balanced_accuracy", "detection_macro_f1", "detection_auc"),
}
"""By task, of clips."""

THRESHOLD = 0.5
"""The p(fake) from which a clip is called fake: few clips leave none to choose another one by."""

Draw = tuple[tuple[str, ...], ...]
"""Of each class the clips drawn, in the order in which they enter."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Embeddings of the rows that could be read."""

    table: pa.Table
    """FACTS of each, n rows."""
    labels: Ints
    """(n,): index of the class; -1 for a method that the taxonomy does not hold."""
    embeddings: Floats
    """(n, d), of unit length."""
    unreadable: list[dict[str, str]]
    """Key and reason of the others."""


def fewshot(
    run: Run,
    ref: str,
    *,
    shots: Sequence[int] = (1, 5, 10),
    seeds: int = 5,
    task: str | None = None,
    split: str = "test",
    computing: Computing | None = None,
    resamples: int = 1000,
    on_progress: OnProgress | None = None,
) -> dict[str, Any]:
    """What the probes make of `shots` clips of each class of a store's train split, as JSON values.

    The classes are the store's own: its methods in attribution, real and fake in detection; `task` None: the run's. Of
    each class so many clips are drawn, with all of their frames, `seeds` times; of one seed the larger draws hold the
    smaller. A class with fewer clips gives all it has (`few`): without it, the numbers of shots would be of different
    tasks. A probe's answer for a clip is the mean of its probabilities over the clip's frames. `results` has for each
    probe and number of shots the metrics over the draws (`seeds.Spread`; its interval is the 95 % bootstrap over
    identity groups for one draw, averaged).

    Raises DfxError for shots or seeds below 1, for the split `train` and a store without one of the splits or without
    reals or fakes in train, and where the drawn clips of a class cannot be read.
    """
    shots = sorted(set(shots))
    _check(shots, seeds, ref, split)
    pool, test = select([ref], split="train"), select([ref], split=split)
    taxonomy = taxonomy_of(task or run.taxonomy.task, pool)
    clips = clips_of(pool, taxonomy)
    draws = [draw(clips, shots[-1], seed) for seed in range(seeds)]
    needed = {clip for drawn in draws for of_class in drawn for clip in of_class}
    held = np.array([clip in needed for clip in pool.strings("clip")])
    pool = replace(pool, table=pool.table.filter(pa.array(held)))
    computing = computing or Computing()
    support, queries = (_embed(run, rows, taxonomy, computing, on_progress) for rows in (pool, test))
    results = []
    for name, probe in PROBES.items():
        for k in shots:
            values = [_score(probe, drawn, k, support, queries, taxonomy, resamples) for drawn in draws]
            metrics = {metric: asdict(spread(metric, values, "clip")) for metric in METRICS[taxonomy.task]}
            results.append({"probe": name, "shots": k, "metrics": metrics})
    methods = set(test.codes("method")[1]) if taxonomy.task == "attribution" else set()
    return {
        "run": run.name,
        "store": test.stores[0].name,
        "ref": ref,
        "selection": parse_ref(ref).selection,
        "fingerprint": test.stores[0].fingerprint,
        "split": split,
        "task": taxonomy.task,
        "classes": list(taxonomy.classes),
        "shots": shots,
        "seeds": seeds,
        "settings": {"c": C, "neighbours": NEIGHBOURS, "temperature": TEMPERATURE, "threshold": THRESHOLD},
        "clips": len(set(test.strings("clip"))),
        "groups": len(set(test.strings("group"))),
        "few": {n: len(c) for n, c in zip(taxonomy.classes, clips, strict=True) if len(c) < shots[-1]},
        "unseen": sorted(methods - set(taxonomy.classes)),
        "unreadable": [*support.unreadable, *queries.unreadable],
        "results": results,
    }


def clips_of(rows: Rows, taxonomy: Taxonomy) -> Draw:
    """The clips of each class, sorted by name."""
    found: list[set[str]] = [set() for _ in taxonomy.classes]
    for clip, label in zip(rows.strings("clip"), taxonomy.labels(rows), strict=True):
        found[label].add(clip)
    return tuple(tuple(sorted(clips)) for clips in found)


def draw(clips: Draw, most: int, seed: int) -> Draw:
    """Up to `most` clips of each class, drawn without replacement, each class on its own; the first k of them are the
    draw of k.
    """
    return tuple(
        tuple(names[i] for i in permute(np.arange(min(most, len(names))), len(names), counter_hash(seed, number)))
        for number, names in enumerate(clips)
    )


def _check(shots: Sequence[int], seeds: int, ref: str, split: str) -> None:
    if not shots or shots[0] < 1:
        raise DfxError(f"shots are {', '.join(map(str, shots)) or 'none'}; give numbers of at least 1, such as 1,5,10")
    if seeds < 1:
        raise DfxError(f"seeds is {seeds}; give at least 1")
    if split == "train":
        raise DfxError("clips are drawn from train; score another split, such as test")
    if "split" in dict(parse_ref(ref).where):
        raise DfxError(f"'{ref}' selects a split; leave it out: clips are drawn from train and scored on --split")


def _embed(run: Run, rows: Rows, taxonomy: Taxonomy, computing: Computing, on_progress: OnProgress | None) -> Embedded:
    what, labels = str(rows.refs[0]), taxonomy.labels(rows)
    found = run_over(
        run.model(),
        rows,
        labels,
        lambda _, embeddings: {"embedding": F.normalize(embeddings, dim=1)},
        spec=run.input,
        batch=computing.batch,
        device=computing.device,
        backend=computing.backend,
        threads=computing.threads,
        on_batch=None if on_progress is None else lambda done, total: on_progress(what, done, total),
    )
    return Embedded(
        rows.facts(FACTS).take(found.rows),
        labels[found.rows],
        found.values["embedding"].astype(np.float64),
        found.unreadable,
    )


def _score(
    probe: Probe, drawn: Draw, k: int, support: Embedded, queries: Embedded, taxonomy: Taxonomy, resamples: int
) -> dict[str, Any]:
    """The metrics of one draw of k clips a class, as `seeds.spread` takes them."""
    chosen = {clip for of_class in drawn for clip in of_class[:k]}
    mine = np.array([clip in chosen for clip in support.table["clip"].to_pylist()], dtype=bool)
    labels = support.labels[mine]
    if absent := sorted(set(range(len(taxonomy.classes))) - set(labels.tolist())):
        named = ", ".join(taxonomy.classes[c] for c in absent)
        mend = "look at the store with `dfx verify STORE`"
        raise DfxError(f"no frame of the clips drawn of {named} can be read; {mend}")
    p = probe(support.embeddings[mine], labels, queries.embeddings)
    columns = {f"p_{name}": pa.array(p[:, c]) for c, name in enumerate(taxonomy.classes)}
    facts = {name: queries.table[name] for name in FACTS}
    table = pa.table({**facts, "valid": pa.array(np.ones(len(p), dtype=bool)), **columns})
    rows = scored(clip_table(table), taxonomy, threshold=THRESHOLD)
    names = METRICS[taxonomy.task]
    estimates = measured(rows, names, np.ones((1, len(rows.group_names)), dtype=np.int64))
    values = {name: None if np.isnan(value[0]) else float(value[0]) for name, value in estimates.items()}
    return {"clip": values, "intervals": {"clip": intervals(rows, names, resamples=resamples)}}
