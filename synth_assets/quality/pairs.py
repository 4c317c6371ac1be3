"""Pairs of near-duplicate rows as columns: what a join of all rows returns.

Rows that are equal would make k (k - 1) / 2 pairs, 1.25 billion for 50,000 of them. So a row that is equal to an earlier one stands in one pair, with
the first of its kind, and in no other: whatever is near the first is as near to it. Invariant: `left` < `right`, and no pair stands twice.
"""

from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "Integers", "Pairs", "exact", "pairs_of"]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


class Pairs(NamedTuple):
    """Near-duplicate pairs by one measure, sorted by `left`, then `right`; of equal rows only the first one stands for all (see above)."""

    measure: str
    """rouge_l, jaccard or cosine."""
    left: NDArray[np.int32]
    """Position of the earlier row."""
    right: NDArray[np.int32]
    """Position of the later row."""
    similarity: Floats


@lru_cache
def exact(threshold: float | Fraction) -> Fraction:
    """The threshold as its decimal text says it, to nine digits: 0.7 is seven tenths, not the nearest binary fraction.

    Nine digits keep the products of the integer decisions within 64 bits.
    """
    return Fraction(str(threshold)).limit_denominator(10**9)


def pairs_of(measure: str, parts: list[tuple[Integers, Integers, Floats]]) -> Pairs:
    """Pairs from the parts (one row, other row, similarity) that a join found, in any order and direction."""
    one, other, similarity = (np.concatenate([part[i] for part in parts]) if parts else np.empty(0) for i in range(3))
    left, right = np.minimum(one, other).astype(np.int32), np.maximum(one, other).astype(np.int32)
    order = np.lexsort((right, left))
    return Pairs(measure, left[order], right[order], similarity[order].astype(np.float64))
