"""Which images are near to each other, without comparing all with all.

Two hashes that differ in at most 7 of 64 bits agree, but for one bit at most, in one of their four words of 16 bits:
else they would differ in two bits of each, which is 8. So images are looked up by each word, as it is and with any one
of its bits changed: multi-index hashing, after Norouzi, Punjani and Fleet, *Fast Search in Hamming Space with
Multi-Index Hashing* (CVPR 2012).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from dataengine.leaks.signature import Words

Ints = npt.NDArray[np.int64]

NEAR_BITS = 7
"""Of 64. Hashes of unrelated images differ in 32, of unrelated face crops in 24, give or take 5; those of a frame and
of the same frame scaled and compressed again in at most 6, 99 times of 100 (measured on generated portraits)."""

DETAIL_BITS = 32
"""Of 192. Of those portraits, 99.5 % of the frames that were scaled and compressed again pass both bounds, and none of
1.3 million pairs of crops of unrelated people, whose detail is at least 35 bits apart, and mostly 86."""

_BANDS, _BAND_BITS = 4, 16
_PAIRS_AT_ONCE = 1 << 22


def bits_apart(a: Words, b: Words) -> Ints:
    """Hamming distance of 64-bit words, elementwise."""
    x = a ^ b
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return ((x * np.uint64(0x0101010101010101)) >> np.uint64(56)).astype(np.int64)


def near_hashes(hashes: Words) -> Iterator[tuple[Ints, Ints]]:
    """All pairs of (N,) hashes that differ in at most NEAR_BITS bits, each once, as pieces of two equal arrays of
    places; a piece holds at most a few million."""
    for band in range(_BANDS):
        words = _band(hashes, band)
        order = np.argsort(words, kind="stable")
        begin = np.searchsorted(words[order], np.arange((1 << _BAND_BITS) + 1))
        # A pair is found from its smaller word alone, and within a word from the earlier place alone.
        for flipped in (0, *(1 << bit for bit in range(_BAND_BITS))):
            other = words[order].astype(np.int64) ^ flipped
            first, stop = begin[other], begin[other + 1]
            if flipped:
                stop = np.where(words[order] < other, stop, first)
            else:
                first = np.arange(1, len(order) + 1)
            yield from _checked(hashes, order, first, stop, band)


def _band(hashes: Words, band: int) -> npt.NDArray[np.uint16]:
    return ((hashes >> np.uint64(_BAND_BITS * band)) & np.uint64(0xFFFF)).astype(np.uint16)


def _checked(hashes: Words, order: Ints, first: Ints, stop: Ints, band: int) -> Iterator[tuple[Ints, Ints]]:
    """Of the pairs of place k of `order` with its places first[k]:stop[k], those that are near, and new."""
    counts = stop - first
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(order):
        done = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + _PAIRS_AT_ONCE, side="right")))
        part = slice(begin, end)
        begin = end
        total = int(counts[part].sum())
        if not total:
            continue
        left = np.repeat(np.arange(part.start, part.stop), counts[part])
        start_of = np.repeat(first[part] - (ends[part] - counts[part] - done), counts[part])
        i, j = order[left], order[start_of + np.arange(total)]
        near = bits_apart(hashes[i], hashes[j]) <= NEAR_BITS
        i, j = i[near], j[near]
        for earlier in range(band):  # given there already
            new = bits_apart(*(_band(hashes[k], earlier).astype(np.uint64) for k in (i, j))) > 1
            i, j = i[new], j[new]
        if len(i):
            yield i, j


def same_detail(signatures: Words, i: Ints, j: Ints) -> npt.NDArray[np.bool_]:
    """Which pairs of (N, 4) signatures agree in the detail that the hash does not see."""
    apart = sum(bits_apart(signatures[i, word], signatures[j, word]) for word in range(1, signatures.shape[1]))
    return np.asarray(apart <= DETAIL_BITS)
