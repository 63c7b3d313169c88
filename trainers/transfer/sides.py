"""What a training learns from: its data alone, or drawn frames of its data and of new data, side by side.

Source of the mix: How Generalizable are Deepfake Detectors? An Empirical Study, where a trained detector is trained on
with as many frames of its original data as of new data.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dataengine.errors import DfxError
from dataengine.order import permute
from dataengine.records import REAL
from dataengine.selection import Rows, select
from dataengine.store import open_store, parse_ref
from trainers.config import TrainConfig

Ints = npt.NDArray[np.int64]


def rows_of(config: TrainConfig, split: str) -> Rows:
    """The rows of a split of all of a training's stores, those of `data` before those of `mix`.

    With a `mix` the split `train` is what `draw` draws of each side, no frame on both; other splits are whole, and a
    frame that both sides select stands there twice. Raises DfxError where a side has too few frames, and in attribution
    for a method of `mix` that `data` has none of.
    """
    own = _selected(config.data, split)
    if not config.mix:
        return own
    new = _selected(config.mix, split)
    if split == "train":
        assert config.samples is not None
        if config.task == "attribution":
            _check_methods(own, new)
        own = draw(own, config.samples, config.seed)
        apart = pc.invert(pc.is_in(new.table["key"], value_set=own.table["key"].combine_chunks()))
        new = draw(replace(new, table=new.table.filter(apart)), config.samples, config.seed)
    return _joined(own, new)


def _selected(refs: tuple[str, ...], split: str) -> Rows:
    for text in refs:
        there = set(pc.unique(open_store(parse_ref(text).path).index(["split"])["split"]).to_pylist())
        if split not in there:
            raise DfxError(
                f"{text} has no split '{split}' (but {', '.join(sorted(there))}): a training learns from train and "
                "selects the epoch on val; convert its dataset with derived splits (an empty split column), "
                f"or give splits in what `dfx export {parse_ref(text).path} --out FOLDER` writes and convert that "
                "(`dfx shard manifest FOLDER/index.csv --faces none`), or take another store"
            )
    return select(refs, split=split)


def parts_of(config: TrainConfig, rows: Rows) -> tuple[Rows, Rows]:
    """The two sides of `rows_of`: of `data`, and of `mix`."""
    own = pa.array(rows.column("store") < len(config.data))
    return replace(rows, table=rows.table.filter(own)), replace(rows, table=rows.table.filter(pc.invert(own)))


def draw(rows: Rows, samples: int, seed: int) -> Rows:
    """`samples` of the rows in their order, a function of the arguments alone: half real, half fake (of an odd number
    one fake more), each half spread evenly over stores and methods as far as they have so many.

    Raises DfxError where there are too few reals or fakes.
    """
    methods, names = rows.codes("method")
    kinds = rows.column("store").astype(np.int64) * len(names) + methods
    fake = rows.column("label") != 0
    chosen = []
    for name, of, count in ((REAL, ~fake, samples // 2), ("fake", fake, samples - samples // 2)):
        places = np.flatnonzero(of)
        if len(places) < count:
            raise DfxError(
                f"{' + '.join(map(str, rows.refs))} has {len(places)} {name} frames to draw from, and {samples} "
                f"samples take {count}; add stores or methods, or lower --samples"
            )
        chosen.append(places[_evenly(kinds[places], seed)[:count]])
    return replace(rows, table=rows.table.take(np.sort(np.concatenate(chosen))))


def _evenly(kinds: Ints, seed: int) -> Ints:
    """An order in which each kind comes once before any comes again, drawn within each."""
    turns = np.empty(len(kinds), dtype=np.int64)
    for kind in np.unique(kinds):
        mine = np.flatnonzero(kinds == kind)
        turns[mine] = permute(np.arange(len(mine)), len(mine), seed)
    return np.lexsort((kinds, turns))


def _check_methods(own: Rows, new: Rows) -> None:
    known = {REAL, *own.codes("method")[1]}
    if unknown := sorted(set(new.codes("method")[1]) - known):
        raise DfxError(
            f"{', '.join(unknown)} of {' + '.join(map(str, new.refs))} is no class of the model (they are "
            f"{', '.join(sorted(known))}); select its methods with @method=..., or take a detection run"
        )


def _joined(one: Rows, other: Rows) -> Rows:
    def shifted(name: str, by: int) -> pa.Array:
        return pa.array(other.column(name) + np.int32(by))

    table = other.table
    for name, by in (("store", len(one.stores)), ("shard_file", len(one.shard_files))):
        table = table.set_column(table.schema.get_field_index(name), name, shifted(name, by))
    return Rows(
        one.refs + other.refs,
        one.stores + other.stores,
        one.shard_files + other.shard_files,
        one.shard_contents + other.shard_contents,
        pa.concat_tables([one.table, table]).unify_dictionaries().combine_chunks(),
    )
