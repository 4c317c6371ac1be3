"""Compiled counts over the n-grams of benchmark items: which of them say something, and in how many real texts each stands.

Invariant: what is decided of an n-gram is what `item_ngrams.ItemNgrams` decides of it.
"""

from typing import Any

import numpy as np

from synth_assets.quality.compilation import compiled
from synth_assets.quality.hash_tables import BASE, Table, bits_of, find, grams, slot_of, whole_hash, word_of
from synth_assets.quality.word_kernels import NAME_HASH, NUMBER_HASH

__all__ = ["count_documents", "head_grams", "shared_counts", "telling", "whole_hashes", "within"]

_1 = np.uint64(1)


@compiled
def telling(tokens: Any, begin: Any, end: Any, n: Any, least: Any, most: Any) -> Any:
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


@compiled
def count_documents(tokens: Any, ends: Any, first: Any, n: Any, table: Any, last_seen: Any, documents: Any, bitmap: Any) -> Any:
    """Add to `documents`, by the value in `table`, in how many texts each n-gram stands; texts end at `ends`, and are numbered from `first`."""
    power = _1
    for _ in range(n):
        power = power * BASE
    for text in range(len(ends) - 1):
        begin = ends[text]
        h = np.uint64(0)
        for q in range(begin, ends[text + 1]):
            h = h * BASE + tokens[q]
            if q >= begin + n:
                h = h - tokens[q - n] * power
            if q < begin + n - 1:
                continue
            key = h if h != np.uint64(0) else _1
            bits = bits_of(key)
            if bitmap[word_of(len(bitmap), key)] & bits != bits:
                continue
            slot = find(table, key)
            if slot >= 0 and last_seen[slot] != first + text:
                last_seen[slot] = first + text
                documents[slot] += 1


@compiled
def shared_counts(table: Any, hashes: Any, valid: Any, documents: Any) -> Any:
    """Per position the count of its n-gram, 0 where it is not valid."""
    counts = np.zeros(len(hashes), np.int32)
    for at in range(len(hashes)):
        if valid[at]:
            counts[at] = documents[find(table, hashes[at])]
    return counts


@compiled
def whole_hashes(tokens: Any, begin: Any, end: Any) -> Any:
    """Hash of all words of each item."""
    hashes = np.empty(len(begin), np.uint64)
    for item in range(len(begin)):
        hashes[item] = whole_hash(tokens, begin[item], end[item])
    return hashes


@compiled
def head_grams(tokens: Any, begin: Any, end: Any, items: Any, n: Any) -> Any:
    """For each of `items` the n-gram that fewest of them have, the first of equals, and its position in the item."""
    hashes, offsets = np.zeros(len(items), np.uint64), np.zeros(len(items), np.int64)
    total = 0
    for item in items:
        total += max(0, end[item] - begin[item] - n + 1)
    slots = 16
    while slots < 2 * total:
        slots *= 2
    counts = Table(np.zeros(slots, np.uint64), np.zeros(slots, np.int32))
    for item in items:
        for h in grams(tokens[begin[item] : end[item]], n):
            counts.values[slot_of(counts, h)] += 1
    for place in range(len(items)):
        of_item = grams(tokens[begin[items[place]] : end[items[place]]], n)
        least = 0
        for at in range(len(of_item)):
            count = counts.values[slot_of(counts, of_item[at])]
            if at == 0 or count < least:
                least = count
                hashes[place] = of_item[at]
                offsets[place] = at
    return hashes, offsets


@compiled
def within(begins: Any, length: Any, n: Any) -> Any:
    """Per n-gram whether it lies within one of the `length`-grams that begin where `begins` is true; n is at most `length`."""
    inside = np.zeros(max(0, len(begins) - n + 1), np.bool_)
    reach = -1
    for at in range(len(begins)):
        if begins[at]:
            reach = at + length - n
        if at < len(inside):
            inside[at] = at <= reach
    return inside
