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
from typing import Protocol

import numpy as np

from synth_assets import config
from synth_assets.quality.decontamination import Index
from synth_assets.quality.embeddings import Embed

__all__ = ["Gates", "Reward", "Screened", "Watch"]


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

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time of what is inside to `part`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += time.perf_counter() - started
