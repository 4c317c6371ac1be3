"""Teachers in front of the HTTP double, and plans to drive."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from synth_assets.teacher.choice import open_teacher
from synth_assets.teacher.client import Teacher
from synth_assets.teacher.failures import Patience
from synth_assets.teacher.messages import Message, Plan, Reply, Request
from synth_assets_tests.messages_api import Behaviour, MessagesApi, Script

KEY = "sk-ant-test-0123456789abcdef"
AT_ONCE = Patience(shortest_s=0.0)
"""Tries again without a pause of its own."""
PRICED = {"SYNTH_PRICE_USD_PER_MTOK": "10,100", "SYNTH_BUDGET_USD": "1"}


def request(text: str = "Why is the sky blue?", **changed: object) -> Request:
    values: dict[str, object] = {"messages": (Message("user", text),), "max_tokens": 100}
    return Request(**values | changed)  # type: ignore[arg-type]


def requests(count: int) -> list[Request]:
    return [request(f"question {number}") for number in range(count)]


def teacher_for(api: MessagesApi, home: Path, **env: str) -> Teacher:
    """A teacher of `api` that does not wait between its tries; its server is one's own, and so free, unless a price is set."""
    given = {"ANTHROPIC_BASE_URL": api.url, "SYNTH_TEACHER": "model-a", "ANTHROPIC_API_KEY": KEY} | env
    teacher = open_teacher(home, given)
    teacher.patience = AT_ONCE
    teacher.pace = home / "pace"
    return teacher


def one_batch(batch: Sequence[Request], into: list[Reply]) -> Plan:
    into.extend((yield list(batch)))


def ask(teacher: Teacher, *batch: Request, max_failed_share: float = 1.0) -> list[Reply]:
    """Replies to one batch."""
    replies: list[Reply] = []
    teacher.run(one_batch(batch, replies), max_failed_share=max_failed_share)
    return replies


def spent(teacher: Teacher) -> float:
    """Dollars paid, and reserved by calls in flight or lost."""
    spending = teacher.ledger.spending()
    return spending.settled_usd + spending.in_flight_usd


def states(home: Path) -> dict[str, int]:
    """How many reservations are in which state."""
    connection = sqlite3.connect(home / "ledger.sqlite")
    try:
        return dict(connection.execute("select state, count(*) from reservations group by state").fetchall())
    finally:
        connection.close()


def after(faults: list[Behaviour], then: Behaviour = "An answer.") -> Script:
    """One behaviour after the other, then always the same."""
    return lambda call: faults[call.number - 1] if call.number <= len(faults) else then
