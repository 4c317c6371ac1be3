"""Compiled kernels: words of a text as 64-bit hashes, and the runs of words that a row shares with benchmark items.

This module imports numba, which takes half a second, and compiles when it is first used; `item_runs` imports it when there is much text.
A text is read once, byte by byte: its words are hashed as they end, in lower case, and a second time masked. Every n-gram of a row is looked
up by a rolling hash, first in a bitmap that stays in the cache; a match is extended to the whole run of equal words.
Invariant: words that `folding` holds equal have equal hashes, so that nothing is missed; what is found is compared word for word by the caller.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]

WORD, HAN, DIGIT, UPPER, LOWER = 1, 2, 4, 8, 16
"""Bits of a character's class."""

NUMBER_WORD, STOP_WORD, JOINER, UNIT, SIGN, POSSESSIVE = 1, 2, 4, 8, 16, 32
"""Bits of a word's kind, for masking."""

PLAIN_RUN, MASKED_RUN, CONTAINED, WHOLE_PROMPT, WHOLE_ANSWER, WHOLE_BOTH = range(6)
"""Kinds of records: (row, kind, item, position in the item, position in the row, length)."""

_SEED, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_BASE = np.uint64(0x9E3779B97F4A7C15)
NUMBER_HASH, NAME_HASH = np.uint64(0x1F3D5B79A8C6E401), np.uint64(0x5A17C3E98B2D4F60)
_30, _27, _31, _1, _63, _6 = (np.uint64(n) for n in (30, 27, 31, 1, 63, 6))


class Table(NamedTuple):
    """A hash table of 64-bit keys, open addressing; 0 marks a free slot. Keys are made of mixed words, so that their low bits are as good as any."""

    keys: U64
    values: I32


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
    valid: NDArray[np.bool_]
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


