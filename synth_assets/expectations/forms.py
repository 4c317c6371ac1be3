"""The forms that a check's limit takes: each makes its Great Expectations object when asked, and tells its threshold without that library.

A limit is a number, or a function of the domain where the domain file sets it. Invariant: what `threshold` says is what the expectation tests.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from synth_assets.config import Domain

__all__ = ["Expect", "Limit", "at_least", "at_most", "columns_present", "each_of", "has_rows", "holds", "unique", "within"]

Limit = float | Callable[[Domain], float]


@dataclass(frozen=True)
class Expect:
    """An expectation to be."""

    make: Callable[[Any, str, Domain], Any]
    """(`great_expectations.expectations`, the derived column or an empty text, the domain) to an expectation."""
    threshold: Callable[[Domain], str]
    """The limit in words."""


def _value(limit: Limit, domain: Domain) -> float:
    return limit(domain) if callable(limit) else limit


def holds(share: Limit = 1.0) -> Expect:
    """The derived column is true in every row, or in at least a share of the rows."""

    def threshold(domain: Domain) -> str:
        least = _value(share, domain)
        return "every row" if least == 1 else f"at least {least:g} of the rows"

    return Expect(lambda library, column, d: library.ExpectColumnValuesToBeInSet(column=column, value_set=[True], mostly=_value(share, d)), threshold)


def at_most(limit: Limit, *, strict: bool = False) -> Expect:
    """What is derived is nowhere above the limit; with `strict` below it."""
    return Expect(
        lambda library, column, d: library.ExpectColumnValuesToBeBetween(column=column, max_value=_value(limit, d), strict_max=strict),
        lambda d: f"{'below' if strict else 'at most'} {_value(limit, d):g}",
    )


def at_least(limit: Limit, *, stored: str = "") -> Expect:
    """What is derived, or the column `stored`, is nowhere below the limit."""
    return Expect(
        lambda library, column, d: library.ExpectColumnValuesToBeBetween(column=stored or column, min_value=_value(limit, d)),
        lambda d: f"at least {_value(limit, d):g}",
    )


def within(stored: str, low: Limit, high: Limit) -> Expect:
    """A stored column lies between two limits, both included."""
    return Expect(
        lambda library, _, d: library.ExpectColumnValuesToBeBetween(column=stored, min_value=_value(low, d), max_value=_value(high, d)),
        lambda d: f"{_value(low, d):g} to {_value(high, d):g}",
    )


def each_of(stored: str, values: Sequence[str] | Callable[[Domain], Sequence[str]]) -> Expect:
    """Every value of a stored column is one of these; null is the business of another check."""

    def named(domain: Domain) -> list[str]:
        return list(values(domain) if callable(values) else values)

    return Expect(
        lambda library, _, d: library.ExpectColumnValuesToBeInSet(column=stored, value_set=named(d)),
        lambda d: "what the domain file names" if callable(values) else f"one of {', '.join(named(d))}",
    )


def unique(*stored: str) -> Expect:
    """No two rows have the same values in these columns."""

    def make(library: Any, _: str, domain: Domain) -> Any:
        if len(stored) == 1:
            return library.ExpectColumnValuesToBeUnique(column=stored[0])
        return library.ExpectCompoundColumnsToBeUnique(column_list=list(stored))

    return Expect(make, lambda _: f"{' + '.join(stored)} once")


def columns_present(*names: str) -> Expect:
    """The table has these columns, others allowed."""
    return Expect(lambda library, *_: library.ExpectTableColumnsToMatchSet(column_set=list(names), exact_match=False), lambda _: f"{len(names)} columns")


def has_rows() -> Expect:
    """The table has a row."""
    return Expect(lambda library, *_: library.ExpectTableRowCountToBeBetween(min_value=1), lambda _: "at least 1 row")
