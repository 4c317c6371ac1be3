"""Hash tables of 64-bit keys, and the hashes of n-grams that they are asked for, for compiled kernels.

A table has open addressing; the bitmap of its keys stays in the processor's cache and answers most look-ups of what is not in the table.
This module and the kernels import numba, which takes half a second: they are imported where they are used, never at the head of a module.
numba's cache on disk notices a change in the file of a function, not in those that it calls: after an edit here, delete the kernels' caches.
Invariant: equal runs of words have equal hashes, and no hash is 0.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synth_assets.quality.compilation import compiled

__all__ = ["BASE", "I32", "I64", "U64", "Flags", "Table", "bitmap_of", "bits_of", "chain", "empty_table", "find", "grams", "indexed", "mix", "slot_of"]
__all__ += ["whole_hash", "word_of"]

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
Flags = NDArray[np.bool_]

BASE = np.uint64(0x9E3779B97F4A7C15)
"""Of the rolling hash."""

_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _1, _63, _6, _12 = (np.uint64(n) for n in (30, 27, 31, 1, 63, 6, 12))

_BITS_PER_KEY = 8
"""Of the bitmaps, at least: with two bits set per key, at most one look-up in 20 of what is in no table goes on to it."""


class Table(NamedTuple):
    """64-bit keys to numbers from 0. Keys are made of mixed words, so that their low bits are as good as any."""

    keys: U64
    """0 marks a free slot."""
    values: I32


def empty_table(entries: int) -> Table:
    """A table with room for so many keys."""
    slots = 1 << max(4, (entries + entries // 2).bit_length())
    return Table(np.zeros(slots, np.uint64), np.full(slots, -1, np.int32))


def indexed(hashes: U64, valid: Flags) -> tuple[Table, I32]:
    """Hash to the first of its valid positions, and position to the next one, -1 after the last."""
    table = empty_table(int(valid.sum()))
    return table, chain(table, hashes, valid)


def bitmap_of(hashes: U64, valid: Flags) -> U64:
    """Two bits in one word for each of the valid hashes (a blocked Bloom filter, Putze et al. 2007): one access to the memory, for few bits."""
    bitmap = np.zeros(max(1, (1 << (_BITS_PER_KEY * int(valid.sum())).bit_length()) // 64), np.uint64)
    _fill(bitmap, hashes, valid)
    return bitmap


@compiled
def mix(h: Any) -> Any:
    """`h` with every bit depending on all of its bits; never 0 (splitmix64)."""
    h = (h ^ (h >> _30)) * _MIX_1
    h = (h ^ (h >> _27)) * _MIX_2
    h = h ^ (h >> _31)
    return h if h != np.uint64(0) else _1


@compiled
def find(table: Any, key: Any) -> Any:
    """Value of `key`, -1 where it is not."""
    keys, values = table.keys, table.values
    last = np.uint64(len(keys) - 1)
    slot = key & last
    while keys[slot] != np.uint64(0):
        if keys[slot] == key:
            return values[slot]
        slot = (slot + _1) & last
    return np.int32(-1)


@compiled
def slot_of(table: Any, key: Any) -> Any:
    """Slot of `key`, taken if it was free."""
    keys = table.keys
    last = np.uint64(len(keys) - 1)
    slot = key & last
    while keys[slot] != np.uint64(0) and keys[slot] != key:
        slot = (slot + _1) & last
    keys[slot] = key
    return slot


@compiled
def chain(table: Any, hashes: Any, valid: Any) -> Any:
    """Enter the positions of `hashes` that are `valid`; returns position to the next with the same hash."""
    following = np.full(len(hashes), -1, np.int32)
    for at in range(len(hashes) - 1, -1, -1):
        if valid[at]:
            slot = slot_of(table, hashes[at])
            following[at] = table.values[slot]
            table.values[slot] = at
    return following


@compiled
def grams(tokens: Any, n: Any) -> Any:
    """Hash of every run of n tokens."""
    count = max(0, len(tokens) - n + 1)
    out = np.empty(count, np.uint64)
    power = _1
    for _ in range(n):
        power = power * BASE
    h = np.uint64(0)
    for i in range(len(tokens)):
        h = h * BASE + tokens[i]
        if i >= n:
            h = h - tokens[i - n] * power
        if i >= n - 1:
            out[i - n + 1] = h if h != np.uint64(0) else _1
    return out


@compiled
def whole_hash(tokens: Any, begin: Any, end: Any) -> Any:
    """Hash of tokens[begin:end] and their number."""
    h = np.uint64(end - begin)
    for i in range(begin, end):
        h = h * BASE + tokens[i]
    return mix(h)


@compiled
def _fill(bitmap: Any, hashes: Any, valid: Any) -> None:
    for at in range(len(hashes)):
        if valid[at]:
            bitmap[word_of(len(bitmap), hashes[at])] |= bits_of(hashes[at])


@compiled
def word_of(words: Any, key: Any) -> Any:
    """Index of the word for `key` in a bitmap of so many words."""
    return (key >> _12) & np.uint64(words - 1)


@compiled
def bits_of(key: Any) -> Any:
    """The two bits for `key` in that word."""
    return (_1 << (key & _63)) | (_1 << ((key >> _6) & _63))
