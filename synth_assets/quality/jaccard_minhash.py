"""Jaccard similarity of word 5-grams for more rows than an exact join is fit for: MinHash by rensa (extra `large`).

Sets are reduced to 128 minima of hashes (Broder 1997), cut into bands; rows that have a band in common are compared exactly. Invariant: no pair is
invented; what is missed is measured on a sample of rows, each compared with all.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from synth_assets.quality.approximate import Recall, large, sample_of
from synth_assets.quality.jaccard import shingles
from synth_assets.quality.joins import Flags, Near

__all__ = ["JaccardMinHash"]

_HASHES = 128

_CERTAIN = 0.94
"""How probably a pair at the threshold has a band in common: 16 bands of 8 at 0.8. Pairs above it are found more surely."""

_DIGESTED = 4096
"""Rows reduced at a time."""

_SEED = 1


class JaccardMinHash:
    """All rows; those that were kept are in the buckets of their bands.

    Args:
        threshold: What is near has a similarity of this or more.
        texts: Word lists.
        exact_up_to: Rows up to which `jaccard` searches exactly, for the message.

    Raises:
        MissingExtra: rensa is not installed.
    """

    measure = "jaccard"

    def __init__(self, threshold: Fraction, texts: Sequence[Sequence[str]], exact_up_to: int) -> None:
        self._minhash = large("rensa", rows=len(texts), exact_up_to=exact_up_to).RMinHash
        self._threshold = threshold
        self._texts = texts
        self._width = next(width for width in (16, 8, 4, 2, 1) if width == 1 or 1 - (1 - float(threshold) ** width) ** (_HASHES // width) >= _CERTAIN)
        self._bands = np.empty((len(texts), _HASHES // self._width), np.uint64)
        self._buckets: list[defaultdict[int, list[int]]] = [defaultdict(list) for _ in range(_HASHES // self._width)]
        self.recall = self._digested()

    def __len__(self) -> int:
        return len(self._texts)

    def near(self, start: int, stop: int, *, everything: bool = False) -> Near:
        """See `Join`; a pair may be missed."""
        found: list[tuple[int, int, float]] = []
        inside: list[defaultdict[int, list[int]]] = [defaultdict(list) for _ in self._buckets]
        for row in range(start, stop):
            if not self._texts[row]:
                continue
            keys = self._bands[row].tolist()
            candidates = {other for kept, new, key in zip(self._buckets, inside, keys, strict=True) for other in (*kept.get(key, ()), *new.get(key, ()))}
            one = shingles(self._texts[row])
            dropped = False
            for other in candidates:
                two = shingles(self._texts[other])
                common = len(one & two)
                if self._near(common, len(one) + len(two) - common):
                    found.append((row, other, common / (len(one) + len(two) - common)))
                    dropped = dropped or other < start
            if everything or not dropped:
                for bucket, key in zip(inside, keys, strict=True):
                    bucket[key].append(row)
        columns = list(zip(*found, strict=True)) or [(), (), ()]
        return Near(np.array(columns[0], np.int64), np.array(columns[1], np.int64), np.array(columns[2], np.float64))

    def settle(self, start: int, kept: Flags) -> None:
        """See `Join`."""
        for row in (start + np.flatnonzero(kept)).tolist():
            if self._texts[row]:
                for bucket, key in zip(self._buckets, self._bands[row].tolist(), strict=True):
                    bucket[key].append(row)

    def _near(self, common: int, union: int) -> bool:
        return common * self._threshold.denominator >= self._threshold.numerator * union

    def _digested(self) -> Recall:
        """Fill in the bands of all rows; meanwhile the sampled ones are compared with each of them, by the shingles that they have in common."""
        sampled = [row for row in sample_of(len(self._texts)).tolist() if self._texts[row]]
        sets = {row: shingles(self._texts[row]) for row in sampled}
        rows_with: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        for row, elements in sets.items():
            for element in elements:
                rows_with[element].append(row)
        pairs: list[tuple[int, int]] = []
        for start in range(0, len(self._texts), _DIGESTED):
            block = [shingles(text) for text in self._texts[start : start + _DIGESTED]]
            self._bands[start : start + len(block)] = self._banded(block)
            for row, elements in enumerate(block, start):
                common = Counter(other for element in elements & rows_with.keys() for other in rows_with[element])
                pairs.extend((row, o) for o, n in common.items() if o != row and self._near(n, len(elements) + len(sets[o]) - n))
        one, other = np.array(pairs, np.int64).reshape(-1, 2).T
        return Recall(int((self._bands[one] == self._bands[other]).any(axis=1).sum()), len(pairs))

    def _banded(self, block: Sequence[frozenset[tuple[str, ...]]]) -> NDArray[np.uint64]:
        """Rows x bands: a hash of each band's minima. Two bands with one hash are a candidate more, and no error."""
        written = [[" ".join(shingle).encode("utf-8", "surrogatepass") for shingle in elements] for elements in block]
        minima = np.array(self._minhash.digest_matrix_from_token_byte_sets(written, _HASHES, _SEED).to_rows(), np.uint64).reshape(len(block), -1, self._width)
        keys = np.zeros(minima.shape[:2], np.uint64)
        for place in range(self._width):
            keys = (keys ^ minima[:, :, place]) * np.uint64(0x9E3779B97F4A7C15)
            keys ^= keys >> np.uint64(32)
        return keys
