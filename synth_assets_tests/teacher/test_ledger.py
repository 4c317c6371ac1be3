"""The ledger: keys, what stands, what is spent, and processes that share a file or die."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from synth_assets.errors import BudgetExceeded, LedgerError
from synth_assets.schemas import TEACHER_CALLS
from synth_assets.teacher.answers import Answer, Usage
from synth_assets.teacher.budget import Budget, Spending
from synth_assets.teacher.client import Teacher
from synth_assets.teacher.endpoint import Endpoint, Secrets
from synth_assets.teacher.ledger import Call, Elsewhere, Ledger, Reservation
from synth_assets.teacher.messages import Message, Profile, Reply, Request
from synth_assets.teacher.prices import Price
from synth_assets_tests.messages_api import MessagesApi
from synth_assets_tests.teacher.driving import ask, request, states

FREE = Budget()


def call(key: str, domain: str = "math") -> Call:
    return Call(key, "here", "model-a", '{"a": 1}', domain)


def reserved(ledger: Ledger, key: str, upper_usd: float = 1.0, budget: Budget = FREE, domain: str = "math") -> Reservation:
    reservation = ledger.reserve(call(key, domain), upper_usd, budget).result()
    assert isinstance(reservation, Reservation)
    return reservation


def recorded(ledger: Ledger, reservation: Reservation, text: str = "yes", cost_usd: float = 0.5, failure: str = "") -> Reply | None:
    answer = Answer("{}", text, "hm", "failed" if failure else "end_turn", Usage(3, 4), failure, failure and "it said so")
    return ledger.record(reservation, answer, cost_usd, 1.5).result()


def answered(ledger: Ledger, key: str, text: str = "yes", cost_usd: float = 0.5, failure: str = "") -> Reply | None:
    return recorded(ledger, reserved(ledger, key), text, cost_usd, failure)


def teacher_at(home: Path, identity: str, base_url: Callable[[], str] = lambda: "", model: str = "model-a") -> Teacher:
    endpoint = Endpoint(identity, base_url, Profile(model, paid=False), Price(0.0, 0.0), 4, secrets=Secrets("embedded"))
    return Teacher(endpoint, Ledger(home / "ledger.sqlite"), pace=home / "pace")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


def test_a_reply_comes_back_as_it_went_in(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.sqlite"
    ledger = Ledger(path)
    reply = answered(ledger, "k", "grün 你好")
    assert reply is not None
    ledger.close()
    again = Ledger(path)
    assert again.get("k") == replace(reply, cached=True)
    assert again.get("other") is None
    again.close()


def test_what_stands_is_not_reserved_again(ledger: Ledger) -> None:
    first = answered(ledger, "k", "first")
    assert first is not None
    assert ledger.reserve(call("k"), 1.0, FREE).result() == replace(first, cached=True)


def test_a_call_that_is_out_is_out_for_everybody_until_its_ledger_is_closed(ledger: Ledger) -> None:
    other = Ledger(ledger.path)
    mine = reserved(ledger, "k")
    assert other.reserve(call("k"), 1.0, FREE).result() == Elsewhere(None)
    ledger.release(mine).result()
    theirs = reserved(other, "k")
    assert theirs.attempt == 1
    assert ledger.reserve(call("k"), 1.0, FREE).result() == Elsewhere(None)
    other.close()
    assert reserved(ledger, "k").attempt == 2
    assert ledger.spending() == Spending(1.0, 1.0)


def test_a_failure_does_not_stand_and_is_paid_all_the_same(ledger: Ledger) -> None:
    assert answered(ledger, "k", failure="bad_request", cost_usd=0.25) is None
    assert ledger.get("k") is None
    answered(ledger, "k")
    stands = ledger.get("k")
    assert stands is not None
    assert stands.text == "yes"
    assert ledger.spending() == Spending(0.75, 0.0)
    assert [(c["attempt"], c["stop_reason"], c["cost_usd"]) for c in ledger.calls(["k"])] == [(1, "bad_request", 0.25), (2, "end_turn", 0.5)]


def test_a_malformed_reply_stands_when_it_came_too_often(ledger: Ledger) -> None:
    assert answered(ledger, "k", failure="malformed_reply") is None
    assert answered(ledger, "k", failure="malformed_reply") is None
    last = answered(ledger, "k", failure="malformed_reply")
    assert last is not None
    assert (last.failure, last.evidence) == ("malformed_reply", "it said so")
    assert isinstance(ledger.reserve(call("k"), 1.0, FREE).result(), Reply)


def test_calls_of_many_keys(ledger: Ledger) -> None:
    answered(ledger, "k40000")
    answered(ledger, "k3")
    assert sorted(c["key"] for c in ledger.calls(f"k{n}" for n in range(50_000))) == ["k3", "k40000"]
    assert ledger.calls([]) == []
    assert set(ledger.calls(["k3"])[0]) == {column.name for column in TEACHER_CALLS.columns}


def test_what_is_reserved_counts_until_it_is_known_to_cost_nothing(ledger: Ledger) -> None:
    refused, lost = reserved(ledger, "a", 0.25), reserved(ledger, "b", 0.5)
    assert ledger.spending() == Spending(0.0, 0.75)
    ledger.release(refused).result()
    ledger.abandon(lost).result()
    assert ledger.spending() == Spending(0.5, 0.0)
    with pytest.raises(BudgetExceeded, match=r"up to \$0.5000, and \$0.5000 of the \$0.90 in SYNTH_BUDGET_USD.*Raise SYNTH_BUDGET_USD"):
        reserved(ledger, "c", 0.5, Budget(0.9))
    reserved(ledger, "c", 0.5, Budget(1.0))
    assert ledger.reserve(call("d"), 0.5, Budget(1.4)).result() is None
    (unknown,) = ledger.calls(["b"])
    assert (unknown["stop_reason"], unknown["cost_usd"], unknown["output_tokens"]) == ("unknown", 0.5, 0)


def test_a_domain_has_an_account_of_its_own(ledger: Ledger) -> None:
    answered(ledger, "a", cost_usd=0.9)
    recorded(ledger, reserved(ledger, "b", domain="writing"), cost_usd=0.3)
    assert ledger.spending("writing") == Spending(0.3, 0.0)
    with pytest.raises(BudgetExceeded, match="budget_usd of domain math"):
        reserved(ledger, "c", 0.2, Budget(None, "math", 1.0))
    reserved(ledger, "c", 0.2, Budget(None, "writing", 1.0), domain="writing")


def test_ledgers_and_calls_at_once_do_not_pass_a_budget(tmp_path: Path) -> None:
    ledgers = [Ledger(tmp_path / "ledger.sqlite") for _ in range(4)]
    futures = [ledgers[number % 4].reserve(call(f"{number}"), 1.0, Budget(10.0)) for number in range(64)]
    assert sum(isinstance(future.result(), Reservation) for future in futures) == 10
    assert ledgers[0].spending() == Spending(0.0, 10.0)
    for ledger in ledgers:
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
    with pytest.raises(LedgerError, match=r"ledger\.sqlite is damaged \(file is not a database\).*move it away"):
        Ledger(path)
    assert path.read_bytes().startswith(b"no database")


def test_a_newer_ledger_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger(path).close()
    connection = sqlite3.connect(path)
    connection.execute("pragma user_version = 99")
    connection.close()
    with pytest.raises(LedgerError, match="newer synth_assets \\(version 99"):
        Ledger(path)


def test_a_failed_write_leaves_a_ledger_that_works_and_its_neighbours_whole(ledger: Ledger) -> None:
    good, bad, better = (reserved(ledger, key) for key in "abc")
    futures = [
        ledger.record(reservation, Answer("{}", "yes", usage=Usage(1, tokens)), 0.0, 1.0) for reservation, tokens in ((good, 1), (bad, 2**70), (better, 1))
    ]
    assert futures[0].result() is not None
    with pytest.raises(OverflowError):
        futures[1].result()
    assert futures[2].result() is not None
    assert (ledger.get("a") is None, ledger.get("b") is None) == (False, True)
    assert ledger.spending() == Spending(0.0, 1.0)


OPEN_AND_RESERVE = """
import sys
from pathlib import Path
from synth_assets.teacher.budget import Budget
from synth_assets.teacher.ledger import Call, Ledger
sys.stdin.readline()
ledger = Ledger(Path(sys.argv[1]))
ledger.reserve(Call(sys.argv[2], "here", "model-a", "{}"), 0.25, Budget()).result()
print("reserved", flush=True)
sys.stdin.readline()
"""


def test_many_processes_make_one_new_ledger_and_only_the_dead_are_booked_as_unknown(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    command = [sys.executable, "-c", OPEN_AND_RESERVE, str(path)]
    with ExitStack() as stack:
        started = (subprocess.Popen([*command, f"k{number}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for number in range(4))
        processes = [stack.enter_context(process) for process in started]
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
        assert ledger.spending() == Spending(0.5, 0.5)
        ledger.close()
