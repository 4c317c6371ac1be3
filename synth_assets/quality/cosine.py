"""Cosine of sentence embeddings: near-duplicates in meaning, exactly, with a small part of the multiplications.

Vectors are turned so that the first of their coordinates hold most of their length. By Cauchy and Schwarz a cosine is at most the product of these
heads plus the product of the lengths of what is left, one more coordinate; 65 columns in float32 rule nearly all pairs out, all columns in float32
most of the rest, and what remains is multiplied in float64 and in a fixed order: a pair on the threshold must be decided alike on every machine, and
what a BLAS returns depends on how it cuts the product. Invariant: a vector of zeros is like no other, and no pair is decided by a bound.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from synth_assets.quality.joins import Flags, Join, Near, all_pairs
from synth_assets.quality.pairs import Floats, Integers, Pairs, exact

__all__ = ["EXACT_UP_TO", "CosineJoin", "Vectors", "cosine_join", "cosine_pairs", "cosines", "joined", "nearest_cosine"]

Vectors = NDArray[np.floating[Any]]

EXACT_UP_TO = 500_000
"""Rows up to which every pair is looked at.

MiniLM's vectors of Alpaca's instructions, from 52,002 on with disturbed copies, at 0.9, in seconds of the processor: 10,000 rows 0.2, 52,002 2.2,
200,000 25. `cosine_lists` took 9 for 52,002 and 44 for 200,000. One grows with the square, the other with the power of 1.5 of the rows, so that by
calculation they meet at about 600,000; neither was run beyond 200,000.
"""

HEAD = 64
"""Coordinates of a head."""

_TILE = 2048
"""Heads multiplied with a block of rows at a time: 512 x 2,048 products are 4 MB and stay in the cache while they are looked through."""

_SAMPLE = 10_000
"""Rows from which the axes are taken."""

_SLACK = 1e-5
"""More than float32 can be off in 65 products of numbers whose squares sum to 1 (8e-6)."""

_ROUNDING = 2.0**-24
"""What rounding to float32 is off, relative."""

_VERIFIED = 2048
"""Pairs multiplied in full at a time: 6 MB in float32, which stay in the cache."""

_CONVERTED = 8192
"""Rows turned at a time: 25 MB in float64."""


def cosine_pairs(matrix: Vectors, threshold: float | Fraction) -> Pairs:
    """All pairs of rows of `matrix` (rows x dimensions, float32) whose cosine is above `threshold`; of equal rows, those with the first (see `Pairs`)."""
    limit = exact(threshold)
    return all_pairs(
        "cosine", [row.tobytes() for row in matrix], lambda rows: cosine_join(matrix[rows], limit), lambda row: limit < 1 and bool(matrix[row].any())
    )


def cosines(one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> Floats:
    """The cosine of every row of `one` with every row of `other` (rows x dimensions, float32), in float64."""
    left, right = (matrix.astype(np.float64) / _lengths(matrix)[:, None] for matrix in (one, other))
    found: Floats = left @ right.T
    return found


def cosine_join(matrix: Vectors, threshold: float | Fraction) -> Join:
    """The join of rows of `matrix` (rows x dimensions, float32) whose cosine is above `threshold`: exact up to `EXACT_UP_TO` rows.

    Raises:
        MissingExtra: There are more, and the extra `large` is not installed.
    """
    if len(matrix) > EXACT_UP_TO:
        from synth_assets.quality.cosine_lists import CosineLists

        return CosineLists(matrix, exact(threshold), EXACT_UP_TO)
    return CosineJoin(matrix, exact(threshold))


def nearest_cosine(matrix: Vectors) -> Floats:
    """For each row of `matrix` (rows x dimensions, float32) its highest cosine with an earlier one, -1 to 1; 0 where there is none."""
    unit = (matrix.astype(np.float64) / _lengths(matrix)[:, None]).astype(np.float32)
    best = np.zeros(len(unit))
    for start in range(1, len(unit), _TILE):
        block = unit[start : start + _TILE]
        highest, place = np.full(len(block), -2, np.float32), np.zeros(len(block), np.int64)
        for other in range(0, start + len(block), _TILE):
            products = block @ unit[other : other + _TILE].T
            if other + products.shape[1] > start:
                products[np.arange(other, other + products.shape[1])[None, :] >= np.arange(start, start + len(block))[:, None]] = -2
            column = products.argmax(axis=1)
            here = products[np.arange(len(block)), column]
            place = np.where(here > highest, other + column, place)
            highest = np.maximum(highest, here)
        best[start : start + len(block)] = _cosines(matrix, _lengths(matrix), np.arange(start, start + len(block)), place)
    return best


class CosineJoin:
    """All rows; those that were kept are compared with.

    Args:
        matrix: Rows x dimensions.
        threshold: What is near has a cosine above it.
    """

    measure = "cosine"

    def __init__(self, matrix: Vectors, threshold: Fraction) -> None:
        self._matrix = matrix
        self._limit = float(threshold)
        self._lengths = _lengths(matrix)
        self.unit = _unit(matrix, self._lengths)
        # Twice the error of so many products of float32 numbers, and what the lengths of both may be off.
        self.rough = np.float32(self._limit - (2 * matrix.shape[1] + 64) * _ROUNDING)
        # A thread for each tile, not for each part of a product: where other work has a core, BLAS threads wait for each other (three times as long).
        self._blas = ThreadpoolController()
        with self._blas.limit(limits=1, user_api="blas"):
            self._heads = _heads(matrix, self._lengths)
        self._threads = ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
        self._kept_heads = np.empty_like(self._heads)
        self._kept = np.empty(len(matrix), np.int64)
        self._count = 0

    def __len__(self) -> int:
        return len(self._matrix)

    def near(self, start: int, stop: int, *, everything: bool = False) -> Near:
        """See `Join`."""
        rows = np.arange(start, stop)
        before = self.among_kept(rows)
        others = rows if everything else np.setdiff1d(rows, before.row)
        return joined([before, self.among(rows, others)])

    def settle(self, start: int, kept: Flags) -> None:
        """See `Join`."""
        rows = start + np.flatnonzero(kept)
        room = slice(self._count, self._count + len(rows))
        self._kept[room], self._kept_heads[room] = rows, self._heads[rows]
        self._count += len(rows)

    def among_kept(self, rows: Integers) -> Near:
        """Of `rows` and the kept ones before them, the pairs above the threshold."""
        tiles = [slice(first, min(first + _TILE, self._count)) for first in range(0, self._count, _TILE)]
        with self._blas.limit(limits=1, user_api="blas"):
            return joined(list(self._threads.map(lambda tile: self._near(rows, self._kept[tile], self._kept_heads[tile]), tiles)))

    def among(self, rows: Integers, others: Integers) -> Near:
        """Of `rows` and the earlier ones of `others`, the pairs above the threshold."""
        with self._blas.limit(limits=1, user_api="blas"):
            return self._near(rows, others, self._heads[others])

    def _near(self, rows: Integers, others: Integers, heads: NDArray[np.float32]) -> Near:
        found = np.flatnonzero(self._heads[rows] @ heads.T > np.float32(self._limit - _SLACK))
        row, place = np.divmod(found, max(1, len(heads)))
        row, other = rows[row], others[place]
        earlier = other < row
        row, other = row[earlier], other[earlier]
        return self.verified(row, other)

    def verified(self, row: Integers, other: Integers) -> Near:
        """Those of the pairs whose cosine is above the threshold, with it."""
        return joined([self._verified(row[here], other[here]) for here in _slices(len(row))])

    def _verified(self, row: Integers, other: Integers) -> Near:
        """Those of the pairs whose cosine is above the threshold, with it."""
        likely = np.einsum("ij,ij->i", self.unit[row], self.unit[other]) > self.rough
        row, other = row[likely], other[likely]
        similarity = _cosines(self._matrix, self._lengths, row, other)
        above = similarity > self._limit
        return Near(row[above], other[above], similarity[above])


def joined(parts: list[Near]) -> Near:
    """The parts as one; none are none."""
    if not parts:
        return Near(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    return Near(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _slices(pairs: int) -> Iterator[slice]:
    return (slice(first, first + _VERIFIED) for first in range(0, pairs, _VERIFIED))


def _cosines(matrix: Vectors, lengths: Floats, row: Integers, other: Integers) -> Floats:
    """Cosines of pairs of rows; rounding may carry a product past 1."""
    products = matrix[row].astype(np.float64)
    products *= matrix[other]
    cosines: Floats = np.clip(products.sum(axis=1) / (lengths[row] * lengths[other]), -1.0, 1.0)
    return cosines


def _lengths(matrix: Vectors) -> Floats:
    lengths = np.empty(len(matrix))
    for here in _converted(len(matrix)):
        lengths[here] = np.linalg.norm(matrix[here].astype(np.float64), axis=1)
    lengths[lengths == 0] = 1
    return lengths


def _unit(matrix: Vectors, lengths: Floats) -> NDArray[np.float32]:
    """Unit vectors in float32: the matrix itself where it has them, as embeddings do."""
    if matrix.dtype == np.float32 and np.abs(lengths - 1).max(initial=0) < 16 * _ROUNDING:
        return matrix
    unit = np.empty(matrix.shape, np.float32)
    for here in _converted(len(matrix)):
        unit[here] = matrix[here] / lengths[here, None]
    return unit


def _heads(matrix: Vectors, lengths: Floats) -> NDArray[np.float32]:
    """Unit vectors along the principal axes, cut after the first ones, and the length of what was cut as one more coordinate."""
    if matrix.shape[1] <= HEAD:
        return (matrix / lengths[:, None]).astype(np.float32)
    step = 1 + len(matrix) // _SAMPLE
    sample = matrix[::step].astype(np.float64) / lengths[::step, None]
    axes = np.linalg.eigh(sample.T @ sample)[1][:, : -HEAD - 1 : -1]
    heads = np.empty((len(matrix), HEAD + 1), np.float32)
    for here in _converted(len(matrix)):
        unit = matrix[here] / lengths[here, None]
        turned = unit @ axes
        heads[here, :HEAD] = turned
        # By Pythagoras; rounding is 1e-16 of the squares, 1e-8 of the length, a thousandth of the slack.
        heads[here, HEAD] = np.sqrt(np.maximum((unit**2).sum(axis=1) - (turned**2).sum(axis=1), 0))
    return heads


def _converted(rows: int) -> Iterator[slice]:
    return (slice(first, first + _CONVERTED) for first in range(0, rows, _CONVERTED))
