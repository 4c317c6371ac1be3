"""The tables that the compiled look-up reads: where the n-grams of all benchmark items stand, and what of them counts.

Made once, of the items' words and of what is boilerplate. Invariant: an n-gram counts here if and only if `item_ngrams.PlainEngine` counts it.
"""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synth_assets.quality.hashed_words import tokenized
from synth_assets.quality.item_ngrams import COVERAGE_NGRAM, MAX_REPEATS, MIN_ANSWER, MIN_CONTAINED, MIN_TELLING_SHARE, Forgotten

if TYPE_CHECKING:
    from synth_assets.quality.run_kernels import Heads, Tier, Whole

__all__ = ["Flags", "Numbers", "Tables", "item_tables"]

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_STRIDE = 3
"""Words between two n-grams of a row that are looked up: a third of the look-ups, each of a 6-gram where all would be of an 8-gram."""


class Tables(NamedTuple):
    """What the kernel looks up."""

    plain: "Tier"
    masked: "Tier"
    whole: "Whole"
    heads: "Heads"
    living: dict[str, Flags]
    """By the name of what is forgotten of it: positions in `plain` or `masked` where an n-gram begins that counts."""


class _Words(NamedTuple):
    """All items' words of one kind, plain or masked."""

    tokens: NDArray[np.uint64]
    begin: Numbers
    end: Numbers


def item_tables(texts: Sequence[str], is_answer: Flags, ngram: int, forgotten: Forgotten, *, counting: bool = False) -> Tables:
    """Tables of the items' `texts`.

    Args:
        texts: By the item's number.
        is_answer: Whether an item is a benchmark's answer, by its number.
        ngram: Words of the long n-grams.
        forgotten: What is boilerplate.
        counting: Look for every item inside texts, whatever its length.
    """
    from synth_assets.quality import ngram_kernels as kernels
    from synth_assets.quality.hash_tables import indexed
    from synth_assets.quality.run_kernels import Whole

    tokens, masked_tokens, ends = tokenized(texts)
    plain, masked = (_Words(t, ends[:-1, k].copy(), ends[1:, k].copy()) for k, t in enumerate((tokens, masked_tokens)))
    lengths = plain.end - plain.begin
    sizes = lengths - ends[1:, 2] / 2
    used = (lengths > 0) & ~(is_answer & (sizes < MIN_ANSWER))
    sizes_n = (COVERAGE_NGRAM, ngram)
    flags = [kernels.telling(*plain, n, 0, MAX_REPEATS) for n in sizes_n]
    is_repetitive = np.logical_or(*(_left_out(plain, n, f) for n, f in zip(sizes_n, flags, strict=True)))
    flags += [kernels.telling(*masked, n, ceil(MIN_TELLING_SHARE * n), MAX_REPEATS) for n in sizes_n]
    long = used & (lengths >= ngram)
    parts = ((plain, used), (plain, used), (masked, long), (masked, long))
    boilerplate = (forgotten.coverage, forgotten.rare, forgotten.masked_coverage, forgotten.masked_rare)
    named = zip(forgotten._fields, parts, flags, boilerplate, strict=False)
    living = {name: _counted(*part, f, lost) for name, part, f, lost in named}
    looked_for = used & (sizes >= MIN_CONTAINED)
    if not counting:
        is_kept = (lengths < ngram) | is_repetitive
        is_kept[sorted(forgotten.lost)] = True
        is_kept[sorted(forgotten.contained)] = False
        looked_for &= is_kept
    return Tables(
        _tier(plain, ngram, living["coverage"], living["rare"]),
        _tier(masked, ngram, living["masked_coverage"], living["masked_rare"]),
        Whole(*indexed(kernels.whole_hashes(*plain), used)),
        _heads(plain, looked_for),
        living,
    )


def _tier(words: _Words, ngram: int, short: Flags, long: Flags) -> "Tier":
    from synth_assets.quality.hash_tables import bitmap_of, grams, indexed
    from synth_assets.quality.ngram_kernels import within
    from synth_assets.quality.run_kernels import Tier

    shortest = min(COVERAGE_NGRAM, ngram)
    stride = _STRIDE if shortest == COVERAGE_NGRAM else 1
    n = shortest - stride + 1
    living = [np.concatenate([[0], np.cumsum(flags)]).astype(np.int64) for flags in (short, long)]
    hashes = grams(words.tokens, n)
    valid: Flags = within(short, COVERAGE_NGRAM, n) | within(long, ngram, n)
    table, following = indexed(hashes, valid)
    items = np.repeat(np.arange(len(words.begin), dtype=np.int32), words.end - words.begin)
    return Tier(n, stride, ngram, words.tokens, items, words.begin, words.end, valid, table, following, bitmap_of(hashes, valid), *living)


def _heads(words: _Words, looked_for: Flags) -> "Heads":
    """One n-gram of each item that is looked for inside texts: the one that fewest of these items have, since many items may begin alike."""
    from synth_assets.quality.hash_tables import bitmap_of, indexed
    from synth_assets.quality.ngram_kernels import head_grams
    from synth_assets.quality.run_kernels import Heads

    items = np.flatnonzero(looked_for).astype(np.int32)
    hashes, offsets = head_grams(*words, items, MIN_CONTAINED)
    valid = np.ones(len(items), np.bool_)
    return Heads(MIN_CONTAINED, *indexed(hashes, valid), bitmap_of(hashes, valid), items, offsets)


def _left_out(words: _Words, n: int, flags: Flags) -> Flags:
    """Items with an n-gram that `flags` leaves out."""
    sums = np.concatenate([[0], flags.cumsum()])
    return np.asarray(sums[words.end] - sums[words.begin] < np.maximum(0, words.end - words.begin - n + 1))


def _counted(words: _Words, used: Flags, flags: Flags, forgotten: set[tuple[int, int]]) -> Flags:
    """Positions where an n-gram begins that counts: of a used item, telling, and no boilerplate."""
    counted: Flags = flags & np.repeat(used, words.end - words.begin)
    if forgotten:
        items, positions = np.array(sorted(forgotten), np.int64).T
        counted[words.begin[items] + positions] = False
    return counted
