"""Cosine of sentence embeddings for more rows than an exact search is fit for: an inverted file of faiss (extra `large`).

Vectors are put into lists around centroids (Jegou et al. 2011, without the compression); a row is compared with what stands in the 8 lists nearest to
it. Whatever is found there is verified as `cosine` does, and rows of one block are compared with each other exactly. Invariant: no pair is
invented; what is missed is measured on a sample of rows that are compared with all.
"""

from fractions import Fraction

import numpy as np

from synth_assets.quality.approximate import Recall, large, sample_of
from synth_assets.quality.cosine import CosineJoin, Vectors, joined
from synth_assets.quality.joins import Flags, Near

__all__ = ["CosineLists"]

PROBES = 8
"""Lists that are looked through for each row: the sample's recall was 1 (335 pairs) on 200,000 rows, Alpaca's instructions and disturbed copies."""

_TRAINED = 64
"""Rows for each centroid from which the centroids are taken."""

_SEED = 1


class CosineLists:
    """All rows; those that were kept are in the lists.

    Args:
        matrix: Rows x dimensions.
        threshold: What is near has a cosine above it.
        exact_up_to: Rows up to which `cosine` searches exactly, for the message.

    Raises:
        MissingExtra: faiss is not installed.
    """

    measure = "cosine"

    def __init__(self, matrix: Vectors, threshold: Fraction, exact_up_to: int) -> None:
        faiss = large("faiss", rows=len(matrix), exact_up_to=exact_up_to)
        self._exact = CosineJoin(matrix, threshold)
        self._rows = np.empty(len(matrix), np.int64)
        self._count = 0
        self._sampled = np.zeros(len(matrix), np.bool_)
        self._sampled[sample_of(len(matrix))] = True
        self._found = self._true = 0
        lists = max(1, int(2 * np.sqrt(len(matrix))))
        self._index = faiss.IndexIVFFlat(faiss.IndexFlatIP(matrix.shape[1]), matrix.shape[1], lists, faiss.METRIC_INNER_PRODUCT)
        self._index.cp.seed = _SEED
        # faiss says on stderr how few rows it would like more of: below 39 rows for a centroid, which tests have.
        self._index.cp.min_points_per_centroid = 1
        self._index.train(self._exact.unit[:: max(1, len(matrix) // (_TRAINED * lists))])
        self._index.nprobe = PROBES

    def __len__(self) -> int:
        return len(self._exact)

    @property
    def recall(self) -> Recall:
        """Of the pairs of a sampled row and one that was kept before its block."""
        return Recall(self._found, self._true)

    def near(self, start: int, stop: int, *, everything: bool = False) -> Near:
        """See `Join`; a pair may be missed."""
        before = joined([])
        if self._count:
            limits, _, places = self._index.range_search(self._exact.unit[start:stop], float(self._exact.rough))
            rows = start + np.repeat(np.arange(stop - start), np.diff(limits.astype(np.int64)))
            before = self._exact.verified(rows, self._rows[places])
        sampled = start + np.flatnonzero(self._sampled[start:stop])
        if len(sampled):
            self._found += int(self._sampled[before.row].sum())
            self._true += len(self._exact.among_kept(sampled).row)
        others = np.arange(start, stop)
        if not everything:
            others = np.setdiff1d(others, before.row)
        return joined([before, self._exact.among(np.arange(start, stop), others)])

    def settle(self, start: int, kept: Flags) -> None:
        """See `Join`."""
        rows = start + np.flatnonzero(kept)
        self._index.add(self._exact.unit[rows])
        self._rows[self._count : self._count + len(rows)] = rows
        self._count += len(rows)
        self._exact.settle(start, kept)
