"""Rows for the warehouse's tests, made from the tables' own columns."""

from typing import Any

from synth_assets.accounts import Outcome, Row
from synth_assets.identity import row_id
from synth_assets.schemas import BY_NAME

_VALUES: dict[str, Any] = {
    "VARCHAR": "text",
    "INTEGER": 3,
    "DOUBLE": 0.25,
    "BOOLEAN": True,
    "VARCHAR[]": ["one", "two"],
    "STRUCT(role VARCHAR, content VARCHAR)[]": [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "4"}],
}


def full_row(table: str, **values: Any) -> Row:
    """A row with a value in every column."""
    return {c.name: _VALUES[c.type] for c in BY_NAME[table].columns} | values


def stage_rows(stage: str, domain: str, count: int, **values: Any) -> list[Row]:
    """`count` full rows of one slice, by id."""
    rows = [full_row(stage, id=row_id(domain, stage, n), domain=domain, **values) for n in range(count)]
    return sorted(rows, key=lambda row: str(row["id"]))


def outcome_of(kept: list[Row], rejected: int = 0, surplus: int = 0) -> Outcome:
    """A balanced outcome: the kept rows, and candidates that were not kept."""
    outcome = Outcome(planned=len(kept) + rejected + surplus, kept=kept)
    for n in range(rejected):
        outcome.reject({"id": f"rejected-{n}", "instruction": f"Explain {n}."}, "too_short", score=float(n), evidence=f"{n} words")
    outcome.surplus = [{"id": f"surplus-{n}", "instruction": f"Name {n}."} for n in range(surplus)]
    return outcome


def paid_call(key: str, **values: Any) -> Row:
    """A row of `teacher_calls`."""
    return full_row("teacher_calls", key=key, attempt=1, **values)
