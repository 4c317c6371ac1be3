"""What approximate joins have in common: the extra that they need, and how much of the truth they find.

Exact joins are the rule. Beyond a size that each measure states, an approximate one takes over; it compares a sample of rows exactly while it runs,
so that what it misses is a figure of this run and not of another one's data. Invariant: no approximate join goes without that figure.
"""

import importlib
from types import ModuleType
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from synth_assets.errors import MissingExtra
from synth_assets.quality.pairs import Integers

__all__ = ["SAMPLE", "Approximate", "Recall", "large", "sample_of"]

SAMPLE = 1000
"""Rows that are compared exactly."""


class Recall(NamedTuple):
    """How many of the near pairs of the sampled rows an approximate join found."""

    found: int
    pairs: int

    @property
    def share(self) -> float:
        """0 to 1; 1 where the sampled rows are in no pair at all, which says nothing: look at `pairs`."""
        return self.found / self.pairs if self.pairs else 1.0


@runtime_checkable
class Approximate(Protocol):
    """A join that may miss pairs; it invents none."""

    @property
    def recall(self) -> Recall:
        """So far."""


def large(package: str, *, rows: int, exact_up_to: int) -> ModuleType:
    """The package of the extra `large`.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingExtra(
            f"{rows:,} rows are more than are searched exactly for near-duplicates ({exact_up_to:,}), and the approximate search needs {package}: "
            "pip install 'synth-assets[large]', or screen fewer rows at a time."
        ) from error


def sample_of(rows: int) -> Integers:
    """Positions of the sampled rows, ascending, spread evenly over all."""
    return np.unique(np.linspace(0, rows - 1, min(rows, SAMPLE)).astype(np.int64)) if rows else np.empty(0, np.int64)
