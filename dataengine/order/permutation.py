"""A keyed permutation of [0, n), evaluated position by position: a Feistel network with cycle walking."""

from __future__ import annotations

import numpy as np

from dataengine.order.hashing import MIX_1, MIX_2, Ints, Key, Words, absorb, as_words

_ROUNDS = 8  # four leave [0, 5) visibly uneven; from eight on, where an element goes is uniform for any n
_SHORT_RUN = 1 << 13  # positions; below it, numpy's overhead a call outweighs what one key for all saves
_CHUNK = 1 << 15  # positions evaluated at once: what fits a core's cache is about twice as fast as one large array


def permute(index: Ints, n: int | Ints, key: Key) -> Ints:
    """Position by position, a keyed permutation of [0, n): no array of n is made, any position takes constant time.

    A balanced eight-round Feistel network over the smallest even number of bits that holds n, with cycle walking
    (Black and Rogaway, CT-RSA 2002). `n` and `key` may be arrays that broadcast with `index`, so that each element
    is looked up in a permutation of its own. Every index must lie in [0, n).
    """
    index, sizes, keys = np.asarray(index, dtype=np.int64), np.asarray(n, dtype=np.int64), as_words(key)
    shape = np.broadcast_shapes(index.shape, sizes.shape, keys.shape)
    flat = np.broadcast_to(index, shape).reshape(-1)
    if sizes.ndim:
        sizes = np.broadcast_to(sizes, shape).reshape(-1)
    if keys.ndim:
        keys = np.broadcast_to(keys, shape).reshape(-1)
    out = np.empty(flat.shape, dtype=np.int64)
    for start in range(0, len(flat), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        n_here, keys_here = sizes[chunk] if sizes.ndim else sizes, keys[chunk] if keys.ndim else keys
        _permute_runs(flat[chunk], n_here, keys_here, out[chunk])
    return out.reshape(shape)


def _permute_runs(index: Ints, n: Ints, key: Words, out: Ints) -> None:
    """Into `out`; few long runs of one size and key one by one: one key for all is twice as fast."""
    changes = np.zeros(len(index), dtype=bool)
    for part in (n, key):
        if part.ndim:
            changes[1:] |= part[1:] != part[:-1]
    changes[0] = True
    begins = np.flatnonzero(changes)
    if len(begins) * _SHORT_RUN > len(index):
        out[:] = _walk(index, n, key)
        return
    for first, last in zip(begins.tolist(), [*begins[1:].tolist(), len(index)], strict=True):
        run = slice(first, last)
        out[run] = _walk(index[run], n[first] if n.ndim else n, key[first] if key.ndim else key)


def _walk(index: Ints, n: Ints, key: Words) -> Words:
    bits = np.frexp(np.maximum(n - 1, 1).astype(np.float64))[1]  # exact: n is far below 2**53
    half = np.maximum((bits + 1) // 2, 1).astype(np.uint64)
    size = n.astype(np.uint64)
    keyed = absorb(np.asarray(np.uint64(2)), key)
    round_keys = [absorb(keyed, i) for i in range(_ROUNDS)]  # counter_hash(key, i), the first word hashed once
    out = _feistel(index.astype(np.uint64), half, round_keys)
    outside = np.flatnonzero(out >= size)
    if outside.size:
        value = out[outside]
        half, size, *round_keys = (part[outside] if part.ndim else part for part in (half, size, *round_keys))
        while outside.size:
            value = _feistel(value, half, round_keys)
            out[outside] = value  # of those still outside, written again the next time
            still = np.flatnonzero(value >= size)
            outside, value = outside[still], value[still]
            half, size, *round_keys = (part[still] if part.ndim else part for part in (half, size, *round_keys))
    return out


def _feistel(value: Words, half: Words, round_keys: list[Words]) -> Words:
    shift = np.uint64(64) - half
    left, right = value >> half, value & ((np.uint64(1) << half) - np.uint64(1))
    mixed, high = np.empty_like(right), np.empty_like(right)
    with np.errstate(over="ignore"):
        for round_key in round_keys:
            np.bitwise_xor(right, round_key, out=mixed)
            mixed *= MIX_1
            np.right_shift(mixed, np.uint64(29), out=high)
            mixed ^= high
            mixed *= MIX_2
            mixed >>= shift
            mixed ^= left
            left, right, mixed = right, mixed, left
    return (left << half) | right
