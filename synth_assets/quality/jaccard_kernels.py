"""Compiled Jaccard similarity of shingle sets: numbering the shingles, and which rows of an index are at or above a threshold.

Shingles are numbered by comparing their words, not by a hash alone, so that no two different ones are ever taken for one. Those that one row alone
has can be in no pair: only their number counts, and with 5-grams that leaves little to index. Invariant: what is decided is decided in integers,
c d >= n (a + b - c) for c common ones of a and b and the threshold n/d.
"""

from typing import Any

import numpy as np

from synth_assets.quality.compilation import compiled
from synth_assets.quality.postings import insert

__all__ = ["intern_shingles", "jaccard_near", "shared_first"]


@compiled
def intern_shingles(words: Any, starts: Any, out_starts: Any, out: Any) -> Any:
    """Number the different shingles of 5 words of all rows from 0; returns how many there are.

    Args:
        words: Word numbers of all rows, each row 5 words or more, or none.
        starts: By row: its first word.
        out_starts: Filled: by row: its first place in `out`.
        out: Filled: each row's different shingles.
    """
    size = 1
    while size < 2 * len(words):
        size *= 2
    table = np.full(size, -1, np.int32)
    where = np.empty(len(words), np.int64)
    last = np.full(len(words), -1, np.int32)
    count = 0
    filled = 0
    for row in range(len(starts) - 1):
        out_starts[row] = filled
        for begin in range(starts[row], starts[row + 1] - 4):
            key = np.uint64(0)
            for i in range(5):
                key = (key ^ np.uint64(words[begin + i])) * np.uint64(0x9E3779B97F4A7C15)
                key ^= key >> np.uint64(32)
            slot = np.int64(key & np.uint64(size - 1))
            number = table[slot]
            while number >= 0:
                other = where[number]
                i = 0
                while i < 5 and words[begin + i] == words[other + i]:
                    i += 1
                if i == 5:
                    break
                slot = (slot + 1) & (size - 1)
                number = table[slot]
            if number < 0:
                number = count
                table[slot] = count
                where[count] = begin
                count += 1
            if last[number] != row:
                last[number] = row
                out[filled] = number
                filled += 1
    out_starts[len(starts) - 1] = filled
    return count


@compiled
def shared_first(starts: Any, elements: Any, rows_with: Any, place: Any) -> Any:
    """Each row's elements that another row has too, as their places in the order rare first; returns their starts by row and the elements."""
    out_starts = np.zeros(len(starts), np.int64)
    out = np.empty(len(elements), np.int32)
    filled = 0
    for row in range(len(starts) - 1):
        begin = filled
        for i in range(starts[row], starts[row + 1]):
            if rows_with[elements[i]] > 1:
                out[filled] = place[elements[i]]
                filled += 1
        out[begin:filled].sort()
        out_starts[row + 1] = filled
    return out_starts, out[:filled].copy()


@compiled
def jaccard_near(
    elements: Any,
    starts: Any,
    sizes: Any,
    postings: Any,
    numerator: int,
    denominator: int,
    block: int,
    row: int,
    stop: int,
    put_in: int,
    out_row: Any,
    out_other: Any,
    out_common: Any,
) -> Any:
    """Find rows in the index whose Jaccard similarity with one of the rows `row` to `stop` is at or above the threshold, and put these rows in.

    Args:
        elements: Of all rows, what `shared_first` made.
        starts: By row: its first element.
        sizes: By row: how many elements it has, shared or not.
        postings: The index.
        numerator: Of the threshold.
        denominator: Of the threshold.
        block: As in `rouge_near`, as are `row`, `stop` and `put_in`.
        row: The first row.
        stop: The row after the last one.
        put_in: Which rows to put in.
        out_row: Filled: rows at hand.
        out_other: Filled: rows in the index.
        out_common: Filled: how many elements they have in common.

    Returns:
        As `rouge_near`.
    """
    count = 0
    while row < stop and count + row < len(out_row):
        begin, end = starts[row], starts[row + 1]
        size = sizes[row]
        postings.is_in[row] = False
        postings.first[row + 1] = postings.first[row]
        # The prefix has size - ceil(t size) + 1 elements; those that no other row has come first.
        length = size - (numerator * size + denominator - 1) // denominator + 1 - (size - (end - begin))
        length = max(0, min(length, end - begin)) if size > 0 else 0
        postings.searches[0] += 1
        search = postings.searches[0]
        dropped = False
        for place in range(begin, begin + length):
            first = postings.begin[elements[place]]
            for entry in range(first, first + postings.length[elements[place]]):
                n = np.int64(postings.size[entry])
                other = postings.row[entry]
                if n * denominator < numerator * size or size * denominator < numerator * n or postings.seen[other] == search:
                    continue
                postings.seen[other] = search
                needed = (numerator * (size + n) + numerator + denominator - 1) // (numerator + denominator)
                a, b, b_end = begin, starts[other], starts[other + 1]
                common = 0
                while a < end and b < b_end and common + min(end - a, b_end - b) >= needed:
                    if elements[a] == elements[b]:
                        common += 1
                        a += 1
                        b += 1
                    elif elements[a] < elements[b]:
                        a += 1
                    else:
                        b += 1
                if common >= needed:
                    out_row[count] = row
                    out_other[count] = other
                    out_common[count] = common
                    count += 1
                    dropped = dropped or other < block
        if put_in == 2 or (put_in == 1 and not dropped):
            insert(postings, row, size, np.uint64(0), elements[begin : begin + length])
        row += 1
    return row, count
