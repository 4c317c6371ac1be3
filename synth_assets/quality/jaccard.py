"""Jaccard similarity of word 5-gram sets: near-duplicates among whole rows, by an exact join.

Two sets with J >= t share an element among the first |A| - ceil(t |A|) + 1 of each, when all are sorted alike; sorted rare first, nearly every
row is a candidate of none (Chaudhuri et al. 2006, prefix filtering). Exact costs here what MinHash costs, without its misses.
Invariant: every decision is made in integers.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from fractions import Fraction
from math import ceil

import numpy as np

from synth_assets.quality.pairs import Floats, Integers, Pairs, exact, pairs_of
from synth_assets.quality.words import ngrams

__all__ = ["SHINGLE", "jaccard_pairs", "nearest_jaccard", "shingles"]

SHINGLE = 5
"""Words of a shingle."""


def shingles(tokens: Sequence[str]) -> frozenset[tuple[str, ...]]:
    """The set of word 5-grams of a text; a text of one to four words is one shingle, a text of none has none."""
    if 0 < len(tokens) < SHINGLE:
        return frozenset([tuple(tokens)])
    return frozenset(ngrams(tokens, SHINGLE))


def jaccard_pairs(texts: Sequence[Sequence[str]], threshold: float | Fraction) -> Pairs:
    """All pairs of `texts` (word lists) whose sets of word 5-grams have a Jaccard similarity of `threshold` or more.

    A text without words is like no other.

    Raises:
        ValueError: The threshold is 0: every pair of texts would be a pair.
    """
    limit = exact(threshold)
    if limit <= 0:
        raise ValueError("a Jaccard threshold of 0 makes every pair of rows near-duplicates: give one above 0")
    # Equal texts are joined once: their pairs need no comparison.
    members: defaultdict[frozenset[tuple[str, ...]], list[int]] = defaultdict(list)
    for row, tokens in enumerate(texts):
        if tokens:
            members[shingles(tokens)].append(row)
    rows = [np.array(group) for group in members.values()]
    parts = [_among(group) for group in rows if len(group) > 1]
    sets = _by_rarity(list(members))
    indexed: defaultdict[int, list[int]] = defaultdict(list)
    for one in sorted(range(len(sets)), key=lambda i: len(sets[i])):
        size = len(sets[one])
        prefix = sets[one][: size - ceil(limit * size) + 1]
        elements = frozenset(sets[one])
        for other in {candidate for element in prefix for candidate in indexed[element]}:
            if len(sets[other]) < limit * size:
                continue
            common = len(elements.intersection(sets[other]))
            union = size + len(sets[other]) - common
            if common * limit.denominator >= limit.numerator * union:
                parts.append(_between(rows[one], rows[other], common / union))
        for element in prefix:
            indexed[element].append(one)
    return pairs_of("jaccard", parts)


def nearest_jaccard(texts: Sequence[Sequence[str]]) -> Floats:
    """For each of `texts` (word lists) its highest Jaccard similarity of word 5-grams with another one; 0 where there is none."""
    sets = [shingles(tokens) for tokens in texts]
    sizes = np.array([len(s) for s in sets], dtype=np.int64)
    postings: defaultdict[Hashable, list[int]] = defaultdict(list)
    for row, elements in enumerate(sets):
        for element in elements:
            postings[element].append(row)
    shared = {element: np.array(rows) for element, rows in postings.items() if len(rows) > 1}
    best = np.zeros(len(sets))
    for row, elements in enumerate(sets):
        found = [shared[element] for element in elements if element in shared]
        if found:
            common = np.bincount(np.concatenate(found), minlength=len(sets))
            common[row] = 0
            best[row] = np.max(common / (sizes + sizes[row] - common))
    return best


def _by_rarity(sets: Sequence[frozenset[tuple[str, ...]]]) -> list[list[int]]:
    """Each set as numbers in increasing order, the rarest element of all sets being 0."""
    frequency = Counter(element for elements in sets for element in elements)
    numbers = {element: number for number, (element, _) in enumerate(sorted(frequency.items(), key=lambda item: item[1]))}
    return [sorted(numbers[element] for element in elements) for elements in sets]


def _among(group: Integers) -> tuple[Integers, Integers, Floats]:
    one, other = np.triu_indices(len(group), k=1)
    return group[one], group[other], np.ones(len(one))


def _between(group: Integers, other: Integers, similarity: float) -> tuple[Integers, Integers, Floats]:
    return np.repeat(group, len(other)), np.tile(other, len(group)), np.full(len(group) * len(other), similarity)
