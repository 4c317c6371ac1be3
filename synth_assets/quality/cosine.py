"""Cosine of sentence embeddings: near-duplicates in meaning, by comparing all pairs in blocks.

Vectors are made unit vectors and multiplied in float64. float32 would be twice as fast, but its rounding depends on how the machine's BLAS cuts
the product, and a pair on the threshold must be decided alike everywhere. Invariant: a vector of zeros is like no other.
"""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth_assets.quality.pairs import Floats, Integers, Pairs, exact, pairs_of

__all__ = ["cosine_pairs", "cosines", "nearest_cosine"]

_BLOCK = 256
"""Rows multiplied at a time with all others: 256 x 50,000 products are 100 MB."""


def cosine_pairs(matrix: NDArray[np.floating[Any]], threshold: float | Fraction) -> Pairs:
    """All pairs of rows of `matrix` (rows x dimensions, float32) whose cosine is above `threshold`."""
    unit = _unit(matrix)
    limit = float(exact(threshold))
    parts: list[tuple[Integers, Integers, Floats]] = []
    for start in range(0, len(unit), _BLOCK):
        products = _products(unit, start)
        row, other = np.nonzero(products > limit)
        later = other > row
        row, other = row[later], other[later]
        parts.append((row + start, other + start, products[row, other]))
    return pairs_of("cosine", parts)


def cosines(one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> Floats:
    """The cosine of every row of `one` with every row of `other` (rows x dimensions, float32), in float64."""
    found: Floats = _unit(one) @ _unit(other).T
    return found


def nearest_cosine(matrix: NDArray[np.floating[Any]]) -> Floats:
    """For each row of `matrix` (rows x dimensions, float32) its highest cosine with another row, -1 to 1; 0 where there is no other."""
    unit = _unit(matrix)
    if len(unit) < 2:
        return np.zeros(len(unit))
    best = np.full(len(unit), -1.0)
    for start in range(0, len(unit), _BLOCK):
        products = _products(unit, start)
        np.fill_diagonal(products, -1.0)
        block = best[start : start + len(products)]
        np.maximum(block, products.max(axis=1), out=block)
        others = best[start:]
        np.maximum(others, products.max(axis=0), out=others)
    return best


def _products(unit: Floats, start: int) -> Floats:
    """Cosines of the block of rows at `start` with itself and all later rows; rounding may carry a product past 1."""
    products = unit[start : start + _BLOCK] @ unit[start:].T
    return np.clip(products, -1.0, 1.0, out=products)


def _unit(matrix: NDArray[np.floating[Any]]) -> Floats:
    vectors = matrix.astype(np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms == 0, 1, norms)
