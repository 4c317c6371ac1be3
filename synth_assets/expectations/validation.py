"""Validates one stage's slice by its suite: derives what the expectations look at, has them evaluated, and reports ids and numbers.

Derived columns and numbers are computed check by check, so that one that fails leaves the others standing. Invariant: there is one result per
check of the catalogue, in its order, and what could not be evaluated did not pass.
"""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

from synth_assets.accounts import Row
from synth_assets.config import Domain
from synth_assets.expectations.aside import evaluate
from synth_assets.expectations.catalogue import CATALOGUE
from synth_assets.expectations.check import Check, Column, Figure, Kind, StageSlice
from synth_assets.expectations.forms import Expectation
from synth_assets.expectations.verdict import Verdict
from synth_assets.quality.findings import one_line

if TYPE_CHECKING:
    import pandas

__all__ = ["CheckResult", "failed", "validate"]


@dataclass(frozen=True)
class CheckResult:
    """What one check found."""

    name: str
    passed: bool
    kind: Kind
    blocking: bool
    """Whether a failure blocks what is downstream."""
    expected: str
    """The expectation in words, with its bounds."""
    seen: str
    """What was found instead or as well, in numbers."""
    unexpected_count: int = 0
    """Rows that are not as expected; 0 where the check is about the slice as a whole."""
    row_ids: tuple[str, ...] = ()
    """Ids of such rows, 20 at most."""
    error: str = ""
    """Why the check could not be made; then it did not pass."""

    @property
    def row(self) -> Row:
        """The result as a row of `check_results`, without its place."""
        values = {name: value for name, value in vars(self).items() if name != "name"}
        return {"check_name": self.name, **values, "row_ids": list(self.row_ids)}


def validate(stage: str, frame: "pandas.DataFrame", domain: Domain, facts: Mapping[str, "pandas.DataFrame"]) -> list[CheckResult]:
    """Results of all checks of `stage`, in the order of the catalogue.

    Args:
        stage: A stage of the catalogue.
        frame: The stage's rows of this domain, with one column per column of its table.
        domain: The domain file's settings.
        facts: Rows of the tables in `CATALOGUE[stage].inputs`, by table name. A check that misses its table fails and says so.
    """
    checks = CATALOGUE[stage].checks
    with _uncollected():
        verdicts, numbers = _verdicts(checks, StageSlice(stage, domain, frame.reset_index(drop=True), facts))
    return [_result(check, verdicts[check.name], check.blocks(domain, numbers.get(check.name))) for check in checks]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without collections of garbage, which go through some 100,000 lists of words and find none of them in a cycle: an eighth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def failed(stage: str, error: Exception) -> list[CheckResult]:
    """Every check of `stage` as failed by `error`; all block, for what the domain file says is not known."""
    return [_result(check, _failure(check, error), True) for check in CATALOGUE[stage].checks]


def _failure(check: Check, error: Exception) -> Verdict:
    return Verdict(False, check.description, "not evaluated", error=one_line(f"{type(error).__name__}: {error}", 200))


def _verdicts(checks: tuple[Check, ...], rows: StageSlice) -> tuple[dict[str, Verdict], dict[str, float | None]]:
    """Verdicts of all checks by name, and the numbers of those about a figure."""
    import pandas as pd

    verdicts: dict[str, Verdict] = {}
    columns: dict[str, pd.Series[Any]] = {}
    numbers: dict[str, float | None] = {}
    about_rows: dict[str, Expectation] = {}
    about_slice: dict[str, Expectation] = {}
    for check in checks:
        try:
            expectation = check.expectation(rows.domain)
            if check.derived is None:
                about_rows[check.name] = expectation
            elif isinstance(check.derived, Column):
                columns[check.derived.name] = _column(check.derived.values(rows), rows.frame)
                about_rows[check.name] = expectation
            else:
                numbers[check.name] = _number(check.derived.value(rows))
                about_slice[check.name] = expectation
        except Exception as error:  # noqa: BLE001 - a slice that breaks one check must not break the others
            verdicts[check.name] = _failure(check, error)
    names = {check.name: check.derived.name for check in checks if check.derived}
    measured = pd.DataFrame({names[check]: [number] for check, number in numbers.items()}, dtype="float64")
    verdicts |= evaluate((rows.frame.assign(**columns), about_rows), (measured, about_slice))
    for check in checks:
        if isinstance(check.derived, Figure) and not verdicts[check.name].error:
            number = numbers[check.name]
            seen = check.derived.words(rows) if check.derived.words else "nothing to measure" if number is None else f"{number:.4g}"
            verdicts[check.name] = replace(verdicts[check.name], seen=seen, unexpected_count=0, row_ids=())
    return verdicts, numbers


def _column(values: Sequence[bool | int | float], frame: "pandas.DataFrame") -> "pandas.Series[Any]":
    import pandas as pd

    column = pd.Series(list(values), index=frame.index, dtype=None if values else "object")
    if column.isna().any():  # which the library would pass over
        raise ValueError(f"could not be computed for {int(column.isna().sum())} rows")
    return column


def _number(value: float | None) -> float | None:
    if value is not None and not isfinite(value):
        raise ValueError(f"{value} is no number")
    return value


def _result(check: Check, verdict: Verdict, blocking: bool) -> CheckResult:
    return CheckResult(
        check.name, verdict.passed, check.kind, blocking, verdict.expected, verdict.seen, verdict.unexpected_count, verdict.row_ids, verdict.error
    )
