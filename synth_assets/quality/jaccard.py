"""Jaccard similarity of word 5-gram sets: near-duplicates among whole rows, by an exact join.

Two sets with J >= t share an element among the first |A| - ceil(t |A|) + 1 of each, when all are sorted alike; sorted rare first, nearly every
row is a candidate of none (Chaudhuri et al. 2006, prefix filtering). Few rows are joined in plain Python, more of them by `jaccard_index`.
Invariant: every decision is made in integers, and both ways find the same.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from fractions import Fraction

import numpy as np

from synth_assets.quality.joins import Flags, Join, Near, all_pairs
from synth_assets.quality.pairs import Floats, Pairs, exact
from synth_assets.quality.words import ngrams

__all__ = ["COMPILED_FROM", "EXACT_UP_TO", "SHINGLE", "jaccard_join", "jaccard_pairs", "nearest_jaccard", "shingles"]

COMPILED_FROM = 8_000
"""Rows from which on the compiled index is used."""

EXACT_UP_TO = 1_000_000
"""Rows up to which the join is exact.

Whole rows of Alpaca, from 52,002 on with edited copies, at 0.8, in seconds of the processor: 10,000 rows 0.1, 50,000 0.9, 200,000 5.4, 1,000,000 29,
with 1.5 GB for the million besides the words. At 52,000 rows MinHash takes several times as long: the limit is the largest size that was measured.
"""

SHINGLE = 5
"""Words of a shingle."""


def shingles(tokens: Sequence[str]) -> frozenset[tuple[str, ...]]:
    """The set of word 5-grams of a text; a text of one to four words is one shingle, a text of none has none."""
    if 0 < len(tokens) < SHINGLE:
        return frozenset([tuple(tokens)])
    return frozenset(ngrams(tokens, SHINGLE))


def jaccard_pairs(texts: Sequence[Sequence[str]], threshold: float | Fraction) -> Pairs:
    """All pairs of `texts` (word lists) whose Jaccard similarity is `threshold` or more; of equal texts, those with the first one (see `Pairs`).

    A text without words is like no other.

    Raises:
        ValueError: The threshold is 0: every pair of texts would be a pair.
    """
    return all_pairs(
        "jaccard",
        [tuple(text) for text in texts],
        lambda rows: jaccard_join([texts[row] for row in rows], threshold),
        lambda row: len(texts[row]) > 0,
    )


def jaccard_join(texts: Sequence[Sequence[str]], threshold: float | Fraction) -> Join:
    """The join of `texts` (word lists) whose sets of word 5-grams have a Jaccard similarity of `threshold` or more.

    Raises:
        ValueError: As `jaccard_pairs`.
        MissingExtra: There are more than `EXACT_UP_TO` texts, and the extra `large` is not installed.
    """
    limit = exact(threshold)
    if limit <= 0:
        raise ValueError("a Jaccard threshold of 0 makes every pair of rows near-duplicates: give one above 0")
    if len(texts) > EXACT_UP_TO:
        from synth_assets.quality.jaccard_minhash import JaccardMinHash

        return JaccardMinHash(limit, texts, EXACT_UP_TO)
    if len(texts) >= COMPILED_FROM:
        from synth_assets.quality.jaccard_index import JaccardIndex

        return JaccardIndex(limit, texts)
    return _Joined(texts, limit)


def nearest_jaccard(texts: Sequence[Sequence[str]]) -> Floats:
    """For each of `texts` (word lists) its highest Jaccard similarity of word 5-grams with an earlier one; 0 where there is none."""
    sets = [shingles(tokens) for tokens in texts]
    sizes = np.array([len(s) for s in sets], dtype=np.int64)
    frequency = Counter(element for elements in sets for element in elements)
    postings: defaultdict[Hashable, list[int]] = defaultdict(list)
    best = np.zeros(len(sets))
    for row, elements in enumerate(sets):
        shared = [element for element in elements if frequency[element] > 1]
        found = [postings[element] for element in shared if element in postings]
        if found:
            others, common = np.unique(np.concatenate(found), return_counts=True)
            best[row] = np.max(common / (sizes[others] + sizes[row] - common))
        for element in shared:
            postings[element].append(row)
    return best


class _Joined:
    """The join of few rows, in plain Python."""

    measure = "jaccard"

    def __init__(self, texts: Sequence[Sequence[str]], threshold: Fraction) -> None:
        self._threshold = threshold
        self._sets = _by_rarity([shingles(tokens) for tokens in texts])
        self._index: defaultdict[int, list[int]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._sets)

    def near(self, start: int, stop: int, *, everything: bool = False) -> Near:
        """See `Join`."""
        limit = self._threshold
        found: list[tuple[int, int, float]] = []
        for row in range(start, stop):
            one = self._sets[row]
            elements = frozenset(one)
            prefix = self._prefix(row)
            dropped = False
            for other in {candidate for element in prefix for candidate in self._index[element]}:
                common = len(elements.intersection(self._sets[other]))
                union = len(one) + len(self._sets[other]) - common
                if common * limit.denominator >= limit.numerator * union:
                    found.append((row, other, common / union))
                    dropped = dropped or other < start
            if everything or not dropped:
                for element in prefix:
                    self._index[element].append(row)
        columns = list(zip(*found, strict=True)) or [(), (), ()]
        return Near(np.array(columns[0], np.int64), np.array(columns[1], np.int64), np.array(columns[2], np.float64))

    def settle(self, start: int, kept: Flags) -> None:
        """See `Join`."""
        for row in range(start + len(kept) - 1, start - 1, -1):
            if not kept[row - start]:
                for element in self._prefix(row):
                    if row in self._index[element]:
                        self._index[element].remove(row)

    def _prefix(self, row: int) -> list[int]:
        size = len(self._sets[row])
        # size - ceil(t size) + 1
        return self._sets[row][: size + (-self._threshold.numerator * size) // self._threshold.denominator + 1]


def _by_rarity(sets: Sequence[frozenset[tuple[str, ...]]]) -> list[list[int]]:
    """Each set as numbers in increasing order, the rarest element of all sets being 0."""
    frequency = Counter(element for elements in sets for element in elements)
    numbers = {element: number for number, (element, _) in enumerate(sorted(frequency.items(), key=lambda item: item[1]))}
    return [sorted(numbers[element] for element in elements) for elements in sets]
