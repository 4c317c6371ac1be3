"""What every near-duplicate measure offers: the rows that are near rows before them, block by block.

Rows are numbered in the order in which they may survive. A join holds an index of rows that were kept; a block of rows is compared with it and with
itself, the caller decides which rows of the block stay, and the join goes on with these. So rows that say the same are compared with one survivor
and not with each other, and memory does not grow with the number of pairs. Invariant: a join misses no pair and invents none, unless its name says
that it is approximate.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from synth_assets.quality.pairs import Floats, Integers, Pairs, pairs_of

__all__ = ["BLOCK", "Flags", "Join", "Near", "all_pairs", "blocks"]

BLOCK = 512
"""Rows compared at a time: they make at most 131,000 pairs among themselves."""

Flags = NDArray[np.bool_]


class Near(NamedTuple):
    """Near-duplicates as columns, in no order."""

    row: Integers
    other: Integers
    """A row before `row`."""
    similarity: Floats


class Join(Protocol):
    """One measure over rows that are all known."""

    @property
    def measure(self) -> str:
        """rouge_l, jaccard or cosine."""

    def __len__(self) -> int: ...

    def near(self, start: int, stop: int, *, everything: bool = False) -> Near:
        """Near-duplicates of the rows `start` to `stop` among the kept rows before `start` and among themselves.

        Without `everything`, a row that is near a kept row before `start` need not be found as the `other` of a later one: it will be dropped.
        """

    def settle(self, start: int, kept: Flags) -> None:
        """Keep, of the rows from `start` on that were just compared, those that are flagged."""


def blocks(rows: int) -> Iterator[tuple[int, int]]:
    """Starts and stops of the blocks of so many rows."""
    return ((start, min(start + BLOCK, rows)) for start in range(0, rows, BLOCK))


def all_pairs(measure: str, keys: Sequence[Hashable], join: Callable[[list[int]], Join], itself_near: Callable[[int], bool]) -> Pairs:
    """All pairs of rows by one measure, rows with equal keys being equal rows: each is paired with the first of its kind and with no other.

    Args:
        measure: Its name.
        keys: By row: what equal rows have in common.
        join: Makes the join over these different rows.
        itself_near: Whether two rows equal to this one are a pair.
    """
    first: dict[Hashable, int] = {}
    origin = np.fromiter((first.setdefault(key, row) for row, key in enumerate(keys)), np.int64, len(keys))
    different = np.fromiter(first.values(), np.int64, len(first))
    again = np.flatnonzero(origin != np.arange(len(keys)))
    near_itself = {row: itself_near(row) for row in np.unique(origin[again]).tolist()}
    again = again[[near_itself[row] for row in origin[again].tolist()]] if len(again) else again
    parts: list[tuple[Integers, Integers, Floats]] = [(origin[again], again, np.ones(len(again)))]
    made = join(different.tolist())
    for start, stop in blocks(len(different)):
        found = made.near(start, stop, everything=True)
        parts.append((different[found.row], different[found.other], found.similarity))
        made.settle(start, np.ones(stop - start, np.bool_))
    return pairs_of(measure, parts)
