"""The engine in front of a real HTTP server: order, what is asked again, money, and processes that die."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from synth_assets.errors import BudgetExceeded, StageFailed
from synth_assets.teacher.budget import Budget
from synth_assets.teacher.choice import open_teacher
from synth_assets.teacher.failures import Patience
from synth_assets.teacher.messages import Plan, Reply
from synth_assets_tests.messages_api import Answer, Behaviour, Call, Drop, Fault, MessagesApi, Raw, Script, Slow
from synth_assets_tests.teacher.driving import KEY, PRICED, after, ask, one_batch, request, requests, spent, states, teacher_for


def test_replies_come_in_request_order(tmp_path: Path) -> None:
    last_in = threading.Event()

    def script(call: Call) -> Behaviour:
        if call.text == "question 4":
            last_in.set()
        return Slow(last_in, call.text) if call.text == "question 0" else call.text

    seen: list[str] = []
    replies: list[Reply] = []
    with MessagesApi(script) as api, teacher_for(api, tmp_path, SYNTH_CONCURRENCY="2") as teacher:
        teacher.run(one_batch(requests(5), replies), on_reply=lambda reply: seen.append(reply.text))
    assert [reply.text for reply in replies] == [f"question {n}" for n in range(5)]
    assert sorted(seen) == [reply.text for reply in replies]
    assert seen[0] == "question 1"


def test_equal_requests_are_asked_once_in_a_plan(tmp_path: Path) -> None:
    def plan() -> Plan:
        first = yield [request("a"), request("b"), request("a")]
        assert first[0] is first[2]
        second = yield [request("a"), request("a", sample=1)]
        assert second[0] == replace(first[0], cached=True)
        assert second[1].key != first[0].key

    with MessagesApi() as api, teacher_for(api, tmp_path) as teacher:
        teacher.run(plan())
        assert sorted(api.asked) == ["a", "a", "b"]
        assert teacher.calls_made == 3


@pytest.mark.parametrize("concurrency", [1, 5])
def test_no_more_are_in_flight_than_allowed(concurrency: int, tmp_path: Path) -> None:
    with MessagesApi() as api, teacher_for(api, tmp_path, SYNTH_CONCURRENCY=str(concurrency)) as teacher:
        ask(teacher, *requests(25))
        assert api.most_in_flight <= concurrency


def test_an_empty_batch_asks_nothing_and_an_error_of_the_plan_is_its_own(tmp_path: Path) -> None:
    def plan() -> Plan:
        assert (yield []) == []
        yield [request()]
        raise ValueError("of the plan")

    with MessagesApi() as api, teacher_for(api, tmp_path) as teacher:
        with pytest.raises(ValueError, match="of the plan"):
            teacher.run(plan())
        assert len(api.calls) == 1


def test_a_second_run_asks_nothing(tmp_path: Path) -> None:
    with MessagesApi() as api:
        with teacher_for(api, tmp_path) as teacher:
            first = ask(teacher, *requests(10))
        with teacher_for(api, tmp_path) as teacher:
            again = ask(teacher, *requests(10))
            assert teacher.calls_made == 0
        assert len(api.calls) == 10
    assert [(r.text, r.key, r.cached) for r in again] == [(r.text, r.key, True) for r in first]


def test_failed_calls_are_asked_again_in_the_next_run(tmp_path: Path) -> None:
    with MessagesApi(lambda call: Fault(400, "context too small") if call.text == "question 1" else "fine") as api:
        with teacher_for(api, tmp_path) as teacher, pytest.raises(StageFailed, match=r"1 of 3 calls failed.*bad_request"):
            ask(teacher, *requests(3), max_failed_share=0.3)
        api.script = lambda call: "mended"
        with teacher_for(api, tmp_path) as teacher:
            assert [r.text for r in ask(teacher, *requests(3), max_failed_share=0.3)] == ["fine", "mended", "fine"]
        assert len(api.calls) == 4


def test_a_share_of_failures_is_judged_over_the_plan(tmp_path: Path) -> None:
    def plan() -> Plan:
        yield [request("bad")]
        yield requests(9)

    with MessagesApi(lambda call: Fault(400) if call.text == "bad" else "fine") as api, teacher_for(api, tmp_path) as teacher:
        teacher.run(plan(), max_failed_share=0.1)


def test_a_plan_that_fails_much_is_stopped_early(tmp_path: Path) -> None:
    def plan() -> Plan:
        yield requests(20)
        yield [request("never asked")]

    with MessagesApi(lambda call: Fault(400)) as api, teacher_for(api, tmp_path) as teacher:
        with pytest.raises(StageFailed):
            teacher.run(plan(), max_failed_share=0.5)
        assert "never asked" not in api.asked


class TestBudget:
    """One call costs 0.001 by its usage (10 in, 9 out), and is reserved at about 0.012."""

    answer = Answer(input_tokens=10, output_tokens=9)

    def test_it_is_never_passed_and_what_was_reserved_in_vain_is_spent_on(self, tmp_path: Path) -> None:
        with MessagesApi(lambda call: self.answer) as api, teacher_for(api, tmp_path, SYNTH_PRICE_USD_PER_MTOK="10,100", SYNTH_BUDGET_USD="0.05") as teacher:
            with pytest.raises(BudgetExceeded, match=r"Raise SYNTH_BUDGET_USD.*is not paid again"):
                ask(teacher, *requests(100))
            assert spent(teacher) == pytest.approx(len(api.calls) * 0.001)
            # Only the last call's reservation, and not those of the 16 at once, ends the run.
            assert 0.036 < spent(teacher) <= 0.05
            assert api.most_in_flight <= 4

    def test_it_holds_when_each_call_costs_all_that_was_reserved(self, tmp_path: Path) -> None:
        dear = Answer(input_tokens=150, output_tokens=100)
        with MessagesApi(lambda call: dear) as api, teacher_for(api, tmp_path, SYNTH_PRICE_USD_PER_MTOK="10,100", SYNTH_BUDGET_USD="0.1") as teacher:
            with pytest.raises(BudgetExceeded):
                ask(teacher, *requests(100))
            assert 0.08 < spent(teacher) <= 0.1
            assert len(api.calls) == 8

    def test_a_raised_one_goes_on(self, tmp_path: Path) -> None:
        price = {"SYNTH_PRICE_USD_PER_MTOK": "10,100"}
        with MessagesApi(lambda call: self.answer) as api:
            with teacher_for(api, tmp_path, **price, SYNTH_BUDGET_USD="0.03") as teacher, pytest.raises(BudgetExceeded):
                ask(teacher, *requests(30))
            before = len(api.calls)
            with teacher_for(api, tmp_path, **price, SYNTH_BUDGET_USD="1") as teacher:
                assert len(ask(teacher, *requests(30))) == 30
            assert 0 < before < 30
            assert len(api.calls) == 30

    def test_a_malformed_answer_is_booked_at_its_most(self, tmp_path: Path) -> None:
        with MessagesApi(after([Raw(b"{"), Drop()], self.answer)) as api, teacher_for(api, tmp_path, **PRICED) as teacher:
            (reply,) = ask(teacher, request())
            calls = teacher.ledger.calls([reply.key])
            assert [(c["attempt"], c["stop_reason"]) for c in calls] == [(1, "malformed_reply"), (2, "unknown"), (3, "end_turn")]
            assert calls[0]["cost_usd"] > 0.01
            assert spent(teacher) == pytest.approx(2 * calls[0]["cost_usd"] + 0.001)


def worker(home: Path, api: MessagesApi, count: int = 40, name: str = "question", **env: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "synth_assets_tests.teacher.worker", str(home), api.url, str(count), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "SYNTH_CONCURRENCY": "4", **PRICED, **env})


def stuck_from(number: int, forever: threading.Event) -> Script:
    return lambda call: Slow(forever, call.text) if call.number >= number else call.text


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_process_that_dies_in_the_middle_loses_nothing(number: signal.Signals, tmp_path: Path) -> None:
    forever = threading.Event()
    with MessagesApi(stuck_from(17, forever)) as api:
        process = worker(tmp_path, api)
        api.wait_for(20)
        started = time.monotonic()
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        if number == signal.SIGINT:
            assert time.monotonic() - started < 5
            assert said.rstrip().endswith("KeyboardInterrupt")
            # As a shell expects of who was interrupted.
            assert process.returncode == -signal.SIGINT
        else:
            assert process.returncode == -signal.SIGKILL
        assert states(tmp_path) == {"open" if number == signal.SIGKILL else "unknown": 4}

        api.script = lambda call: call.text
        asked = len(api.calls)
        with teacher_for(api, tmp_path, **PRICED) as teacher:
            assert states(tmp_path)["unknown"] == 4
            replies = ask(teacher, *[request(f"question {n}") for n in range(40)])
            assert teacher.calls_made == 24
            paid = sum(c["cost_usd"] for c in teacher.ledger.calls([r.key for r in replies]))
            assert spent(teacher) == pytest.approx(paid)
            assert paid > 40 * 0.001 + 4 * 0.01
        assert len(api.calls) == asked + 24
        assert [r.text for r in replies] == [f"question {n}" for n in range(40)]


def test_two_processes_share_a_ledger_and_a_budget(tmp_path: Path) -> None:
    with MessagesApi(lambda call: Answer(call.text, input_tokens=150, output_tokens=100)) as api:
        both = [worker(tmp_path, api, 60, name, SYNTH_BUDGET_USD="0.4") for name in ("left", "right")]
        said = [process.communicate(timeout=60) for process in both]
        assert [err for _, err in said] == ["", ""]
        assert any("BudgetExceeded" in out for out, _ in said)
        with teacher_for(api, tmp_path, **PRICED) as teacher:
            assert spent(teacher) == pytest.approx(len(api.calls) * 0.0115)
            assert 0.35 < spent(teacher) <= 0.4
            known = len(api.calls)
            batch = [request(f"{name} {n}") for name in ("left", "right") for n in range(60)]
            teacher.budget = Budget(10.0)
            ask(teacher, *batch)
            assert teacher.calls_made == 120 - known


def test_two_processes_that_want_the_same_make_one_call(tmp_path: Path) -> None:
    with MessagesApi(lambda call: call.text, latency_s=0.02) as api:
        both = [worker(tmp_path, api, 60, "question", SYNTH_CONCURRENCY="8") for _ in range(2)]
        said = [process.communicate(timeout=60) for process in both]
        assert [err for _, err in said] == ["", ""]
        assert len(api.calls) == 60
        with teacher_for(api, tmp_path) as teacher:
            ask(teacher, *requests(60))
            assert teacher.calls_made == 0


def test_a_row_that_fails_again_and_again_is_its_own_failure_where_others_are_answered(tmp_path: Path) -> None:
    script: Script = lambda call: Fault(500, "no luck") if call.text == "question 3" else call.text  # noqa: E731
    with MessagesApi(script, latency_s=0.01) as api, teacher_for(api, tmp_path, SYNTH_CONCURRENCY="2") as teacher:
        teacher.patience = Patience(shortest_s=0.05)
        replies = ask(teacher, *requests(60))
        assert [reply.rule for reply in replies] == ["", "", "", "teacher_error"] + [""] * 56
        assert "500" in replies[3].evidence and "6 tries" in replies[3].evidence


def test_calls_that_fail_alike_from_the_first_stop_the_plan(tmp_path: Path) -> None:
    with MessagesApi(lambda call: Fault(400, "max_tokens: too large for this model")) as api, teacher_for(api, tmp_path, SYNTH_CONCURRENCY="2") as teacher:
        with pytest.raises(StageFailed, match=r"first calls fail alike.*too large for this model"):
            ask(teacher, *requests(200))
        assert len(api.calls) < 20


def test_a_domain_has_a_budget_of_its_own(tmp_path: Path) -> None:
    env = {"ANTHROPIC_API_KEY": KEY, "SYNTH_TEACHER": "model-a", "SYNTH_PRICE_USD_PER_MTOK": "10,100"}
    with MessagesApi(lambda call: Answer(input_tokens=10, output_tokens=9)) as api:
        for domain, budget in (("math", 0.03), ("writing", 0.02)):
            with open_teacher(tmp_path, env | {"ANTHROPIC_BASE_URL": api.url}, domain=domain, domain_budget_usd=budget) as teacher:
                with pytest.raises(BudgetExceeded, match=f"budget_usd of domain {domain}"):
                    ask(teacher, *[request(f"{domain} {n}") for n in range(60)])
                spending = teacher.ledger.spending(domain)
                assert budget - 0.013 < spending.settled_usd <= budget
