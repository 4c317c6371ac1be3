"""The forms that a check's limit takes: each says what Great Expectations shall expect, and tells its threshold, without that library.

A limit is a number, or a function of the domain where the domain file sets it. Invariant: what `threshold` says is what the expectation tests.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synth_assets.config import Domain

__all__ = ["Expect", "Expectation", "Limit", "at_least", "at_most", "columns_present", "each_of", "has_rows", "holds", "unique", "within"]

Limit = float | Callable[[Domain], float]


@dataclass(frozen=True)
class Expectation:
    """What is expected of one frame."""

    type: str
    """A class of `great_expectations.expectations`."""
    given: Mapping[str, Any]
    """What it is made with: values that JSON has."""

    @property
    def columns(self) -> set[str]:
        """The columns whose values it looks at."""
        return {*self.given.get("column_list", ()), *([self.given["column"]] if "column" in self.given else [])}


@dataclass(frozen=True)
class Expect:
    """An expectation to be."""

    make: Callable[[str, Domain], Expectation]
    """From the derived column, or an empty text, and the domain."""
    threshold: Callable[[Domain], str]
    """The limit in words."""


def _value(limit: Limit, domain: Domain) -> float:
    return limit(domain) if callable(limit) else limit


def holds(share: Limit = 1.0) -> Expect:
    """The derived column is true in every row, or in at least a share of the rows."""

    def threshold(domain: Domain) -> str:
        least = _value(share, domain)
        return "every row" if least == 1 else f"at least {least:g} of the rows"

    return Expect(lambda column, d: _in_set(column, [True], mostly=_value(share, d)), threshold)


def at_most(limit: Limit, *, strict: bool = False) -> Expect:
    """What is derived is nowhere above the limit; with `strict` below it."""
    return Expect(
        lambda column, d: _between(column, max_value=_value(limit, d), strict_max=strict),
        lambda d: f"{'below' if strict else 'at most'} {_value(limit, d):g}",
    )


def at_least(limit: Limit, *, stored: str = "") -> Expect:
    """What is derived, or the column `stored`, is nowhere below the limit."""
    return Expect(
        lambda column, d: _between(stored or column, min_value=_value(limit, d)),
        lambda d: f"at least {_value(limit, d):g}",
    )


def within(stored: str, low: Limit, high: Limit) -> Expect:
    """A stored column lies between two limits, both included."""
    return Expect(
        lambda _, d: _between(stored, min_value=_value(low, d), max_value=_value(high, d)),
        lambda d: f"{_value(low, d):g} to {_value(high, d):g}",
    )


def each_of(stored: str, values: Sequence[str] | Callable[[Domain], Sequence[str]]) -> Expect:
    """Every value of a stored column is one of these; null is the business of another check."""

    def named(domain: Domain) -> list[str]:
        return list(values(domain) if callable(values) else values)

    return Expect(
        lambda _, d: _in_set(stored, named(d)),
        lambda d: "what the domain file names" if callable(values) else f"one of {', '.join(named(d))}",
    )


def unique(*stored: str) -> Expect:
    """No two rows have the same values in these columns."""
    if len(stored) == 1:
        made = Expectation("ExpectColumnValuesToBeUnique", {"column": stored[0]})
    else:
        made = Expectation("ExpectCompoundColumnsToBeUnique", {"column_list": list(stored)})
    return Expect(lambda *_: made, lambda _: f"{' + '.join(stored)} once")


def columns_present(*names: str) -> Expect:
    """The table has these columns, others allowed."""
    made = Expectation("ExpectTableColumnsToMatchSet", {"column_set": list(names), "exact_match": False})
    return Expect(lambda *_: made, lambda _: f"{len(names)} columns")


def has_rows() -> Expect:
    """The table has a row."""
    return Expect(lambda *_: Expectation("ExpectTableRowCountToBeBetween", {"min_value": 1}), lambda _: "at least 1 row")


def _between(column: str, **limits: Any) -> Expectation:
    return Expectation("ExpectColumnValuesToBeBetween", {"column": column, **limits})


def _in_set(column: str, values: Sequence[Any], **limits: Any) -> Expectation:
    return Expectation("ExpectColumnValuesToBeInSet", {"column": column, "value_set": list(values), **limits})
