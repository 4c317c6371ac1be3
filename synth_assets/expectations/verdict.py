"""What Great Expectations says of one expectation, without that library."""

from dataclasses import dataclass

__all__ = ["ROW_IDS", "Verdict"]

ROW_IDS = 20
"""Ids of unexpected rows at most."""


@dataclass(frozen=True)
class Verdict:
    """What Great Expectations says of one expectation."""

    passed: bool
    expected: str = ""
    """The expectation's type, with its column and bounds."""
    seen: str = ""
    unexpected_count: int = 0
    row_ids: tuple[str, ...] = ()
    error: str = ""
    """Why the expectation could not be evaluated; empty where it was."""
