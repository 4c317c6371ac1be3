"""Compiled look-up: the runs of words that rows share with benchmark items.

Every third n-gram of a row is looked up by a rolling hash, first in a bitmap that stays in the processor's cache; a match is extended to the whole
run of equal words. What is found is told as records: row, kind, item, position in the item, position in the row, length.
Invariant: no run of words that an n-gram which counts lies in is missed; hashes may agree where words do not, so that the caller compares the words.
"""

from typing import Any, NamedTuple

import numpy as np

from synth_assets.quality.compilation import compiled
from synth_assets.quality.hash_tables import BASE, I32, I64, U64, Flags, Table, bits_of, find, whole_hash, word_of
from synth_assets.quality.word_kernels import tokenize

__all__ = ["CONTAINED", "MASKED_RUN", "PLAIN_RUN", "WHOLE_ANSWER", "WHOLE_BOTH", "WHOLE_PROMPT", "Heads", "Tier", "Whole", "scan"]

PLAIN_RUN, MASKED_RUN, CONTAINED, WHOLE_PROMPT, WHOLE_ANSWER, WHOLE_BOTH = range(6)
"""Kinds of records."""

_1 = np.uint64(1)


class Tier(NamedTuple):
    """The words of the items, and where short n-grams of theirs stand: a run is found by any of them."""

    n: int
    """Words of the n-grams in `table`."""
    stride: int
    """Every so many words of a row one n-gram is looked up: no run that is `n + stride - 1` words long is missed."""
    long: int
    """Words of the n-grams that `living_long` counts."""
    tokens: U64
    """Words of all items, one item after the other."""
    item: I32
    """Number of the item, per word."""
    begin: I64
    """Item number to its first word."""
    end: I64
    valid: Flags
    """Whether the n-gram at a position is in the table: those are that lie within an n-gram that counts."""
    table: Table
    """n-gram to the first position where it stands."""
    following: I32
    """Position to the next one with the same n-gram, -1 after the last."""
    bitmap: U64
    living: I64
    """Sums over positions, from 0, of those where an n-gram that counts begins: of 8 words, or of the long one."""
    living_long: I64


class Whole(NamedTuple):
    """Items by all their words."""

    table: Table
    following: I32


class Heads(NamedTuple):
    """Items that are looked for inside texts, by one n-gram of theirs."""

    n: int
    table: Table
    following: I32
    """By the item's place in the two below."""
    bitmap: U64
    items: I32
    offset: I64
    """Position of that n-gram in the item."""


@compiled
def runs(tier: Any, kind: Any, row: Any, tokens: Any, count: Any, records: Any, found: Any) -> Any:
    """Records of the longest runs of words that the row's `count` tokens share with items, those that hold an n-gram which counts."""
    n, bitmap = tier.n, tier.bitmap
    for start in range(0, count - n + 1, tier.stride):
        h = np.uint64(0)
        for i in range(n):
            h = h * BASE + tokens[start + i]
        key = h if h != np.uint64(0) else _1
        bits = bits_of(key)
        if bitmap[word_of(len(bitmap), key)] & bits != bits:
            continue
        p = find(tier.table, key)
        while p >= 0:
            item = tier.item[p]
            begin, end = tier.begin[item], tier.end[item]
            # Words before that are equal too; where there are as many as the stride, the look-up before has found this run.
            left = 0
            while left < tier.stride and p - left > begin and start - left > 0 and tier.tokens[p - left - 1] == tokens[start - left - 1]:
                left += 1
            if left < tier.stride or not tier.valid[p - tier.stride]:
                length = n
                while p + length < end and start + length < count and tier.tokens[p + length] == tokens[start + length]:
                    length += 1
                first, length = p - left, length + left
                counts = tier.living[max(first, first + length - 7)] > tier.living[first]
                if counts or tier.living_long[max(first, first + length - tier.long + 1)] > tier.living_long[first]:
                    if found < len(records):
                        records[found] = (row, kind, np.int64(item), first - begin, start - left, length)
                    found += 1
            p = tier.following[p]
    return found


