"""One row beside the benchmark items that it shares runs of words with: the words are compared, and what n-grams cover is worked out.

The kernels tell a run by hashes; here it is compared word for word, and dropped where they collided. Invariant: what is covered lies within a run
whose words are equal.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synth_assets.quality.item_ngrams import Matches

if TYPE_CHECKING:
    from synth_assets.quality.run_kernels import Tier

__all__ = ["Row"]

Numbers = NDArray[np.int64]


class Row:
    """The words of one row, and the runs that it shares with items.

    Runs are merged before they are covered, so that a text which repeats itself, and shares many runs with an item, costs little more than its length.
    """

    def __init__(self, prompt: list[str], answer: list[str], words: Callable[[int], list[str]]) -> None:
        self.prompt = len(prompt)
        self._words = words
        self._row = [*prompt, *answer]
        self._runs: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)

    def holds(self, item: int, position: int, start: int, length: int) -> bool:
        """Whether `length` words from `start` are those of the item from `position`."""
        return self._row[start : start + length] == self._words(item)[position : position + length]

    def add(self, item: int, position: int, start: int, length: int) -> None:
        """Note a run if its words are equal."""
        if self.holds(item, position, start, length):
            self._runs[item].append((position, start, length))

    def cover(self, tier: "Tier", n: int, living: Numbers, matches: Matches) -> None:
        """Cover what the n-grams hold that count; `living` sums the positions of `tier` where one begins."""
        for item, runs in self._runs.items():
            begin = int(tier.begin[item])
            # First and last n-gram of each run: those in the prompt, in the answer, and all of them.
            spans = (
                [(p, p + min(length - n, self.prompt - n - q)) for p, q, length in runs],
                [(p + max(0, self.prompt - q), p + length - n) for p, q, length in runs],
                [(p, p + length - n) for p, q, length in runs],
            )
            for part, found in enumerate(spans):
                for low, high in _merged(found):
                    for first, last in _counting(living, begin + low, begin + high):
                        matches[item][part].update(range(first - begin, last - begin + n))


def _merged(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans, both ends in them, without empty ones; those that touch are one."""
    spans = sorted(span for span in spans if span[0] <= span[1])
    low, high = spans[0] if spans else (0, -1)
    for first, last in spans[1:]:
        if first > high + 1:
            yield low, high
            low, high = first, last
        high = max(high, last)
    if low <= high:
        yield low, high


def _counting(living: Numbers, low: int, high: int) -> list[tuple[int, int]]:
    """Spans within `low` to `high` of the positions that `living` sums."""
    if (count := int(living[high + 1] - living[low])) == high - low + 1:
        return [(low, high)]
    if not count:
        return []
    found = low + np.flatnonzero(np.diff(living[low : high + 2]))
    return [(int(span[0]), int(span[-1])) for span in np.split(found, np.flatnonzero(np.diff(found) > 1) + 1)]
