"""ROUGE-L between instructions: the near-duplicate filter of Self-Instruct (Wang et al. 2022), exact.

ROUGE-L's F of texts with m and n words is 2 LCS / (m + n). Up to some thousand texts rapidfuzz counts the LCS of all pairs, with one character for
each word; above, `rouge_index` finds the few pairs that are worth comparing. Invariant: every decision is made in integers, so that F = 0.7 exactly
is never above 0.7 (rouge_score's floats get 8 of the 238 shapes up to 100 words wrong, such as 21 of 23 and 37), and both ways find the same.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import LCSseq

from synth_assets.quality.joins import Flags, Join, Near, all_pairs
from synth_assets.quality.pairs import Floats, Integers, Pairs, exact

if TYPE_CHECKING:
    from synth_assets.quality.rouge_index import RougeIndex

__all__ = ["COMPILED_FROM", "RougePool", "nearest_rouge_l", "rouge_l_exceeds", "rouge_l_join", "rouge_l_pairs"]

COMPILED_FROM = 8_000
"""Texts from which on the compiled index is used where all are known: loading it takes as long as rapidfuzz with so many."""

POOL_COMPILED_FROM = 1_000
"""Texts from which on a growing pool uses it: a look-up by rapidfuzz takes 0.2 ms there, by the index 0.03 ms whatever the size."""

_COMPILED_FROM_WORDS = 200_000
"""Words of all texts from which on it is used: rapidfuzz then takes seconds, however few the texts, and its alphabet of characters ends at 1.1 million."""

_BLOCK = 256
"""Rows compared at a time with all others: 256 x 8,000 counts are 16 MB."""

_FIRST_SURROGATE, _SURROGATES = 0xD800, 0x800
_UNKNOWN = "\0"


@overload
def rouge_l_exceeds(lcs: int, m: int, n: int, threshold: Fraction) -> bool: ...
@overload
def rouge_l_exceeds(lcs: Integers, m: int | Integers, n: Integers, threshold: Fraction) -> NDArray[np.bool_]: ...
def rouge_l_exceeds(lcs: int | Integers, m: int | Integers, n: int | Integers, threshold: Fraction) -> bool | NDArray[np.bool_]:
    """Whether ROUGE-L's F of texts of `m` and `n` words with a common subsequence of `lcs` words is above `threshold`; equal is not.

    `lcs`, `m` and `n` may be arrays (int64). Two empty texts have F = 0.
    """
    return 2 * lcs * threshold.denominator > threshold.numerator * (m + n)


def rouge_l_pairs(texts: Sequence[Sequence[str]], threshold: float | Fraction) -> Pairs:
    """All pairs of `texts` (word lists) whose ROUGE-L F is above `threshold`; of equal texts, those with the first one (see `Pairs`)."""
    limit = exact(threshold)
    return all_pairs(
        "rouge_l",
        [tuple(text) for text in texts],
        lambda rows: rouge_l_join([texts[row] for row in rows], limit),
        lambda row: limit < 1 and len(texts[row]) > 0,
    )


def rouge_l_join(texts: Sequence[Sequence[str]], threshold: float | Fraction) -> Join:
    """The join of `texts` (word lists) whose ROUGE-L F is above `threshold`."""
    if _compiled_pays(texts):
        from synth_assets.quality.rouge_index import RougeIndex

        return RougeIndex(exact(threshold), texts)
    return _Compared(texts, exact(threshold))


def nearest_rouge_l(texts: Sequence[Sequence[str]]) -> Floats:
    """For each of `texts` (word lists) its highest ROUGE-L F with an earlier one; 0 where there is none."""
    if _compiled_pays(texts):
        from synth_assets.quality.rouge_index import RougeIndex

        common, total = RougeIndex(Fraction(1), texts).nearest_earlier()
        return 2 * common / total
    encoded = _encoded(texts)
    lengths = np.array([len(text) for text in encoded], dtype=np.int64)
    best = np.zeros(len(encoded))
    for start in range(0, len(encoded), _BLOCK):
        block = encoded[start : start + _BLOCK]
        counts = _lcs_counts(block, encoded[: start + len(block)])
        for row, lcs in enumerate(counts):
            best[start + row] = _f(lcs[: start + row], len(block[row]), lengths[: start + row]).max(initial=0.0)
    return best


class RougePool:
    """A growing pool of texts that new ones are compared with."""

    def __init__(self) -> None:
        self._alphabet = _Alphabet()
        self._texts: list[str] = []
        self._lengths = np.zeros(1024, dtype=np.int64)
        self._tokens: list[Sequence[str]] = []
        self._words = 0
        self._looked_up: tuple[str, ...] | None = None
        self._index: RougeIndex | None = None
        self._indexed = 0

    def __len__(self) -> int:
        return len(self._texts) if self._index is None else len(self._index)

    def add(self, tokens: Sequence[str]) -> None:
        """Put a text, as its words, at the end of the pool."""
        self._words += len(tokens)
        if self._index is None and (len(self._texts) >= POOL_COMPILED_FROM or self._words >= _COMPILED_FROM_WORDS):
            from synth_assets.quality.rouge_index import RougeIndex

            # What will be asked for is not known yet: an index for 1 is made anew when it is.
            self._index = RougeIndex(Fraction(1), self._tokens)
            self._reindex(self._index.threshold)
            self._texts, self._tokens = [], []
        if self._index is not None:
            # What is added was nearly always looked up just before.
            if self._looked_up == tuple(tokens):
                self._index.restore()
            else:
                self._index.push(tokens)
            self._looked_up = None
            if len(self._index) < 2 * self._indexed:
                self._index.index(len(self._index) - 1)
            else:
                self._reindex(self._index.threshold)
            return
        if len(self._texts) == len(self._lengths):
            self._lengths = np.concatenate([self._lengths, np.zeros_like(self._lengths)])
        self._lengths[len(self._texts)] = len(tokens)
        self._texts.append(self._alphabet.encode(tokens))
        self._tokens.append(tokens)

    def exceeds(self, tokens: Sequence[str], threshold: float | Fraction) -> tuple[int, float] | None:
        """Position and ROUGE-L F of the pool's text that is most like `tokens`, the earliest of equals; None if F is not above `threshold`."""
        limit = exact(threshold)
        if self._index is not None:
            return self._look_up(self._index, tokens, limit)
        if not self._texts:
            return None
        lcs = _lcs_counts([self._alphabet.encode_known(tokens)], self._texts)[0]
        lengths = self._lengths[: len(self)]
        index = int(np.argmax(_f(lcs, len(tokens), lengths)))
        if not rouge_l_exceeds(int(lcs[index]), len(tokens), int(lengths[index]), limit):
            return None
        return index, _f(int(lcs[index]), len(tokens), int(lengths[index]))

    def _look_up(self, index: "RougeIndex", tokens: Sequence[str], limit: Fraction) -> tuple[int, float] | None:
        if limit < index.threshold:
            self._reindex(limit)
        index.push(tokens)
        found = index.near_last(limit)
        index.pop()
        self._looked_up = tuple(tokens)
        if not len(found.row):
            return None
        best = np.lexsort((found.other, -found.similarity))[0]
        return int(found.other[best]), float(found.similarity[best])

    def _reindex(self, threshold: Fraction) -> None:
        assert self._index is not None
        self._index.reindex(threshold)
        self._indexed = len(self._index)


