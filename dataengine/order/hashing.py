"""Counter-based randomness: a hash of integers, the same on any machine, and what is made of it."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt
import xxhash

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Key = int | Words
"""What a permutation or a draw is keyed by: one for all positions, or one for each."""

MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Purpose(IntEnum):
    """What an order's key is hashed for, so that no two permutations of an epoch share a key."""

    FRAMES = 1
    SHARDS = 2
    WINDOW = 3
    CLASSES = 4
    ROWS_OF_CLASS = 5
    CLIPS_OF_CLASS = 6
    FRAMES_OF_LAP = 7
    STORE = 8


def counter_hash(*words: int | npt.NDArray[np.generic]) -> Words:
    """A 64-bit hash of integers, elementwise over arrays that broadcast together.

    The splitmix64 finaliser (Steele, Lea and Flood, OOPSLA 2014) chained over the words. The same words give the
    same hash on any machine; `counter_hash(seed, epoch, positions)` is the counter-based generator behind every
    draw of the engine.
    """
    state = np.asarray(np.uint64(len(words)))
    for word in words:
        state = absorb(state, word)
    return state


def absorb(state: Words, word: int | npt.NDArray[np.generic]) -> Words:
    """One step of `counter_hash`: the state after one more word. The state before the first is their number."""
    with np.errstate(over="ignore"):
        mixed = np.asarray((state ^ as_words(word)) + _GOLDEN)
        mixed ^= mixed >> np.uint64(30)
        mixed *= MIX_1
        mixed ^= mixed >> np.uint64(27)
        mixed *= MIX_2
        mixed ^= mixed >> np.uint64(31)
    return mixed


def as_words(value: int | npt.NDArray[np.generic]) -> Words:
    """Integers of any width as 64-bit words, negative ones modulo 2**64."""
    if isinstance(value, int):
        return np.asarray(value & 0xFFFFFFFFFFFFFFFF, dtype=np.uint64)
    return np.asarray(value).astype(np.uint64)


def one_key(key: Key) -> bool:
    """Whether one key is every position's."""
    return isinstance(key, int) or key.ndim == 0


def uniform(words: Words) -> npt.NDArray[np.float64]:
    """Hashes as floats in [0, 1), from their upper 53 bits."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def text_hash(text: str) -> int:
    """xxh3_64 of a text: how names enter `counter_hash`."""
    return xxhash.xxh3_64_intdigest(text.encode())
