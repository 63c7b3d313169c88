"""Rows gathered by a code, in the fewest bytes: four a row, eight past 2**32 rows, in a file where they are many."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
import numpy.typing as npt

from dataengine.errors import DfxError
from dataengine.order.hashing import Ints
from dataengine.order.source import starts_of

Members = npt.NDArray[Any]
"""uint32, or int64 past 2**32 rows."""

_IN_MEMORY = 64 << 20  # bytes; what is larger lies in a file, so that the kernel may drop it and read it again
_CHUNK = 1 << 20


def new_members(size: int, top: int) -> Members:
    """An array for `size` numbers up to `top`, in an unnamed temporary file where it is large.

    Raises DfxError where the folder for temporary files has no room: found out now, it is no crash later.
    """
    dtype = np.dtype(np.uint32 if top < 1 << 32 else np.int64)
    if size * dtype.itemsize <= _IN_MEMORY:
        return np.empty(size, dtype)
    zeros = bytes(_CHUNK)
    with tempfile.TemporaryFile(prefix="dfx-order-") as file:
        try:
            for start in range(0, size * dtype.itemsize, _CHUNK):
                file.write(zeros[: size * dtype.itemsize - start])
            file.flush()
        except OSError as error:
            raise DfxError(
                f"no room for an order of {size:,} rows in {tempfile.gettempdir()} ({error.strerror}); "
                "set TMPDIR to a folder with room for 8 bytes a row, or take the policy shuffled or blocked"
            ) from None
        return np.memmap(file, dtype, "r+", shape=(size,))


def gather(codes: Ints, num_parts: int, part_of_code: Ints | None = None) -> tuple[Members, Ints]:
    """Rows sorted by their part, a part's own in ascending order; and where each part begins (num_parts + 1,).

    The part of row i is `codes[i]`, or `part_of_code[codes[i]]`. A counting sort, a chunk of rows at a time.
    """

    def parts(chunk: slice) -> Ints:
        return codes[chunk] if part_of_code is None else part_of_code[codes[chunk]]

    sizes = np.bincount(codes, minlength=num_parts)
    if part_of_code is not None:
        sizes_of_code, sizes = sizes, np.empty_like(sizes)
        sizes[part_of_code] = sizes_of_code
    starts = starts_of(sizes)
    members, free = new_members(len(codes), len(codes)), starts[:-1].copy()
    for start in range(0, len(codes), _CHUNK):
        part = parts(slice(start, start + _CHUNK))
        order = np.argsort(part, kind="stable")
        part = part[order]
        begin = np.flatnonzero(np.diff(part, prepend=-1))
        count = np.diff(begin, append=len(part))
        members[np.repeat(free[part[begin]] - begin, count) + np.arange(len(part))] = order + start
        free[part[begin]] += count
    return members, starts


def narrow(values: Ints, top: int) -> Members:
    """Numbers up to `top`, kept as `new_members` keeps them."""
    kept = new_members(len(values), top)
    kept[:] = values
    return kept
