"""A join of rows by Jaccard similarity of word 5-grams, compiled: shingles are numbered, and those that one row alone has are left out.

Invariant: what is found is what comparing all pairs of sets finds.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import chain

import numpy as np

from synth_assets.quality import jaccard_kernels, postings
from synth_assets.quality.joins import Flags, Near
from synth_assets.quality.numbering import Numbers
from synth_assets.quality.pairs import Integers

__all__ = ["JaccardIndex"]

_SHINGLE = 5
"""The kernels compare five words."""

_NO_SIGNATURES = np.empty(0, np.uint64)


class JaccardIndex:
    """All rows; those that were kept are in the index.

    Args:
        threshold: What is near has a similarity of this or more.
        texts: Word lists.
    """

    measure = "jaccard"

    def __init__(self, threshold: Fraction, texts: Sequence[Sequence[str]]) -> None:
        self._ratio = threshold.numerator, threshold.denominator
        words, starts = _numbered(texts)
        shingles, where = np.empty(len(words), np.int32), np.empty(len(starts), np.int64)
        different = jaccard_kernels.intern_shingles(words, starts, where, shingles)
        shingles = shingles[: where[-1]]
        rows_with = np.bincount(shingles, minlength=different).astype(np.int32)
        place = np.empty(different, np.int32)
        place[np.argsort(rows_with, kind="stable")] = np.arange(different, dtype=np.int32)
        self._sizes = np.diff(where)
        self._starts, self._elements = jaccard_kernels.shared_first(where, shingles, rows_with, place)
        # Numbers begin at the first shared shingle: the ones before it are in no row now.
        self._elements -= self._elements.min(initial=different)
        vocabulary = int(self._elements.max(initial=-1)) + 1
        self._postings = postings.empty_postings(len(texts), vocabulary, self._prefixes(), signed=False)
        self._found = tuple(np.empty(max(4096, 4 * len(texts)), np.int32) for _ in range(3))

    def __len__(self) -> int:
        return len(self._sizes)

    def near(self, start: int, stop: int, *, everything: bool = False) -> Near:
        """See `Join`."""
        parts: list[Integers] = []
        row = start
        while row < stop:
            row, count = jaccard_kernels.jaccard_near(
                self._elements, self._starts, self._sizes, self._postings, *self._ratio, start, row, stop, 2 if everything else 1, *self._found
            )
            if count:
                parts.append(np.stack([column[:count] for column in self._found]).astype(np.int64))
        found = np.concatenate(parts, axis=1) if parts else np.empty((3, 0), np.int64)
        return Near(found[0], found[1], found[2] / (self._sizes[found[:2]].sum(axis=0) - found[2]))

    def settle(self, start: int, kept: Flags) -> None:
        """See `Join`."""
        postings.settle(self._postings, self._sizes, _NO_SIGNATURES, start, start + len(kept), kept)

    def _prefixes(self) -> int:
        """Elements of all prefixes: the most that the index can hold."""
        numerator, denominator = self._ratio
        shared = np.diff(self._starts)
        prefix = self._sizes - (numerator * self._sizes + denominator - 1) // denominator + 1 - (self._sizes - shared)
        return int(np.minimum(np.maximum(prefix, 0), shared).sum())


def _numbered(texts: Sequence[Sequence[str]]) -> tuple[np.ndarray[tuple[int], np.dtype[np.int32]], Integers]:
    """Words of all texts as numbers from 1, and where each text starts; a text of one to four words is filled up with 0, which is no word."""
    filled = [[*text, *[""] * (_SHINGLE - len(text))] if 0 < len(text) < _SHINGLE else text for text in texts]
    words = Numbers({"": 0}).of(chain.from_iterable(filled), sum(map(len, filled)))
    return words, np.concatenate([[0], np.cumsum([len(text) for text in filled], dtype=np.int64)])
