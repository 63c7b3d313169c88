"""Columns of a store's index as codes and masks, whether their text lies in the rows or in a dictionary."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def codes_of(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], list[str]]:
    """A column as (code of each row, names in sorted order): `names[codes[i]]` is row i's value, as text."""
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column.cast(pa.string()))
    encoded = pa.table({"": column.unify_dictionaries()}).combine_chunks()[""].combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # of no rows
        encoded = pa.array([], column.type)
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    values = encoded.dictionary.to_pylist()
    used = np.flatnonzero(np.bincount(codes, minlength=len(values))).tolist()  # a part of rows keeps all words
    names = sorted(values[code] for code in used)
    order = {value: i for i, value in enumerate(names)}
    ranks = np.array([order.get(value, -1) for value in values], dtype=np.int64)
    return ranks[codes] if len(ranks) else codes, names


def is_in(column: pa.ChunkedArray, values: pa.Array) -> pa.ChunkedArray:
    """Which rows hold one of `values`, as text."""
    if not pa.types.is_dictionary(column.type):
        return pc.is_in(column.cast(pa.string()), value_set=values)
    return pa.chunked_array(
        [pc.is_in(chunk.dictionary, value_set=values).take(chunk.indices) for chunk in column.chunks], pa.bool_()
    )
