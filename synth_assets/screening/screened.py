"""What rows are put through, and what became of them in numbers: the two things that the passes, the near-duplicates and the report share.

A row's broken rules are the bits of one integer, so that a million rows are eight megabytes and every overlap is one operation on a column.
Invariant: a rule keeps its bit.
"""

import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from typing import Protocol

import numpy as np

from synth_assets import config
from synth_assets.quality.decontamination import Hit, Index
from synth_assets.quality.embeddings import Embed
from synth_assets.quality.similar_items import SimilarItems

__all__ = ["Gates", "Reward", "Screened", "Watch"]


REVIEWED = 1_000
"""Rows to look at that are listed, the nearest."""


class Watch(Protocol):
    """Somebody who wants to know how far it is."""

    def step(self, name: str, done: float, rows: int, rejected: int) -> None:
        """Part `name` is `done` (0 to 1) through, with so many rows seen and so many of them rejected."""


Reward = Callable[[Sequence[str], Sequence[str]], Sequence[float]]


@dataclass(frozen=True)
class Gates:
    """What rows are put through."""

    settings: config.Gates
    language: str
    """en, zh, or auto: by the row's prompt."""
    index: Index | None
    """Benchmarks, canaries planted; None where there are none."""
    similar: SimilarItems | None
    """Their prompts, for the rows that people should look at; None where there are none, or nothing is embedded."""
    near_duplicates: bool
    embed: Embed | None
    """Prompts to vectors; None where the semantic gate is off."""
    reward: Reward | None
    """Prompts and responses to scores, by which the survivor of near-duplicates is chosen; None: the earlier row survives."""


@dataclass
class Screened:
    """What became of a file, in numbers."""

    rows: int = 0
    bad_lines: int = 0
    bad_reasons: Counter[str] = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)
    """Rules that fired, in the order of their bits."""
    broken: "array[int]" = field(default_factory=lambda: array("Q"))
    """Per row, a bit for each rule that it breaks."""
    hits: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rows by benchmark and contamination rule."""
    items: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Items found in any row, by benchmark."""
    review_rows: int = 0
    """Rows that passed and say nearly what an item says."""
    review: list[tuple[float, int, str, str, str]] = field(default_factory=list)
    """Of these the nearest, a heap: cosine, line (negative), benchmark, item id and the item's text."""
    rewards: "array[float]" = field(default_factory=lambda: array("d"))
    diversity: dict[str, float] = field(default_factory=dict)
    diversity_rows: int = 0
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Wall time per part; of the rules that of all processes together."""

    @property
    def rejected(self) -> int:
        """Rows that break a rule."""
        return int(np.count_nonzero(np.frombuffer(self.broken, np.uint64))) if self.rows else 0

    def reject(self, row: int, rule: str) -> None:
        """Note that row number `row` breaks `rule`."""
        if rule not in self.names:
            self.names.append(rule)
        self.broken[row] |= 1 << self.names.index(rule)

    def to_review(self, line: int, hit: Hit) -> None:
        """Note that the row of this line may say what an item says in other words."""
        self.review_rows += 1
        place = heappush if len(self.review) < REVIEWED else heappushpop
        place(self.review, (hit.score, -line, hit.benchmark, hit.item_id, hit.ngram))

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time of what is inside to `part`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += time.perf_counter() - started