class _Compared:
    """The join of few texts: every block with all kept ones, by rapidfuzz."""

    measure = "rouge_l"

    def __init__(self, texts: Sequence[Sequence[str]], threshold: Fraction) -> None:
        self._texts = _encoded(texts)
        self._lengths = np.array([len(text) for text in self._texts], dtype=np.int64)
        self._threshold = threshold
        self._kept: list[int] = []

    def __len__(self) -> int:
        return len(self._texts)

    def near(self, start: int, stop: int, *, everything: bool = False) -> Near:
        """See `Join`."""
        others = np.array([*self._kept, *range(start, stop)], dtype=np.int64)
        block = self._texts[start:stop]
        n, d = self._threshold.numerator, self._threshold.denominator
        # A text above the threshold has more than n m / (2 d - n) words; rapidfuzz stops early where that LCS is out of reach.
        m = min(map(len, block), default=0)
        cutoff = n * (m + n * m // (2 * d - n) + 1) // (2 * d) + 1
        counts = _lcs_counts(block, [self._texts[other] for other in others], cutoff)
        above = rouge_l_exceeds(counts, self._lengths[start:stop, None], self._lengths[others][None, :], self._threshold)
        above &= others[None, :] < np.arange(start, stop)[:, None]
        if not everything:
            above[:, len(self._kept) :] &= ~above[:, : len(self._kept)].any(axis=1)
        row, place = np.nonzero(above)
        return Near(row + start, others[place], _f(counts[row, place], self._lengths[row + start], self._lengths[others[place]]))

    def settle(self, start: int, kept: Flags) -> None:
        """See `Join`."""
        self._kept.extend((start + np.flatnonzero(kept)).tolist())


class _Alphabet:
    """A character for each word, in the order of their first appearance."""

    def __init__(self) -> None:
        self._codes: dict[str, str] = {}

    def encode(self, tokens: Sequence[str]) -> str:
        codes = self._codes
        for token in tokens:
            if token not in codes:
                code = len(codes) + 1
                # Surrogates are no characters: rapidfuzz takes them, but no text that holds one can be written anywhere.
                codes[token] = chr(code if code < _FIRST_SURROGATE else code + _SURROGATES)
        return "".join([codes[token] for token in tokens])

    def encode_known(self, tokens: Sequence[str]) -> str:
        """As `encode`, with one character for all words that no encoded text has: they are in no common subsequence."""
        return "".join([self._codes.get(token, _UNKNOWN) for token in tokens])


def _compiled_pays(texts: Sequence[Sequence[str]]) -> bool:
    return len(texts) >= COMPILED_FROM or sum(map(len, texts)) >= _COMPILED_FROM_WORDS


def _encoded(texts: Sequence[Sequence[str]]) -> list[str]:
    alphabet = _Alphabet()
    return [alphabet.encode(tokens) for tokens in texts]


def _lcs_counts(queries: Sequence[str], choices: Sequence[str], cutoff: int | None = None) -> Integers:
    """LCS of each query with each choice, 0 where it is below `cutoff`."""
    return process.cdist(queries, choices, scorer=LCSseq.similarity, score_cutoff=cutoff, dtype=np.int32).astype(np.int64)


@overload
def _f(lcs: int, m: int, n: int) -> float: ...
@overload
def _f(lcs: Integers, m: int | Integers, n: Integers) -> Floats: ...
def _f(lcs: int | Integers, m: int | Integers, n: int | Integers) -> float | Floats:
    # One correctly rounded division: equal ratios give equal floats and larger ones larger, so that argmax is exact. Empty texts have an LCS of 0.
    return 2 * lcs / np.maximum(m + n, 1)
