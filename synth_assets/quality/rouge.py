"""ROUGE-L between instructions: the near-duplicate filter of Self-Instruct (Wang et al. 2022), exact.

ROUGE-L's F of texts with m and n words is 2 LCS / (m + n). With one character per word the LCS is that of two strings, which rapidfuzz computes
bit-parallel; rapidfuzz only ever supplies this integer. Invariant: every decision is made in integers, so that F = 0.7 exactly is never above 0.7
(rouge_score's floats get 8 of the 238 shapes up to 100 words wrong, such as 21 of 23 and 37).
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import overload

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import LCSseq

from synth_assets.quality.pairs import Floats, Integers, Pairs, exact, pairs_of

__all__ = ["RougePool", "nearest_rouge_l", "rouge_l_exceeds", "rouge_l_pairs"]

_BLOCK = 256
"""Rows compared at a time with all others: 256 x 50,000 counts are 50 MB."""

_FIRST_SURROGATE, _SURROGATES = 0xD800, 0x800
_MOST_WORDS = 0x110000 - _SURROGATES


@overload
def rouge_l_exceeds(lcs: int, m: int, n: int, threshold: Fraction) -> bool: ...
@overload
def rouge_l_exceeds(lcs: Integers, m: int, n: Integers, threshold: Fraction) -> NDArray[np.bool_]: ...
def rouge_l_exceeds(lcs: int | Integers, m: int, n: int | Integers, threshold: Fraction) -> bool | NDArray[np.bool_]:
    """Whether ROUGE-L's F of texts of `m` and `n` words with a common subsequence of `lcs` words is above `threshold`; equal is not.

    `lcs` and `n` may be arrays (int64). Two empty texts have F = 0.
    """
    return 2 * lcs * threshold.denominator > threshold.numerator * (m + n)


class _Alphabet:
    """A character for each word, in the order of their first appearance."""

    def __init__(self) -> None:
        self._codes: dict[str, str] = {}

    def encode(self, tokens: Sequence[str]) -> str:
        codes = self._codes
        for token in tokens:
            if token not in codes:
                code = len(codes)
                if code == _MOST_WORDS:
                    raise ValueError(f"more than {_MOST_WORDS:,} different words: compare fewer texts at a time")
                # Surrogates are no characters: rapidfuzz takes them, but no text that holds one can be written anywhere.
                codes[token] = chr(code if code < _FIRST_SURROGATE else code + _SURROGATES)
        return "".join([codes[token] for token in tokens])


class RougePool:
    """A growing pool of texts that new ones are compared with."""

    def __init__(self) -> None:
        self._alphabet = _Alphabet()
        self._texts: list[str] = []
        self._lengths = np.zeros(1024, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, tokens: Sequence[str]) -> None:
        """Put a text, as its words, at the end of the pool."""
        if len(self._texts) == len(self._lengths):
            self._lengths = np.concatenate([self._lengths, np.zeros_like(self._lengths)])
        self._lengths[len(self._texts)] = len(tokens)
        self._texts.append(self._alphabet.encode(tokens))

    def nearest(self, tokens: Sequence[str]) -> tuple[int, float] | None:
        """Position and ROUGE-L F of the pool's text that is most like `tokens`, the earliest of equals; None while the pool is empty."""
        found = self._most_similar(tokens)
        return found and (found[0], _f(found[1], len(tokens), found[2]))

    def exceeds(self, tokens: Sequence[str], threshold: float | Fraction) -> tuple[int, float] | None:
        """As `nearest`, but only where F is above `threshold` (equal is not); None otherwise."""
        found = self._most_similar(tokens)
        if found is None or not rouge_l_exceeds(found[1], len(tokens), found[2], exact(threshold)):
            return None
        return found[0], _f(found[1], len(tokens), found[2])

    def _most_similar(self, tokens: Sequence[str]) -> tuple[int, int, int] | None:
        """Position, LCS and length of the pool's text with the highest F."""
        if not self._texts:
            return None
        lcs = _lcs_counts([self._alphabet.encode(tokens)], self._texts)[0]
        lengths = self._lengths[: len(self)]
        index = int(np.argmax(_f(lcs, len(tokens), lengths)))
        return index, int(lcs[index]), int(lengths[index])


def rouge_l_pairs(texts: Sequence[Sequence[str]], threshold: float | Fraction) -> Pairs:
    """All pairs of `texts` (word lists) whose ROUGE-L F is above `threshold`.

    Texts are taken by length: F is at most 2m / (m + n), which rules most pairs of unlike length out.
    """
    limit = exact(threshold)
    encoded = _encoded(texts)
    order = np.argsort([len(text) for text in encoded], kind="stable")
    by_length = [encoded[i] for i in order]
    lengths = np.array([len(text) for text in by_length], dtype=np.int64)
    parts: list[tuple[Integers, Integers, Floats]] = []
    for start in range(0, len(by_length), _BLOCK):
        block = by_length[start : start + _BLOCK]
        shortest, longest = len(block[0]), len(block[-1])
        # The longer text of a pair may have at most m (2 - t) / t words.
        longest_other = longest * (2 - limit) / limit if limit else Fraction(int(lengths[-1]))
        stop = int(np.searchsorted(lengths, int(longest_other), side="right"))
        # Both texts have `shortest` words or more, so that an LCS of this or less is at or below the threshold; rapidfuzz stops early at it.
        counts = _lcs_counts(block, by_length[start:stop], int(limit * shortest) + 1)
        for row, lcs in enumerate(counts):
            others = np.arange(start + row + 1, stop)
            lcs_others, n = lcs[row + 1 :], lengths[start + row + 1 : stop]
            found = rouge_l_exceeds(lcs_others, len(block[row]), n, limit)
            if found.any():
                one = np.full(int(found.sum()), order[start + row])
                parts.append((one, order[others[found]], _f(lcs_others[found], len(block[row]), n[found])))
    return pairs_of("rouge_l", parts)


def nearest_rouge_l(texts: Sequence[Sequence[str]]) -> Floats:
    """For each of `texts` (word lists) its highest ROUGE-L F with another one; 0 where there is no other."""
    encoded = _encoded(texts)
    lengths = np.array([len(text) for text in encoded], dtype=np.int64)
    best = np.zeros(len(encoded))
    for start in range(0, len(encoded), _BLOCK):
        block = encoded[start : start + _BLOCK]
        counts = _lcs_counts(block, encoded[start:])
        for row, lcs in enumerate(counts):
            scores = _f(lcs[row + 1 :], len(block[row]), lengths[start + row + 1 :])
            later = best[start + row + 1 :]
            np.maximum(later, scores, out=later)
            best[start + row] = max(best[start + row], scores.max(initial=0.0))
    return best


def _encoded(texts: Sequence[Sequence[str]]) -> list[str]:
    alphabet = _Alphabet()
    return [alphabet.encode(tokens) for tokens in texts]


def _lcs_counts(queries: Sequence[str], choices: Sequence[str], cutoff: int | None = None) -> Integers:
    """LCS of each query with each choice, 0 where it is below `cutoff`."""
    return process.cdist(queries, choices, scorer=LCSseq.similarity, score_cutoff=cutoff, dtype=np.int32).astype(np.int64)


@overload
def _f(lcs: int, m: int, n: int) -> float: ...
@overload
def _f(lcs: Integers, m: int, n: Integers) -> Floats: ...
def _f(lcs: int | Integers, m: int, n: int | Integers) -> float | Floats:
    # One correctly rounded division: equal ratios give equal floats and larger ones larger, so that argmax is exact. Empty texts have an LCS of 0.
    return 2 * lcs / np.maximum(m + n, 1)
