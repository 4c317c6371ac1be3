"""Two questions about one passage are near-duplicates only if the questions are.

A prompt that ends with a passage is like every other prompt about this passage, by words and by meaning, whatever it asks: of 50 Alpaca rows that
ROUGE-L rejected and that were read, 16 were another question about the passage of a row before them. Where both rows of a pair are asked about (nearly)
the same text, and it is longer than the questions, these decide, by ROUGE-L. (A shorter one does not outweigh them: "60" of "the prime factors of the
following number".) So 67 more rows of Alpaca stay, of 476 near-duplicates; of 60 that were read, 54 ask something else. Invariant: no pair is added,
and none is taken away of which a row is one piece.
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from rapidfuzz.distance import LCSseq

from synth_assets.quality.joins import Flags, Join, Near
from synth_assets.quality.pairs import Integers
from synth_assets.quality.rouge import rouge_l_exceeds

__all__ = ["QuestionsApart"]


class QuestionsApart:
    """A join without the pairs that share their text and nothing else.

    Args:
        join: Any measure.
        order: The row that stands at each place of the join.
        prompts: Words of each row's prompt: the question, then the text that it is about.
        asked: By row, how many of these words are the question; 0 where the prompt is one piece.
        limit: The ROUGE-L F above which two questions, and two texts, are the same.
    """

    def __init__(self, join: Join, order: Integers, prompts: Sequence[Sequence[str]], asked: Integers, limit: Fraction) -> None:
        self._join, self._order, self._prompts, self._asked, self._limit = join, order, prompts, asked, limit
        self.measure = join.measure
        self._has_text = asked[order] > 0

    def __len__(self) -> int:
        return len(self._join)

    def near(self, start: int, stop: int, *, everything: bool = False) -> Near:
        """See `Join`."""
        # A row that is near a kept one may stay after all, so that it counts as the other of later ones.
        found = self._join.near(start, stop, everything=everything or bool(self._has_text[start:stop].any()))
        stays = np.ones(len(found.row), np.bool_)
        for place in np.flatnonzero(self._has_text[found.row] & self._has_text[found.other]).tolist():
            stays[place] = not self._apart(int(self._order[found.row[place]]), int(self._order[found.other[place]]))
        return Near(found.row[stays], found.other[stays], found.similarity[stays])

    def settle(self, start: int, kept: Flags) -> None:
        """See `Join`."""
        self._join.settle(start, kept)

    def _apart(self, row: int, other: int) -> bool:
        here, there, m, n = self._prompts[row], self._prompts[other], int(self._asked[row]), int(self._asked[other])
        if min(len(here) - m, len(there) - n) <= max(m, n):
            return False
        return not self._same(here[:m], there[:n]) and self._same(here[m:], there[n:])

    def _same(self, here: Sequence[str], there: Sequence[str]) -> bool:
        return here == there or rouge_l_exceeds(LCSseq.similarity(here, there), len(here), len(there), self._limit)