@compiled
def worthwhile(tier: Any, share: Any, sums: Any, records: Any, first: Any, found: Any) -> Any:
    """Of the row's records from `first`, those of items of which a long n-gram counts, or runs are long enough together to be above `share`."""
    for at in range(first, found):
        item, position, length = records[at, 2], records[at, 3], records[at, 5]
        p = tier.begin[item] + position
        is_long = tier.living_long[max(p, p + length - tier.long + 1)] > tier.living_long[p]
        sums[item] += tier.end[item] - tier.begin[item] + 1 if is_long else length
    for at in range(first, found):
        item = records[at, 2]
        # The exact limit is the caller's; this one is a little lower.
        if sums[item] < share * (tier.end[item] - tier.begin[item]) - 1e-6:
            records[at, 1] = -1
    kept = first
    for at in range(first, found):
        sums[records[at, 2]] = 0
        if records[at, 1] >= 0:
            for column in range(6):
                records[kept, column] = records[at, column]
            kept += 1
    return kept


@compiled
def inside(heads: Any, tier: Any, row: Any, tokens: Any, prompt: Any, count: Any, seen: Any, records: Any, found: Any) -> Any:
    """Records of the items that stand in the row whole, each once in the prompt, in the answer and over both; `seen` is zero before and after."""
    first_found = found
    n, bitmap = heads.n, heads.bitmap
    for first in range(count - n + 1):
        h = np.uint64(0)
        for i in range(n):
            h = h * BASE + tokens[first + i]
        key = h if h != np.uint64(0) else _1
        bits = bits_of(key)
        if bitmap[word_of(len(bitmap), key)] & bits != bits:
            continue
        entry = find(heads.table, key)
        while entry >= 0:
            item = heads.items[entry]
            begin, end = tier.begin[item], tier.end[item]
            start = first - heads.offset[entry]
            part = 1 if start + end - begin <= prompt else 2 if start >= prompt else 4
            if start >= 0 and start + end - begin <= count and not seen[item] & part:
                same = True
                for i in range(end - begin):
                    if tier.tokens[begin + i] != tokens[start + i]:
                        same = False
                        break
                if same:
                    seen[item] |= part
                    if found < len(records):
                        records[found] = (row, CONTAINED, np.int64(item), 0, start, end - begin)
                    found += 1
            entry = heads.following[entry]
    if found > len(records):
        seen[:] = 0
    else:
        for at in range(first_found, found):
            seen[records[at, 2]] = 0
    return found


@compiled
def scan(blob: Any, offsets: Any, classes: Any, lower: Any, kinds: Any, plain: Any, masked: Any, whole: Any, heads: Any, share: Any, records: Any) -> Any:
    """Records of all rows, whose texts are prompt, response, prompt, ...; where `records` is too small, how large it must be.

    Masked runs are only told of items of which they may cover more than `share`, or hold a long n-gram that counts.
    """
    longest = 0
    for row in range(0, len(offsets) - 1, 2):
        longest = max(longest, offsets[row + 2] - offsets[row])
    words, masks = np.empty(longest + 2, np.uint64), np.empty(longest + 2, np.uint64)
    sums = np.zeros(len(plain.begin), np.int64)
    found = 0
    for row in range((len(offsets) - 1) // 2):
        a, b, c = offsets[2 * row], offsets[2 * row + 1], offsets[2 * row + 2]
        prompt, prompt_masked, _ = tokenize(blob, a, b, classes, lower, kinds, words, 0, masks, 0)
        count, count_masked, _ = tokenize(blob, b, c, classes, lower, kinds, words, prompt, masks, prompt_masked)
        for kind, first, last in ((WHOLE_PROMPT, 0, prompt), (WHOLE_ANSWER, prompt, count), (WHOLE_BOTH, 0, count)):
            if first == last:
                continue
            item = find(whole.table, whole_hash(words, first, last))
            while item >= 0:
                if found < len(records):
                    records[found] = (row, kind, np.int64(item), 0, first, last - first)
                found += 1
                item = whole.following[item]
        found = inside(heads, plain, row, words, prompt, count, sums, records, found)
        found = runs(plain, PLAIN_RUN, row, words, count, records, found)
        before = found
        found = runs(masked, MASKED_RUN, row, masks, count_masked, records, found)
        if before < found <= len(records):
            found = worthwhile(masked, share, sums, records, before, found)
    return found
