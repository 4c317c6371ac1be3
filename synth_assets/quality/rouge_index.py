"""An index of texts for ROUGE-L, compiled: a join over all rows, or a pool that grows by one text at a time.

Words are numbered as they come. The order rare first, on which the index rests, is taken from the texts that are there, and anew whenever a pool
has doubled; words that came later count as the rarest. Invariant: what is found does not depend on that order, its speed does.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import chain

import numpy as np

from synth_assets.quality import postings, rouge_kernels
from synth_assets.quality.joins import Flags, Near
from synth_assets.quality.numbering import Numbers
from synth_assets.quality.pairs import Integers

__all__ = ["RougeIndex"]

_ROOM = 4096

_NONE = Near(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


class RougeIndex:
    """Texts, of which some are in the index.

    Args:
        threshold: What is near has an F above it.
        texts: Word lists; they are not in the index yet.
    """

    measure = "rouge_l"

    def __init__(self, threshold: Fraction, texts: Iterable[Sequence[str]] = ()) -> None:
        self.threshold = threshold
        self._numbers = Numbers()
        self._count = 0
        self._words = np.empty(_ROOM, np.int32)
        self._starts = np.zeros(_ROOM + 1, np.int64)
        self._lengths = np.empty(_ROOM, np.int32)
        self._signatures = np.empty(_ROOM, np.uint64)
        self._rank = -1 - np.arange(_ROOM, dtype=np.int32)
        self._postings = postings.empty_postings(_ROOM, _ROOM, _ROOM, signed=True)
        self._scratch = rouge_kernels.Scratch(np.zeros(_ROOM, np.uint64), np.zeros(_ROOM, np.uint8))
        self._found = tuple(np.empty(_ROOM, np.int32) for _ in range(3))
        self.extend(texts)
        self._order()

    def __len__(self) -> int:
        return self._count

    def extend(self, texts: Iterable[Sequence[str]]) -> None:
        """Take in texts without indexing them."""
        texts = texts if isinstance(texts, Sequence) else list(texts)
        lengths = [len(text) for text in texts]
        words = self._numbers.of(chain.from_iterable(texts), sum(lengths))
        before, after = self._count, self._count + len(texts)
        used = int(self._starts[before])
        self._reserve(after, used + len(words), max(lengths, default=0))
        self._words[used : used + len(words)] = words
        self._starts[before + 1 : after + 1] = used + np.cumsum(lengths, dtype=np.int64)
        self._lengths[before:after] = lengths
        rouge_kernels.sign(self._words, self._starts, before, after, self._signatures)
        self._count = after

    def push(self, text: Sequence[str]) -> None:
        """Take in one text without indexing it: `extend` without what many texts need, a quarter of the time."""
        words = [self._numbers[word] for word in text]
        row, used = self._count, int(self._starts[self._count])
        end = used + len(words)
        self._reserve(row + 1, end, len(words))
        self._words[used:end] = words
        self._starts[row + 1] = end
        self._lengths[row] = len(words)
        rouge_kernels.sign(self._words, self._starts, row, row + 1, self._signatures)
        self._count += 1

    def pop(self) -> None:
        """Forget the last text, which must not be in the index."""
        self._count -= 1

    def restore(self) -> None:
        """Take the text in again that was popped last, with nothing taken in since."""
        self._count += 1

    def index(self, start: int) -> None:
        """Put the texts from `start` on, the ones after those that are in it, into the index."""
        rouge_kernels.index_rows(self._words, self._starts, self._rank, self._signatures, self._postings, *self._ratio, start, self._count)

    def reindex(self, threshold: Fraction) -> None:
        """Make the index of all texts anew, for `threshold` or any higher one."""
        self.threshold = threshold
        self._order()
        for column in (self._postings.length, self._postings.room, self._postings.end):
            column.fill(0)
        self.index(0)

    def near(self, start: int, stop: int, *, everything: bool = False) -> Near:
        """See `Join`."""
        return self._search(start, stop, self.threshold, 2 if everything else 1)

    def near_last(self, threshold: Fraction) -> Near:
        """What in the index is near the last text by `threshold`, which is no lower than the index's own."""
        return self._search(self._count - 1, self._count, threshold, 0)

    def settle(self, start: int, kept: Flags) -> None:
        """See `Join`."""
        postings.settle(self._postings, self._lengths, self._signatures, start, start + len(kept), kept)

    def nearest_earlier(self) -> tuple[Integers, Integers]:
        """For each text LCS and words of both texts, whatever the threshold, with the earlier text of the highest F; 0 and 1 where there is none."""
        common, total = np.empty(self._count, np.int64), np.empty(self._count, np.int64)
        rouge_kernels.nearest_earlier(self._words, self._starts[: self._count + 1], self._signatures, self._scratch, common, total)
        return common, total

    @property
    def _ratio(self) -> tuple[int, int]:
        return self.threshold.numerator, self.threshold.denominator

    def _search(self, start: int, stop: int, threshold: Fraction, put_in: int) -> Near:
        if len(self._found[0]) < 2 * stop:
            self._found = tuple(np.empty(4 * stop, np.int32) for _ in range(3))
        parts: list[Integers] = []
        row = start
        while row < stop:
            row, count = rouge_kernels.rouge_near(
                self._words,
                self._starts,
                self._rank,
                self._signatures,
                self._postings,
                self._scratch,
                threshold.numerator,
                threshold.denominator,
                start,
                row,
                stop,
                put_in,
                *self._found,
            )
            if count:
                parts.append(np.stack([column[:count] for column in self._found]).astype(np.int64))
        if not parts:
            return _NONE
        found = np.concatenate(parts, axis=1)
        return Near(found[0], found[1], 2 * found[2] / self._lengths[found[:2]].sum(axis=0))

    def _order(self) -> None:
        """Rank the words that there are, the rarest first."""
        vocabulary = len(self._numbers)
        frequency = np.bincount(self._words[: self._starts[self._count]], minlength=vocabulary)
        self._rank[np.argsort(frequency, kind="stable")] = np.arange(vocabulary, dtype=np.int32)

    def _reserve(self, rows: int, words: int, longest: int) -> None:
        """Room for so many rows, words of all rows, and words of one row; what grows doubles."""
        vocabulary = len(self._numbers)
        if rows > len(self._signatures) or words > len(self._words) or vocabulary > len(self._rank):
            room = [len(self._signatures), len(self._words), len(self._rank)]
            wanted = [rows, words, vocabulary]
            # All texts at once need no more than they have; a pool goes on growing.
            growth = 2 if self._count else 1
            rows, words, vocabulary = (max(have, growth * need if need > have else 0) for need, have in zip(wanted, room, strict=True))
            self._words = np.resize(self._words, words)
            self._starts = np.resize(self._starts, rows + 1)
            self._lengths = np.resize(self._lengths, rows)
            self._signatures = np.resize(self._signatures, rows)
            self._rank = np.concatenate([self._rank, -1 - np.arange(room[2], vocabulary, dtype=np.int32)])
            self._postings = postings.resized(self._postings, rows, vocabulary, words)
            self._scratch = self._scratch._replace(mask=np.zeros(vocabulary, np.uint64))
        if longest > len(self._scratch.carry):
            self._scratch = self._scratch._replace(carry=np.zeros(2 * longest, np.uint8))
