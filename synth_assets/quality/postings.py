"""An inverted index for compiled joins: for each element the rows that have it, in lists that grow and shrink at their ends.

Two rows above a threshold share an element of their prefixes, the rarest elements of each (Chaudhuri et al. 2006, prefix filtering), so that only
prefixes are put in. Rows come in blocks: all rows of a block are put in as they are met, and those that turn out to be dropped are taken out
again, so that the index holds kept rows only, however many near-duplicates they have. Invariant: entries of later rows stand after those of
earlier ones in every list, so that the last rows can be taken out without a search.

This module and the kernels import numba, which takes half a second: they are imported where they are used, never at the head of a module.
numba's cache on disk notices a change in the file of a function, not in those that it calls: after an edit here, delete the kernels' caches.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synth_assets.quality.compilation import compiled
from synth_assets.quality.pairs import Integers

__all__ = ["Int32s", "Postings", "empty_postings", "insert", "resized", "settle"]

Int32s = NDArray[np.int32]


class Postings(NamedTuple):
    """One list per element. A list that is full moves to the end of the arena with twice its room.

    The arena is read from front to back with what decides most candidates in it: linked lists, whose every step waits for the memory, took twice
    as long on 52,000 Alpaca instructions (33 million steps, 24 ns each).
    """

    begin: Integers
    """By element: where its list begins in the arena."""
    length: Int32s
    """By element: entries in its list."""
    room: Int32s
    """By element: entries that its list has room for."""
    row: Int32s
    """Arena: by entry."""
    size: Int32s
    """Arena: by entry: how many elements the row has."""
    signature: NDArray[np.uint64]
    """Arena: by entry: the row's signature; no places at all in a join without signatures."""
    end: Integers
    """One number: the first place of the arena that no list ever had."""
    element: Int32s
    """Elements of the rows that are in, row after row."""
    first: Integers
    """By row: its first place in `element`; the place after its last one stands at the row after it."""
    is_in: NDArray[np.bool_]
    """By row: whether it is in the index."""
    seen: Integers
    """By row: the last search that met it."""
    searches: Integers
    """One number: how often was searched."""


def empty_postings(rows: int, elements: int, entries: int, *, signed: bool) -> Postings:
    """An index without rows, with room for so many rows, different elements and entries.

    Lists double and leave their old places behind: an element with n entries has used fewer than 4 n places.
    """
    arena = 4 * entries
    return Postings(
        np.zeros(elements, np.int64),
        np.zeros(elements, np.int32),
        np.zeros(elements, np.int32),
        np.empty(arena, np.int32),
        np.empty(arena, np.int32),
        np.empty(arena if signed else 0, np.uint64),
        np.zeros(1, np.int64),
        np.empty(entries, np.int32),
        np.zeros(rows + 1, np.int64),
        np.zeros(rows, np.bool_),
        np.zeros(rows, np.int64),
        np.zeros(1, np.int64),
    )


def resized(postings: Postings, rows: int, elements: int, entries: int) -> Postings:
    """The same index with room for so many rows, elements and entries, none fewer than it has."""
    more = empty_postings(rows, elements, entries, signed=len(postings.signature) > 0)
    arrays: tuple[Any, ...] = tuple(more)
    before: tuple[Any, ...] = tuple(postings)
    for old, new in zip(before, arrays, strict=True):
        new[: len(old)] = old
    return more


@compiled
def _append(postings: Any, element: int, row: int, size: int, signature: Any) -> None:
    length = postings.length[element]
    if length == postings.room[element]:
        begin, end = postings.begin[element], postings.end[0]
        for i in range(length):
            postings.row[end + i] = postings.row[begin + i]
            postings.size[end + i] = postings.size[begin + i]
            if len(postings.signature) > 0:
                postings.signature[end + i] = postings.signature[begin + i]
        postings.begin[element] = end
        postings.room[element] = max(1, 2 * length)
        postings.end[0] += postings.room[element]
    place = postings.begin[element] + length
    postings.row[place] = row
    postings.size[place] = size
    if len(postings.signature) > 0:
        postings.signature[place] = signature
    postings.length[element] = length + 1


@compiled
def insert(postings: Any, row: int, size: int, signature: Any, prefix: Any) -> None:
    """Put in `row`, after all rows that are in, with the elements of `prefix`, all different."""
    used = postings.first[row]
    for element in prefix:
        postings.element[used] = element
        used += 1
        _append(postings, element, row, size, signature)
    postings.first[row + 1] = used
    postings.is_in[row] = True


@compiled
def settle(postings: Any, sizes: Any, signatures: Any, start: int, stop: int, kept: Any) -> None:
    """Take the rows `start` to `stop`, the last ones of the index, out of it, but for those that are `kept` (one flag for each)."""
    while start < stop and kept[0]:
        start += 1
        kept = kept[1:]
    used = postings.first[start]
    for place in range(used, postings.first[stop]):
        postings.length[postings.element[place]] -= 1
    for row in range(start, stop):
        begin, end = postings.first[row], postings.first[row + 1]
        postings.is_in[row] = postings.is_in[row] and kept[row - start]
        postings.first[row] = used
        if postings.is_in[row]:
            # Elements only ever move towards the front, so that none is overwritten before it was read.
            for place in range(begin, end):
                element = postings.element[place]
                postings.element[used] = element
                used += 1
                _append(postings, element, row, sizes[row], signatures[row] if len(postings.signature) > 0 else np.uint64(0))
    postings.first[stop] = used
