"""Compiled ROUGE-L: which rows of an index have an F above a threshold with a row at hand.

Rows are sequences of word numbers. Of the rows that share a rare word with the row at hand, lengths and 64-bit signatures of the bags of words rule
most out; the rest are compared by a bit-parallel LCS (Hyyro 2004), 64 words at a time, so that no text is too long. Invariant: what is decided is
decided in integers (2 LCS d > n (m + n) for the threshold n/d), and a filter passes over a pair only if it cannot be above the threshold.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synth_assets.quality.compilation import compiled
from synth_assets.quality.postings import insert

__all__ = ["Scratch", "index_rows", "nearest_earlier", "rouge_near", "sign"]


class Scratch(NamedTuple):
    """Room to work in, all zeros between calls."""

    mask: NDArray[np.uint64]
    """By word: the places at which the text at hand has it, one bit each."""
    carry: NDArray[np.uint8]
    """By place in the longest text."""


_ONE = np.uint64(1)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_STRIP = 64


@compiled
def _bits(x: Any) -> Any:
    """Bits set in 64; LLVM makes one instruction of it."""
    x = x - ((x >> _ONE) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))


@compiled
def _mark(words: Any, begin: int, end: int, mask: Any) -> None:
    for i in range(begin, end):
        mask[words[i]] |= _ONE << np.uint64(i - begin)


@compiled
def _unmark(words: Any, begin: int, end: int, mask: Any) -> None:
    for i in range(begin, end):
        mask[words[i]] = np.uint64(0)


@compiled
def _lcs(words: Any, a: int, a_end: int, b: int, b_end: int, scratch: Any) -> Any:
    """Words of the longest common subsequence of two rows; the first one is marked already if it has no more words than a strip."""
    i = 0
    if a_end - a == b_end - b:
        while i < a_end - a and words[a + i] == words[b + i]:
            i += 1
        if i == a_end - a:
            return i
    mask, carry = scratch.mask, scratch.carry
    if a_end - a <= _STRIP:
        v = _ALL
        for j in range(b, b_end):
            u = v & mask[words[j]]
            v = (v + u) | (v - u)
        return _bits(~v)
    # Strip by strip; what one strip carries into the next is kept by place in the other text.
    length = np.int64(0)
    for begin in range(a, a_end, _STRIP):
        end = min(begin + _STRIP, a_end)
        _mark(words, begin, end, mask)
        v = _ALL
        for j in range(b, b_end):
            u = v & mask[words[j]]
            half = v + u
            total = half + np.uint64(carry[j - b])
            carry[j - b] = np.uint8((half < v) | (total < half))
            v = total | (v - u)
        _unmark(words, begin, end, mask)
        length += _bits(~v if end - begin == _STRIP else ~v & ((_ONE << np.uint64(end - begin)) - _ONE))
    for j in range(b_end - b):
        carry[j] = np.uint8(0)
    return length


@compiled
def sign(words: Any, starts: Any, begin: int, end: int, signatures: Any) -> None:
    """Fill in the signatures of rows `begin` to `end`: one bit for each word, and for each repetition of it another.

    The bits of one row that another has not are a lower bound of the words that it has and the other has not.
    """
    for row in range(begin, end):
        bag = np.sort(words[starts[row] : starts[row + 1]])
        bits = np.uint64(0)
        repetition = 0
        for i in range(len(bag)):
            repetition = repetition + 1 if i > 0 and bag[i] == bag[i - 1] else 0
            mixed = np.uint64(bag[i]) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(repetition) * np.uint64(0xD1B54A32D192ED03)
            mixed ^= mixed >> np.uint64(29)
            bits |= _ONE << ((mixed * np.uint64(0xBF58476D1CE4E5B9)) >> np.uint64(58))
        signatures[row] = bits


@compiled
def _prefix(words: Any, begin: int, end: int, rank: Any, numerator: int, denominator: int) -> Any:
    """The different words of a row's prefix, rare first.

    A row above the threshold has at least `shortest` words, so that it has at least the LCS in common that a row of this length needs.
    """
    m = end - begin
    shortest = numerator * m // (2 * denominator - numerator) + 1
    length = max(0, m - numerator * (m + shortest) // (2 * denominator))
    ranked = np.empty(m, np.int64)
    for i in range(m):
        ranked[i] = (np.int64(rank[words[begin + i]]) << 32) | np.int64(words[begin + i])
    ranked.sort()
    prefix = np.empty(length, np.int32)
    distinct = 0
    for i in range(length):
        if i == 0 or ranked[i] != ranked[i - 1]:
            prefix[distinct] = ranked[i] & 0xFFFFFFFF
            distinct += 1
    return prefix[:distinct]


@compiled
def index_rows(words: Any, starts: Any, rank: Any, signatures: Any, postings: Any, numerator: int, denominator: int, begin: int, end: int) -> None:
    """Put the rows `begin` to `end` into the index, after all rows that are in it."""
    for row in range(begin, end):
        prefix = _prefix(words, starts[row], starts[row + 1], rank, numerator, denominator)
        insert(postings, row, starts[row + 1] - starts[row], signatures[row], prefix)


@compiled
def rouge_near(
    words: Any,
    starts: Any,
    rank: Any,
    signatures: Any,
    postings: Any,
    scratch: Any,
    numerator: int,
    denominator: int,
    block: int,
    row: int,
    stop: int,
    put_in: int,
    out_row: Any,
    out_other: Any,
    out_lcs: Any,
) -> Any:
    """Find rows in the index whose ROUGE-L F with one of the rows `row` to `stop` is above the threshold, and put these rows in.

    Args:
        words: Word numbers of all rows, one row after the other.
        starts: By row: its first word.
        rank: By word: its place when words are sorted rare first.
        signatures: By row.
        postings: The index.
        scratch: Room.
        numerator: Of the threshold.
        denominator: Of the threshold.
        block: The row at which the block begins: rows before it that are in the index stay there.
        row: The first row.
        stop: The row after the last one.
        put_in: 0 puts no row in, 2 every row, 1 those that are near no row before the block: the others will be dropped in any case.
        out_row: Filled: rows at hand.
        out_other: Filled: rows in the index.
        out_lcs: Filled: how many words they have in common.

    Returns:
        The row to go on at, which is before `stop` where there was no room for more pairs, and how many pairs were filled in.
    """
    count = 0
    while row < stop and count + row < len(out_row):
        begin, end = starts[row], starts[row + 1]
        m = end - begin
        postings.is_in[row] = False
        postings.first[row + 1] = postings.first[row]
        prefix = _prefix(words, begin, end, rank, numerator, denominator)
        postings.searches[0] += 1
        search = postings.searches[0]
        one = signatures[row]
        marked = False
        dropped = False
        for element in prefix:
            first = postings.begin[element]
            for entry in range(first, first + postings.length[element]):
                n, two = np.int64(postings.size[entry]), postings.signature[entry]
                if 2 * denominator * min(m - _bits(one & ~two), n - _bits(two & ~one)) <= numerator * (m + n):
                    continue
                other = postings.row[entry]
                if postings.seen[other] == search:
                    continue
                postings.seen[other] = search
                if m <= _STRIP and not marked:
                    _mark(words, begin, end, scratch.mask)
                    marked = True
                lcs = _lcs(words, begin, end, starts[other], starts[other + 1], scratch)
                if 2 * denominator * lcs > numerator * (m + n):
                    out_row[count] = row
                    out_other[count] = other
                    out_lcs[count] = lcs
                    count += 1
                    dropped = dropped or other < block
        if marked:
            _unmark(words, begin, end, scratch.mask)
        if put_in == 2 or (put_in == 1 and not dropped):
            insert(postings, row, m, one, prefix)
        row += 1
    return row, count


@compiled
def nearest_earlier(words: Any, starts: Any, signatures: Any, scratch: Any, common: Any, total: Any) -> None:
    """Fill in, for each row, LCS and words of both texts of the earlier row with the highest F; 0 and 1 where nothing is in common."""
    for row in range(len(starts) - 1):
        begin, end = starts[row], starts[row + 1]
        m = end - begin
        best, words_of_both = np.int64(0), np.int64(1)
        one = signatures[row]
        marked = False
        for other in range(row - 1, -1, -1):
            n = starts[other + 1] - starts[other]
            two = signatures[other]
            bound = min(m - _bits(one & ~two), n - _bits(two & ~one))
            if bound * words_of_both <= best * (m + n):
                continue
            if m <= _STRIP and not marked:
                _mark(words, begin, end, scratch.mask)
                marked = True
            lcs = _lcs(words, begin, end, starts[other], starts[other + 1], scratch)
            if lcs * words_of_both > best * (m + n):
                best, words_of_both = lcs, m + n
        if marked:
            _unmark(words, begin, end, scratch.mask)
        common[row] = best
        total[row] = words_of_both
