"""A store's fingerprint is what its definition says, for any text."""

from __future__ import annotations

import hashlib
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine import fingerprint as module
from dataengine.fingerprint import fingerprint

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
ROWS = st.lists(st.tuples(TEXT, st.integers(0, 2**64 - 1), st.integers(0, 1), TEXT, TEXT), max_size=8)
TYPES = {"key": pa.string(), "xxh3": pa.uint64(), "label": pa.int8(), "method": pa.string(), "split": pa.string()}


def index(rows: list[tuple[object, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * 5
    return pa.table({name: pa.array(list(values), TYPES[name]) for name, values in zip(TYPES, columns, strict=True)})


def defined(rows: list[tuple[object, ...]]) -> str:
    lines = (json.dumps(row, separators=(",", ":"), ensure_ascii=True) + "\n" for row in sorted(rows))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@given(rows=ROWS)
def test_the_fingerprint_is_the_hash_of_sorted_lines_of_json(rows: list[tuple[object, ...]]) -> None:
    assert fingerprint(index(rows)) == defined(rows)


def test_it_is_the_same_in_small_pieces_and_of_dictionaries(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f"k{i * 7 % 50:02d}", i, i % 2, f"m{i % 3}é" if i % 9 else 'a"\\', "train") for i in range(50)]
    table = index(rows)
    monkeypatch.setattr(module, "_AT_ONCE", 7)
    assert fingerprint(table) == defined(rows)
    for name in ("method", "split"):
        table = table.set_column(table.schema.get_field_index(name), name, table[name].dictionary_encode())
    assert fingerprint(pa.concat_tables([table.slice(20), table.slice(0, 20)])) == defined(rows)
