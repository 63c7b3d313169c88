"""Every number that one table of predictions says: a pure function, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from trainers.evaluation.bootstrap import intervals
from trainers.evaluation.recall import recall_by_method
from trainers.metrics import clip_table, confusion, methods_unseen, metrics_of, score, scored
from trainers.taxonomy import Taxonomy

Numbers = Mapping[str, float | None]
"""What the source gave for a "frame" and for a "clip": the p(fake) from which one is called fake, or the temperature;
None where it gave none.
"""


def levels_of(predictions: pa.Table, clips: str = "mean") -> dict[str, pa.Table]:
    """The table by "frame" and by "clip"."""
    return {"frame": predictions, "clip": clip_table(predictions, clips)}


def assess(
    predictions: pa.Table,
    taxonomy: Taxonomy,
    *,
    thresholds: Numbers,
    temperatures: Numbers | None = None,
    clips: str = "mean",
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Everything that one table of frame predictions says, as JSON-able values with stable keys.

    `frame` and `clip` hold `metrics.score`; `intervals` the same metrics' 95 % bootstrap intervals or null;
    `recall` what `recall_by_method` gives; `clips` how a clip's frames speak for it (`metrics.CLIPS`);
    `confusion` counts clips; `unseen` lists the methods training held no class for; `unreadable` counts frames,
    and clips without any readable frame, that entered no number.
    """
    temperatures = temperatures or {"frame": None, "clip": None}
    levels = levels_of(predictions, clips)
    rows = {
        name: scored(table, taxonomy, threshold=thresholds[name], temperature=temperatures[name])
        for name, table in levels.items()
    }
    metrics = metrics_of(taxonomy.task)
    matrix = confusion(levels["clip"], taxonomy)
    unseen_frames, unseen_clips = (methods_unseen(level, taxonomy) for level in levels.values())
    num_clips = pc.count_distinct(predictions["clip"]).as_py()
    return {
        **{
            name: score(table, taxonomy, threshold=thresholds[name], temperature=temperatures[name])
            for name, table in levels.items()
        },
        "intervals": {name: intervals(rows[name], metrics, resamples=resamples, seed=seed) for name in levels},
        "groups": pc.count_distinct(predictions["group"]).as_py(),
        "confusion": {
            "rows": list(matrix.rows),
            "columns": list(matrix.columns),
            "counts": [list(row) for row in matrix.counts],
        },
        "unseen": [
            {"method": method, "clips": unseen_clips.get(method, 0), "frames": frames}
            for method, frames in unseen_frames.items()
        ],
        "unreadable": {
            "frames": predictions.num_rows - pc.sum(predictions["valid"]).as_py(),
            "clips": num_clips - levels["clip"].num_rows,
        },
        "clips": clips,
        "recall": {name: recall_by_method(rows[name], taxonomy, resamples=resamples, seed=seed) for name in levels},
    }
