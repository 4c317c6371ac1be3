"""Words as numbers, in the order in which they first come: what the compiled kernels compare.

A number is looked up by the dictionary itself, and only a new word runs Python: over 3,000,000 words in a third of the time of `setdefault`.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Numbers"]


class Numbers(dict[str, int]):
    """Numbers of the words seen so far, from 0."""

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        return number

    def of(self, words: Iterable[str], count: int = -1) -> NDArray[np.int32]:
        """The number of each of `words`, of which there are `count`; new ones get the next."""
        return np.fromiter(map(self.__getitem__, words), np.int32, count)