def compiled(function: Callable[..., Any]) -> Any:
    """`function` compiled on its first call, and kept on disk where there is a place to write."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return numba.njit(nogil=True)(function)


def _mix(h):  # type: ignore[no-untyped-def]
    h = (h ^ (h >> _30)) * _MIX_1
    h = (h ^ (h >> _27)) * _MIX_2
    h = h ^ (h >> _31)
    return h if h != np.uint64(0) else _1


mix = compiled(_mix)


def _find(table, key):  # type: ignore[no-untyped-def]
    """Value of `key`, -1 where it is not."""
    keys, values = table.keys, table.values
    last = np.uint64(len(keys) - 1)
    slot = key & last
    while keys[slot] != np.uint64(0):
        if keys[slot] == key:
            return values[slot]
        slot = (slot + _1) & last
    return np.int32(-1)


find = compiled(_find)


def _slot(table, key):  # type: ignore[no-untyped-def]
    """Slot of `key`, taken if it was free."""
    keys = table.keys
    last = np.uint64(len(keys) - 1)
    slot = key & last
    while keys[slot] != np.uint64(0) and keys[slot] != key:
        slot = (slot + _1) & last
    keys[slot] = key
    return slot


slot_of = compiled(_slot)


def _grams(tokens, n):  # type: ignore[no-untyped-def]
    """Hash of every run of n tokens; never 0."""
    count = max(0, len(tokens) - n + 1)
    out = np.empty(count, np.uint64)
    power = _1
    for _ in range(n):
        power = power * _BASE
    h = np.uint64(0)
    for i in range(len(tokens)):
        h = h * _BASE + tokens[i]
        if i >= n:
            h = h - tokens[i - n] * power
        if i >= n - 1:
            out[i - n + 1] = h if h != np.uint64(0) else _1
    return out


grams = compiled(_grams)


def _whole(tokens, count):  # type: ignore[no-untyped-def]
    """Hash of the first `count` tokens and their number; never 0."""
    h = np.uint64(count)
    for i in range(count):
        h = h * _BASE + tokens[i]
    return mix(h)


whole_hash = compiled(_whole)


def _chain(table, hashes, valid):  # type: ignore[no-untyped-def]
    """Enter the positions of `hashes` that are `valid`; returns position to the next with the same hash."""
    following = np.full(len(hashes), -1, np.int32)
    for at in range(len(hashes) - 1, -1, -1):
        if valid[at]:
            slot = slot_of(table, hashes[at])
            following[at] = table.values[slot]
            table.values[slot] = at
    return following


chain = compiled(_chain)


def _fill(bitmap, hashes, valid):  # type: ignore[no-untyped-def]
    last = np.uint64(len(bitmap) * 64 - 1)
    for at in range(len(hashes)):
        if valid[at]:
            bit = hashes[at] & last
            bitmap[bit >> _6] |= _1 << (bit & _63)


fill = compiled(_fill)


def _tokenize(blob, start, stop, classes, lower, kinds, plain, at, masked, at_masked):  # type: ignore[no-untyped-def]
    """Hash the words of blob[start:stop], UTF-8 as `folding.folded` leaves it, into `plain` from `at` and, masked, into `masked` from `at_masked`.

    Returns both ends and the number of Han characters.
    """
    first_masked = at_masked
    hans = 0
    h = _SEED
    length = 0
    bits = 0
    first = 0
    i = start
    while i <= stop:
        c: Any = 0
        kind: Any = 0
        if i < stop:
            c = np.int64(blob[i])
            if c < 0x80:
                i += 1
            elif c < 0xE0:
                c = (c & 0x1F) << 6 | np.int64(blob[i + 1]) & 0x3F
                i += 2
            elif c < 0xF0:
                c = (c & 0x0F) << 12 | (np.int64(blob[i + 1]) & 0x3F) << 6 | np.int64(blob[i + 2]) & 0x3F
                i += 3
            else:
                c = (c & 0x07) << 18 | (np.int64(blob[i + 1]) & 0x3F) << 12 | (np.int64(blob[i + 2]) & 0x3F) << 6 | np.int64(blob[i + 3]) & 0x3F
                i += 4
            if c < len(classes):
                kind = np.int64(classes[c])
        else:
            i += 1
        if kind & WORD:
            h = (h ^ np.uint64(lower[c])) * _PRIME
            if length == 0:
                first = kind
            length += 1
            bits |= kind
            continue
        # A Han character ends the word before it and is one itself.
        for turn in range(2):
            if turn == 1:
                if not kind & HAN:
                    break
                h = (_SEED ^ np.uint64(c)) * _PRIME
                length = 1
                bits = first = 0
                hans += 1
            if length == 0:
                continue
            token = mix(h)
            plain[at] = token
            at += 1
            known = find(kinds, token)
            if known < 0:
                known = np.int32(0)
            last = masked[at_masked - 1] if at_masked > first_masked else np.uint64(0)
            if bits & DIGIT or known & NUMBER_WORD:
                before = find(kinds, last)
                if before > 0 and (before & SIGN or (before & JOINER and at_masked - 1 > first_masked and masked[at_masked - 2] == NUMBER_HASH)):
                    at_masked -= 1
                if at_masked == first_masked or masked[at_masked - 1] != NUMBER_HASH:
                    masked[at_masked] = NUMBER_HASH
                    at_masked += 1
            elif first & UPPER and (length == 1 or bits & LOWER) and not known & STOP_WORD:
                if last != NAME_HASH:
                    masked[at_masked] = NAME_HASH
                    at_masked += 1
            elif not (known & UNIT and last == NUMBER_HASH) and not (known & POSSESSIVE and last == NAME_HASH):
                masked[at_masked] = token
                at_masked += 1
            h = _SEED
            length = 0
            bits = 0
    return at, at_masked, hans


tokenize = compiled(_tokenize)


def _tokenize_all(blob, offsets, classes, lower, kinds, plain, masked):  # type: ignore[no-untyped-def]
    """All texts one after the other: per text the ends in `plain` and in `masked`, and the Han characters."""
    ends = np.zeros((len(offsets), 3), np.int64)
    for text in range(len(offsets) - 1):
        at, at_masked, hans = tokenize(blob, offsets[text], offsets[text + 1], classes, lower, kinds, plain, ends[text, 0], masked, ends[text, 1])
        ends[text + 1] = (at, at_masked, hans)
    return ends


tokenize_all = compiled(_tokenize_all)


def _telling(tokens, begin, end, n, least, most):  # type: ignore[no-untyped-def]
    """Per position whether the n-gram that begins there lies in one item and has at least `least` different words that are not masked.

    Where it stands in the item more than `most` times, it has not.
    """
    telling = np.zeros(len(tokens), np.bool_)
    repeats = np.zeros(len(tokens), np.int64)
    for item in range(len(begin)):
        if least > 0:
            for at in range(begin[item], end[item]):
                # How far back the same word stands; a masked one counts as a repetition wherever it is.
                back = n
                if tokens[at] == NUMBER_HASH or tokens[at] == NAME_HASH:
                    back = 0
                else:
                    for j in range(1, min(n, at - begin[item] + 1)):
                        if tokens[at - j] == tokens[at]:
                            back = j
                            break
                repeats[at] = back
        for at in range(begin[item], end[item] - n + 1):
            different = n
            if least > 0:
                for i in range(n):
                    different -= repeats[at + i] <= i
            telling[at] = different >= least
        if end[item] - begin[item] >= n + most:
            hashes = grams(tokens[begin[item] : end[item]], n)
            slots = 16
            while slots < 2 * len(hashes):
                slots *= 2
            table = Table(np.zeros(slots, np.uint64), np.zeros(slots, np.int32))
            for h in hashes:
                table.values[slot_of(table, h)] += 1
            for i in range(len(hashes)):
                if table.values[slot_of(table, hashes[i])] > most:
                    telling[begin[item] + i] = False
    return telling


telling = compiled(_telling)


def _runs(tier, kind, row, tokens, count, records, found):  # type: ignore[no-untyped-def]
    """Records of the longest runs of words that the row's `count` tokens share with items, those that hold an n-gram which counts."""
    n = tier.n
    last = np.uint64(len(tier.bitmap) * 64 - 1)
    power = _1
    for _ in range(n):
        power = power * _BASE
    h = np.uint64(0)
    for q in range(count):
        h = h * _BASE + tokens[q]
        if q >= n:
            h = h - tokens[q - n] * power
        start = q - n + 1
        if start < 0 or start % tier.stride:
            continue
        key = h if h != np.uint64(0) else _1
        bit = key & last
        if not (tier.bitmap[bit >> _6] >> (bit & _63)) & _1:
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


