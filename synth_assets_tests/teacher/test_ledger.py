"""The ledger: keys, what stands, what is spent, and processes that share a file or die."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from synth_assets.errors import BudgetExceeded, LedgerError
from synth_assets.teacher.client import Endpoint, Teacher
from synth_assets.teacher.ledger import Ledger
from synth_assets.teacher.messages import Message, Profile, Reply, Request
from synth_assets.teacher.prices import Price
from synth_assets_tests.messages_api import MessagesApi
from synth_assets_tests.teacher.driving import ask, request, states


def answered(ledger: Ledger, key: str, text: str = "yes", cost_usd: float = 0.5, failure: str = "") -> Reply:
    reply = Reply(key, text, "failed" if failure else "end_turn", "model-a", thinking="hm", input_tokens=3, output_tokens=4, failure=failure)
    return ledger.record(ledger.reserve(key, 1.0), reply, endpoint="here", request={"a": 1}, raw="{}", cost_usd=cost_usd, latency_ms=1.5)


def teacher_at(home: Path, identity: str, base_url: Callable[[], str] = lambda: "", model: str = "model-a") -> Teacher:
    endpoint = Endpoint(identity, base_url, lambda: None, "embedded", None, True)
    return Teacher(Ledger(home / "ledger.sqlite"), endpoint, Profile(model, paid=False), price=Price(0.0, 0.0), budget_usd=None, concurrency=4)


def test_a_reply_comes_back_as_it_went_in(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.sqlite"
    ledger = Ledger(path)
    reply = answered(ledger, "k", "grün 你好")
    ledger.close()
    again = Ledger(path)
    assert again.get("k") == replace(reply, cached=True)
    assert again.get("other") is None
    again.close()


def test_the_first_reply_stands_for_ever(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    first = answered(ledger, "k", "first")
    assert answered(ledger, "k", "second") == first
    assert ledger.get("k") == replace(first, cached=True)
    assert len(ledger.calls(["k"])) == 2
    ledger.close()


def test_a_failure_does_not_stand_and_is_paid_all_the_same(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    answered(ledger, "k", failure="malformed_reply")
    assert ledger.get("k") is None
    answered(ledger, "k")
    answered(ledger, "k", failure="bad_request", cost_usd=0.0)
    stands = ledger.get("k")
    assert stands is not None
    assert stands.text == "yes"
    assert ledger.spent() == 1.0
    assert [(c["attempt"], c["stop_reason"], c["cost_usd"]) for c in ledger.calls(["k"])] == [
        (1, "malformed_reply", 0.5),
        (2, "end_turn", 0.5),
        (3, "bad_request", 0.0),
    ]
    ledger.close()


def test_calls_of_more_keys_than_one_query_takes(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    answered(ledger, "k1100")
    answered(ledger, "k3")
    assert sorted(c["key"] for c in ledger.calls([f"k{n}" for n in range(1200)])) == ["k1100", "k3"]
    assert ledger.calls([]) == []
    assert set(ledger.calls(["k3"])[0]) == {
        *("key", "attempt", "endpoint", "model", "input_tokens", "output_tokens", "cost_usd", "stop_reason", "latency_ms", "paid_at")
    }
    ledger.close()


def test_what_is_reserved_counts_until_it_is_known_to_cost_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    refused, lost = ledger.reserve("a", 0.25), ledger.reserve("b", 0.5)
    assert ledger.spent() == 0.75
    ledger.release(refused)
    ledger.doubt(lost)
    assert ledger.spent() == 0.5
    with pytest.raises(BudgetExceeded, match=r"\$0.5000 of \$0.9000 .* may cost \$0.5000.*Raise SYNTH_BUDGET_USD"):
        ledger.reserve("c", 0.5, budget_usd=0.9)
    assert ledger.spent() == 0.5
    ledger.reserve("c", 0.5, budget_usd=1.0)
    assert ledger.spent() == 1.0
    ledger.close()


def test_threads_and_connections_at_once_do_not_pass_a_budget(tmp_path: Path) -> None:
    ledgers = [Ledger(tmp_path / "ledger.sqlite") for _ in range(4)]

    def reserve(number: int) -> bool:
        try:
            ledgers[number % 4].reserve(f"{number}", 1.0, budget_usd=10.0)
        except BudgetExceeded:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(reserve, range(64))) == 10
    assert ledgers[0].spent() == 10.0
    for ledger in ledgers:
        ledger.close()


def test_the_sum_is_read_from_indexes_not_from_texts(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    answered(ledger, "k")
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    plan = connection.execute("explain query plan select coalesce(sum(cost_usd), 0) from replies where cost_usd > 0").fetchall()
    assert "COVERING INDEX costs" in str(plan)
    connection.close()
    ledger.close()


BASE = Request((Message("user", "hi"),), 100, system="s", sampling=(("temperature", 0.5),), stop=("x",))


@pytest.mark.parametrize(
    "changed",
    [
        replace(BASE, messages=(Message("assistant", "hi"),)),
        replace(BASE, messages=(Message("user", "hi "),)),
        replace(BASE, messages=(Message("user", "hi"), Message("user", ""))),
        replace(BASE, messages=(Message("user", "hi\ud800"),)),
        replace(BASE, max_tokens=101),
        replace(BASE, system=""),
        replace(BASE, sample=1),
        replace(BASE, sampling=()),
        replace(BASE, sampling=(("temperature", 0.6),)),
        replace(BASE, sampling=(("top_p", 0.5),)),
        replace(BASE, stop=()),
        replace(BASE, stop=("x", "y")),
        replace(BASE, user_turn=True),
    ],
)
def test_whatever_decides_an_answer_is_in_its_key(changed: Request, tmp_path: Path) -> None:
    with teacher_at(tmp_path, "here") as teacher:
        assert teacher.key(changed) != teacher.key(BASE)
        assert teacher.key(replace(changed)) == teacher.key(changed)


def test_endpoint_and_model_are_in_the_key(tmp_path: Path) -> None:
    with teacher_at(tmp_path, "here") as one, teacher_at(tmp_path, "there") as two, teacher_at(tmp_path, "here", model="model-b") as three:
        assert len({teacher.key(BASE) for teacher in (one, two, three)}) == 3


def test_a_key_is_the_same_for_ever(tmp_path: Path) -> None:
    # A changed key would pay for everything again.
    with teacher_at(tmp_path, "https://api.anthropic.com", model="claude-sonnet-4-5") as teacher:
        assert teacher.key(BASE) == "fccdc247937d7b3dea5bba10480812d6455525ab"


def test_another_port_is_not_another_endpoint_where_the_identity_says_so(tmp_path: Path) -> None:
    for expected in (1, 0):
        with MessagesApi() as api, teacher_at(tmp_path, "embedded:abc", lambda url=api.url: url) as teacher:  # type: ignore[misc]
            ask(teacher, request())
            assert len(api.calls) == teacher.calls_made == expected


def test_a_file_that_is_no_ledger_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"no database, but somebody's notes" * 100)
    with pytest.raises(LedgerError, match=r"ledger\.sqlite: file is not a database.*move it away"):
        Ledger(path)
    assert path.read_bytes().startswith(b"no database")


def test_a_newer_ledger_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger(path).close()
    connection = sqlite3.connect(path)
    connection.execute("pragma user_version = 99")
    connection.close()
    with pytest.raises(LedgerError, match="version 99, newer than this code"):
        Ledger(path)


def test_a_failed_commit_leaves_a_ledger_that_works(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    reservation = ledger.reserve("k", 1.0)
    too_large = Reply("k", "yes", "end_turn", "m", input_tokens=2**70)
    with pytest.raises(OverflowError):
        ledger.record(reservation, too_large, endpoint="", request={}, raw="", cost_usd=0.0, latency_ms=0.0)
    assert ledger.get("k") is None
    assert ledger.spent() == 1.0
    answered(ledger, "k")
    assert ledger.get("k") is not None
    ledger.close()


OPEN_AND_RESERVE = """
import sys
from pathlib import Path
from synth_assets.teacher.ledger import Ledger
sys.stdin.readline()
ledger = Ledger(Path(sys.argv[1]))
ledger.reserve("k", 0.25)
print("reserved", flush=True)
sys.stdin.readline()
"""


def test_many_processes_make_one_new_ledger_and_only_the_dead_are_booked_as_unknown(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    command = [sys.executable, "-c", OPEN_AND_RESERVE, str(path)]
    with ExitStack() as stack:
        processes = [stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)) for _ in range(4)]
        for process in processes:
            stack.callback(process.kill)
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "reserved\n"
        processes[0].kill()
        processes[0].wait()
        # A zombie too: killed, and nobody has waited for it.
        processes[1].kill()
        os.waitid(os.P_PID, processes[1].pid, os.WEXITED | os.WNOWAIT)
        ledger = Ledger(path)
        assert states(tmp_path) == {"open": 2, "unknown": 2}
        assert ledger.spent() == 1.0
        ledger.close()
