from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from dataengine.selection import select
from tests.trainers.tiny_store import METHODS, write_store
from trainers.taxonomy import Taxonomy
from trainers.validation import first_of_each, validate

TAXONOMY = Taxonomy(task="attribution", classes=METHODS)


def test_only_the_first_of_a_key_is_taken() -> None:
    table = pa.table({"key": ["b", "a", "b", "c", "a"]})
    assert first_of_each(table).to_pylist() == [True, True, False, True, False]


def test_a_sample_that_two_selections_share_counts_once(tmp_path: Path) -> None:
    store = write_store(tmp_path / "tiny", clips={"val": 4})
    once = select([str(store)])
    twice = replace(once, table=pa.concat_tables([once.table, once.table.slice(0, 5)]).combine_chunks())
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), len(once)).astype(np.float32)
    names = ("key", "clip", "group", "label", "method")
    known = once.facts(names)
    columns = {name: known[name] for name in names} | {"valid": pa.array(np.ones(len(once), bool))}
    predictions = pa.table(columns | {f"p_{name}": p[:, i] for i, name in enumerate(METHODS)})
    predictions = predictions.replace_schema_metadata({"dfx": '{"unreadable": []}'})
    more = pa.concat_tables([predictions, predictions.slice(0, 5)])
    assert validate(more, TAXONOMY, twice) == validate(predictions, TAXONOMY, once)
