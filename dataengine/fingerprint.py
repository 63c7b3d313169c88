"""What a store holds, and how it is divided, as one hash each."""

from __future__ import annotations

import hashlib
import json

import pyarrow as pa
import pyarrow.compute as pc

COLUMNS = ("key", "xxh3", "label", "method", "split")
"""What enters a fingerprint, in this order."""

_AT_ONCE = 1 << 18  # rows whose lines are in memory together
_PLAIN = r"^[ !#-\[\]-~]*$"  # what JSON writes as it is: ASCII without quotes, backslashes and control characters


def fingerprint(index: pa.Table) -> str:
    """sha256 (hex) over (key, xxh3, label, method, split) of every sample, sorted by key.

    Each is hashed as a line of JSON, `["key",xxh3,label,"method","split"]`. dfx's version, times and the division into
    shards do not enter: a merged or resharded store of the same samples keeps its fingerprint.
    """
    # Text of more than 2 GB in all has no 32-bit offsets; in one piece, rows can be taken without a copy of the rest.
    wide = {name: pa.large_string() if name in ("key", "method", "split") else pa.int8() for name in COLUMNS}
    wide["xxh3"] = pa.uint64()
    table = pa.table({name: index.column(name).cast(wide[name]) for name in COLUMNS}).combine_chunks()
    order = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in COLUMNS])
    digest = hashlib.sha256()
    for start in range(0, len(order), _AT_ONCE):
        lines = _lines(table.take(order.slice(start, _AT_ONCE)))
        digest.update("".join(lines.to_pylist()).encode("ascii"))
    return digest.hexdigest()


def _lines(rows: pa.Table) -> pa.ChunkedArray:
    """A line of JSON for each row."""
    key, xxh3, label, method, split = (
        _quoted(column) if pa.types.is_large_string(column.type) else column.cast(pa.large_string())
        for column in rows.columns
    )
    opening, comma, closing = (pa.scalar(text, pa.large_string()) for text in ("[", ",", "]\n"))
    last = pc.binary_join_element_wise(split, closing, pa.scalar("", pa.large_string()))
    first = pc.binary_join_element_wise(opening, key, pa.scalar("", pa.large_string()))
    return pc.binary_join_element_wise(first, xxh3, label, method, last, comma)


def _quoted(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Each text as JSON with ASCII alone."""
    if pc.all(pc.match_substring_regex(texts, _PLAIN)).as_py() in (True, None):
        quote = pa.scalar('"', pa.large_string())
        return pc.binary_join_element_wise(quote, texts, quote, pa.scalar("", pa.large_string()))
    return pa.chunked_array([[json.dumps(text) for text in texts.to_pylist()]], pa.large_string())


def shards_digest(shards: pa.Table) -> str:
    """sha256 (hex) over the shards' own hashes in their order: the division into shards, to the byte."""
    return hashlib.sha256("\n".join(shards.column("sha256").to_pylist()).encode()).hexdigest()
