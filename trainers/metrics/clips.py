"""From frames to clips: which of a clip's frames speak for it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dataengine.errors import unknown_name
from dataengine.records import REAL
from trainers.metrics.rows import coded

CLIPS = ("mean", "max", "trimmed")
"""mean: every frame. max: the frame with the largest p(fake). trimmed: all but the `TRIM` of the frames with the lowest
and the `TRIM` with the highest p(fake).
"""

TRIM = 0.1
"""Share of a clip's readable frames left out at each end, rounded down: below ten frames none is."""


def clip_table(predictions: pa.Table, how: str = "mean") -> pa.Table:
    """One row a clip, in order of appearance: the mean over the readable frames that speak for it, as `how` of `CLIPS`
    says.

    Frames are chosen whole, so that a clip's probabilities sum to 1 as its frames' do: a maximum or a trimmed mean
    of each class on its own would not, and would put together a clip from frames that contradict each other.

    Columns: those of the frames but `key` (clip, group, label, method, ... the clip's first; numbers such as
    `p_{class}` and `energy` the float64 mean), and `frames` and `unreadable`, the number of frames that could be read
    and that could not. A clip without a readable frame has no probability and is left out. Raises DfxError for an
    unknown `how`.
    """
    if how not in CLIPS:
        raise unknown_name("way from frames to clips", how, CLIPS)
    numbers = [field.name for field in predictions.schema if pa.types.is_floating(field.type)]
    facts = [n for n in predictions.column_names if n not in ("key", "clip", "valid", *numbers)]
    valid = predictions["valid"]
    kept = valid if how == "mean" else pa.array(_speaks(predictions, how))
    # A frame that does not speak for its clip becomes null: the mean passes over it.
    means = {
        name: pc.if_else(kept, pc.cast(predictions[name], pa.float64()), pa.scalar(None, pa.float64()))
        for name in numbers
    }
    sums = {"frames": pc.cast(valid, pa.int64()), "unreadable": pc.cast(pc.invert(valid), pa.int64())}
    given = {name: predictions[name] for name in ("clip", *facts)}
    wanted = [(n, "first") for n in facts]
    wanted += [(n, "mean") for n in means] + [(n, "sum") for n in sums]
    clips = pa.table(given | means | sums).group_by("clip", use_threads=False).aggregate(wanted)
    clips = clips.select(["clip", *(f"{name}_{how}" for name, how in wanted)])
    clips = clips.rename_columns(["clip", *(name for name, _ in wanted)])
    clips = clips.append_column("valid", pc.greater(clips["frames"], 0)).filter(pc.field("valid"))
    return clips.replace_schema_metadata(predictions.schema.metadata)


def _speaks(predictions: pa.Table, how: str) -> npt.NDArray[np.bool_]:
    """Whether each frame speaks for its clip; of frames with equal p(fake) the earlier one counts as the higher."""
    valid = predictions["valid"].to_numpy()
    fakes = [n for n in predictions.column_names if n.startswith("p_") and n != f"p_{REAL}"]
    p_fake = np.sum([predictions[name].to_numpy().astype(np.float64) for name in fakes], axis=0)
    _, codes = coded(predictions["clip"])
    order = np.lexsort((-p_fake, codes, ~valid))[: valid.sum()]
    clips = codes[order]
    starts = np.flatnonzero(np.r_[True, clips[1:] != clips[:-1]]) if len(clips) else np.zeros(0, np.int64)
    sizes = np.diff(np.r_[starts, len(clips)])
    place = np.arange(len(clips)) - np.repeat(starts, sizes)
    size = np.repeat(sizes, sizes)
    cut = np.floor(TRIM * size)
    chosen = place == 0 if how == "max" else (place >= cut) & (place < size - cut)
    speaks = np.zeros(len(valid), dtype=bool)
    speaks[order[chosen]] = True
    return speaks
