"""Prompt caching: what is marked, what the endpoint then reads from its cache, and who goes first."""

from pathlib import Path
from typing import Any

from synth_assets.teacher.messages import Message, Request
from synth_assets.teacher.prefixes import LEAST_BYTES, shared_prefixes
from synth_assets_tests.messages_api import MessagesApi
from synth_assets_tests.teacher.driving import ask, request, teacher_for

LONG = "All of this is context that every request needs. " * 120
SHOT = (Message("user", "An example. " * 200), Message("assistant", "Its answer. " * 200))


def marks(body: dict[str, Any]) -> list[str]:
    """Where a body is marked."""
    at = [f"turn {n}" for n, turn in enumerate(body["messages"]) if not isinstance(turn["content"], str)]
    return ["system"] * isinstance(body.get("system"), list) + at


def test_only_what_is_long_and_shared_is_a_prefix() -> None:
    alone, short = Request((Message("user", "a"),), 10, system=LONG + "x"), [Request((Message("user", t),), 10, system="Be brief.") for t in "ab"]
    shared = [Request((Message("user", t),), 10, system=LONG) for t in "ab"]
    shots = [Request((*SHOT, Message("user", t)), 10, system="s") for t in "ab"]
    assert len(LONG.encode()) >= LEAST_BYTES
    assert shared_prefixes([alone, *short, *shared, *shots]) == [None, None, None, (LONG,), (LONG,), *[("s", *(f"{m.role}\n{m.content}" for m in SHOT))] * 2]


def test_the_longest_shared_beginning_counts() -> None:
    both = [Request((*SHOT, Message("user", t)), 10, system=LONG) for t in "ab"]
    other = Request((Message("user", "c"),), 10, system=LONG)
    assert [len(prefix or ()) for prefix in shared_prefixes([*both, other])] == [3, 3, 1]


def test_claude_reads_a_shared_beginning_once(tmp_path: Path) -> None:
    batch = [request(f"Question {n}", system=LONG) for n in range(8)]
    with MessagesApi() as api, teacher_for(api, tmp_path, SYNTH_TEACHER="claude-haiku-4-5", SYNTH_PRICE_USD_PER_MTOK="1,5", SYNTH_BUDGET_USD="1") as teacher:
        replies = ask(teacher, *batch)
        usages = teacher.ledger.read("select json_extract(raw, '$.usage') as usage, cost_usd from replies order by id")
    assert [marks(call.body) for call in api.calls] == [["system"]] * 8
    assert len({reply.key for reply in replies}) == 8
    assert "cache_creation_input_tokens" in usages[0]["usage"]
    assert usages[0]["cost_usd"] > 5 * usages[7]["cost_usd"]


def test_a_mark_is_no_part_of_the_key_and_others_get_none(tmp_path: Path) -> None:
    with MessagesApi() as api:
        with teacher_for(api, tmp_path / "a") as teacher:
            ask(teacher, *[request(t, system=LONG) for t in "ab"])
        assert [marks(call.body) for call in api.calls] == [[], []]
        with teacher_for(api, tmp_path / "b", SYNTH_TEACHER="claude-haiku-4-5") as teacher:
            ask(teacher, *[request(t, system=LONG) for t in "ab"])
            ask(teacher, request("a", system=LONG))
            assert teacher.calls_made == 2
    assert api.most_in_flight <= 2