runs = compiled(_runs)


def _worthwhile(tier, share, sums, records, first, found):  # type: ignore[no-untyped-def]
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


worthwhile = compiled(_worthwhile)


def _inside(heads, tier, row, tokens, prompt, count, seen, records, found):  # type: ignore[no-untyped-def]
    """Records of the items that stand in the row whole, each once in the prompt, in the answer and over both; `seen` is zero before and after."""
    first_found = found
    n = heads.n
    last = np.uint64(len(heads.bitmap) * 64 - 1)
    power = _1
    for _ in range(n):
        power = power * _BASE
    h = np.uint64(0)
    for q in range(count):
        h = h * _BASE + tokens[q]
        if q >= n:
            h = h - tokens[q - n] * power
        if q < n - 1:
            continue
        key = h if h != np.uint64(0) else _1
        bit = key & last
        if not (heads.bitmap[bit >> _6] >> (bit & _63)) & _1:
            continue
        entry = find(heads.table, key)
        while entry >= 0:
            item = heads.items[entry]
            begin, end = tier.begin[item], tier.end[item]
            start = q - n + 1 - heads.offset[entry]
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


inside = compiled(_inside)


def _scan(blob, offsets, classes, lower, kinds, plain, masked, whole, heads, share, records):  # type: ignore[no-untyped-def]
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
            item = find(whole.table, whole_hash(words[first:last], last - first))
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


scan = compiled(_scan)


def _count(tokens, ends, first, n, table, last_seen, documents, bitmap):  # type: ignore[no-untyped-def]
    """Add to `documents`, by the value in `table`, in how many texts each n-gram stands; texts end at `ends`, and are numbered from `first`."""
    last = np.uint64(len(bitmap) * 64 - 1)
    power = _1
    for _ in range(n):
        power = power * _BASE
    for text in range(len(ends) - 1):
        begin = ends[text]
        h = np.uint64(0)
        for q in range(begin, ends[text + 1]):
            h = h * _BASE + tokens[q]
            if q >= begin + n:
                h = h - tokens[q - n] * power
            if q < begin + n - 1:
                continue
            key = h if h != np.uint64(0) else _1
            bit = key & last
            if not (bitmap[bit >> _6] >> (bit & _63)) & _1:
                continue
            slot = find(table, key)
            if slot >= 0 and last_seen[slot] != first + text:
                last_seen[slot] = first + text
                documents[slot] += 1


count_documents = compiled(_count)


def _shared_counts(table, hashes, valid, documents):  # type: ignore[no-untyped-def]
    """Per position the count of its n-gram, 0 where it is not valid."""
    counts = np.zeros(len(hashes), np.int32)
    for at in range(len(hashes)):
        if valid[at]:
            counts[at] = documents[find(table, hashes[at])]
    return counts


shared_counts = compiled(_shared_counts)
