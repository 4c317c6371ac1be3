"""The engine in front of a real HTTP server: order, failures, money and interruption."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from synth_assets.errors import BudgetExceeded, RawPromptUnsupported, StageFailed, TeacherRefusedAccess, TeacherStopped, TeacherUnavailable
from synth_assets.teacher.backoff import Backoff, seconds_asked
from synth_assets.teacher.messages import Message, Plan, Reply
from synth_assets_tests.messages_api import Answer, Behaviour, Call, Drop, Fault, MessagesApi, Raw, Script, Slow
from synth_assets_tests.teacher.driving import KEY, ask, one_batch, request, requests, states, teacher_for

PRICED = {"SYNTH_PRICE_USD_PER_MTOK": "10,100", "SYNTH_BUDGET_USD": "1"}


def after(faults: list[Behaviour], then: Behaviour = "An answer.") -> Script:
    """One behaviour after the other, then always the same."""
    return lambda call: faults[call.number - 1] if call.number <= len(faults) else then


@pytest.mark.parametrize(
    ("behaviour", "lost"),
    [
        (Fault(429), 0),
        (Fault(529), 0),
        (Fault(500), 0),
        (Fault(503), 0),
        (Fault(409), 0),
        (Fault(408), 1),
        (Fault(504), 1),
        (Drop(), 1),
        (Drop(after=20), 1),
        (Raw(b"<html>"), 0),
        (Raw(b'{"content": "no blocks", "stop_reason": "end_turn"}'), 0),
        (Raw(b'{"content": null}'), 0),
        (Raw(b"[]"), 0),
        (Raw(b"\xff\xfe{"), 0),
        (Raw(b"[" * 100_000), 0),
        (Answer(output_tokens=-5), 0),
        (Answer(output_tokens=2**70), 0),
        (Raw(b'{"content": [], "stop_reason": "end_turn", "usage": {"input_tokens": 1e999, "output_tokens": 1}}'), 0),
    ],
    ids=repr,
)
def test_what_can_pass_is_tried_again(behaviour: Behaviour, lost: int, tmp_path: Path) -> None:
    with MessagesApi(after([behaviour])) as api, teacher_for(api, tmp_path, **PRICED) as teacher:
        (reply,) = ask(teacher, request())
        assert (reply.text, reply.rule, len(api.calls)) == ("An answer.", "", 2)
    assert states(tmp_path).get("unknown", 0) == lost
    assert states(tmp_path).get("open", 0) == 0


@pytest.mark.parametrize(
    ("behaviour", "rule"),
    [
        (Answer("cut of", "max_tokens"), "max_tokens"),
        (Answer("", "refusal"), "refusal"),
        (Answer("half", "pause_turn"), "pause_turn"),
        (Answer("x", "a_new_reason"), "a_new_reason"),
        (Answer("x", None), "no_stop_reason"),
        (Answer(""), "empty"),
        (Answer(" \n\u3000"), "empty"),
        (Answer(content=()), "empty"),
        (Answer(content=({"type": "tool_use", "id": "t", "name": "n", "input": {}},), stop_reason="tool_use"), "tool_use"),
        (Answer("", thinking="only thoughts"), "empty"),
        (Answer("x", "stop_sequence"), ""),
        (Fault(400, "prompt is too long"), "bad_request"),
        (Raw(b"{}"), "malformed_reply"),
    ],
    ids=repr,
)
def test_what_is_no_answer_has_a_name(behaviour: Behaviour, rule: str, tmp_path: Path) -> None:
    with MessagesApi(lambda call: behaviour) as api, teacher_for(api, tmp_path) as teacher:
        (reply,) = ask(teacher, request())
    assert reply.rule == rule
    assert len(api.calls) == (3 if rule == "malformed_reply" else 1)


@pytest.mark.parametrize(
    ("behaviour", "error", "remedy"),
    [
        (Fault(400, "Your credit balance is too low to access the Anthropic API."), TeacherRefusedAccess, "paid first"),
        (Fault(400, "You have reached your specified API usage limits."), TeacherRefusedAccess, "paid first"),
        (Fault(401, "invalid x-api-key"), TeacherRefusedAccess, "check ANTHROPIC_API_KEY"),
        (Fault(402), TeacherRefusedAccess, "paid first"),
        (Fault(403), TeacherRefusedAccess, "permissions"),
        (Fault(404, "model: model-a"), TeacherRefusedAccess, "SYNTH_TEACHER"),
        (Fault(413), TeacherRefusedAccess, "its message"),
        (Fault(308, headers={"location": "http://127.0.0.1:9/"}), TeacherRefusedAccess, "has moved"),
        (Fault(429, "monthly spend limit", {"x-should-retry": "false"}), TeacherRefusedAccess, "monthly spend limit"),
        (Fault(429, headers={"retry-after": "86400"}), TeacherUnavailable, "86400 s"),
    ],
    ids=repr,
)
def test_what_is_final_stops_everything_with_its_remedy(behaviour: Behaviour, error: type[TeacherStopped], remedy: str, tmp_path: Path) -> None:
    with MessagesApi(after(["first"], behaviour)) as api, teacher_for(api, tmp_path, SYNTH_CONCURRENCY="1") as teacher:
        with pytest.raises(error, match=re.escape(remedy)):
            ask(teacher, *requests(10))
        assert len(api.calls) == 2
    assert states(tmp_path) == {"closed": 2}


@pytest.mark.parametrize("behaviour", [Fault(429), Fault(529), Fault(500), Drop()], ids=repr)
def test_what_does_not_pass_ends_with_what_to_do(behaviour: Behaviour, tmp_path: Path) -> None:
    with MessagesApi(lambda call: behaviour) as api, teacher_for(api, tmp_path) as teacher:
        with pytest.raises(TeacherUnavailable, match=r"did not answer in 6 tries.*run again"):
            ask(teacher, request())
        assert len(api.calls) == 6


def test_an_endpoint_that_is_not_there_costs_nothing(tmp_path: Path) -> None:
    with MessagesApi() as api:
        pass
    with teacher_for(api, tmp_path, **PRICED) as teacher, pytest.raises(TeacherUnavailable):
        ask(teacher, request())
    assert states(tmp_path) == {"closed": 6}


def test_a_pause_that_the_endpoint_asks_for_is_kept(tmp_path: Path) -> None:
    with MessagesApi(after([Fault(429, headers={"retry-after": "0.3"})])) as api, teacher_for(api, tmp_path) as teacher:
        started = time.monotonic()
        ask(teacher, request())
        assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 0), ("", 0), ("2", 2), ("0.5", 0.5), ("-3", 0), ("nan", 0), ("inf", 0), ("soon", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0)],
)
def test_seconds_in_a_retry_after(header: str | None, seconds: float) -> None:
    assert seconds_asked(header) == seconds


def test_delays_grow_to_a_limit_and_never_fall_below_what_was_asked() -> None:
    backoff = Backoff(first=0.5, longest=8.0)
    for attempt, limit in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (9, 8.0)]:
        delays = [backoff.delay(attempt, asked=3.0) for _ in range(200)]
        assert 3.0 <= min(delays) <= max(delays) <= 3.0 + limit
        assert max(delays) - min(delays) > limit / 2


def test_what_goes_out_is_the_messages_api(tmp_path: Path) -> None:
    asked = request("Hello", system="Be brief.", stop=("END",), sampling=(("temperature", 0.5),), sample=3)
    with MessagesApi() as api, teacher_for(api, tmp_path) as teacher:
        ask(teacher, asked)
    (call,) = api.calls
    assert call.body == {
        "model": "model-a",
        "max_tokens": 100,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Hello"}],
        "stop_sequences": ["END"],
        "temperature": 0.5,
    }
    # Which header holds a key is the SDK's business; it changed between its versions.
    assert sum(KEY in value for value in call.headers.values()) == 1


def test_a_token_goes_out_alone(tmp_path: Path) -> None:
    with MessagesApi() as api, teacher_for(api, tmp_path, ANTHROPIC_API_KEY="", ANTHROPIC_AUTH_TOKEN="token-0123456789") as teacher:
        ask(teacher, request())
    assert api.calls[0].headers["authorization"] == "Bearer token-0123456789"
    assert "x-api-key" not in api.calls[0].headers


def test_loopback_is_not_asked_through_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    with MessagesApi() as api, teacher_for(api, tmp_path) as teacher:
        assert ask(teacher, request())[0].text == "An answer."


def test_thinking_is_kept_apart_and_all_text_is_joined(tmp_path: Path) -> None:
    content = (
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "text", "text": "One. "},
        {"type": "text", "text": "Two."},
    )
    answer = Answer(content=content, usage={"cache_read_input_tokens": 100, "cache_creation_input_tokens": None})
    with MessagesApi(lambda call: answer) as api, teacher_for(api, tmp_path) as teacher:
        (reply,) = ask(teacher, request())
    assert (reply.text, reply.thinking, reply.input_tokens, reply.output_tokens) == ("One. Two.", "Hm.", 112, 7)


def test_what_no_file_can_hold_is_taken_out(tmp_path: Path) -> None:
    with MessagesApi(lambda call: Answer("a\x00b\ud800c", thinking="\udfff\x00")) as api, teacher_for(api, tmp_path) as teacher:
        (reply,) = ask(teacher, request("lone \ud83d and \x00", system="\udc00", stop=("\ud800",)))
    assert (reply.text, reply.thinking) == ("ab?c", "?")
    assert api.calls[0].text == "lone ? and "


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
        assert second[0] is first[0]
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


def test_the_key_is_nowhere(tmp_path: Path) -> None:
    hidden = "".join(f"\\u{ord(c):04x}" for c in KEY).encode()
    escaped = b'{"content": [{"type": "text", "text": "' + hidden + b'"}], "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}}'
    behaviours: list[Behaviour] = [
        Answer(f"Your key is {KEY}", thinking=KEY),
        Fault(400, f"bad {KEY}"),
        Raw(f"<p>{KEY}".encode()),
        Answer("x", KEY),
        Raw(escaped),
    ]
    for number, behaviour in enumerate(behaviours):
        with MessagesApi(lambda call, said=behaviour: said) as api, teacher_for(api, tmp_path) as teacher:  # type: ignore[misc]
            (reply,) = ask(teacher, request(f"{number}"))
            assert KEY not in repr(reply)
    for status in (401, 429):
        with MessagesApi(lambda call, code=status: Fault(code, f"no: {KEY}")) as api, teacher_for(api, tmp_path) as teacher:  # type: ignore[misc]
            with pytest.raises(TeacherStopped) as caught:
                ask(teacher, request("stopped"))
            assert "no: [key]" in str(caught.value)
            assert KEY not in repr(caught.value)
            assert caught.value.__suppress_context__
    for file in tmp_path.iterdir():
        assert KEY.encode() not in file.read_bytes()


def test_a_dummy_key_is_not_cut_out_of_texts(tmp_path: Path) -> None:
    with MessagesApi(lambda call: "EMPTY means none") as api, teacher_for(api, tmp_path, ANTHROPIC_API_KEY="EMPTY") as teacher:
        assert ask(teacher, request())[0].text == "EMPTY means none"


class TestBudget:
    """One call costs 0.001 by its usage (10 in, 9 out), and is reserved at about 0.012."""

    answer = Answer(input_tokens=10, output_tokens=9)

    def test_it_is_never_passed_and_what_was_reserved_in_vain_is_spent_on(self, tmp_path: Path) -> None:
        with MessagesApi(lambda call: self.answer) as api, teacher_for(api, tmp_path, SYNTH_PRICE_USD_PER_MTOK="10,100", SYNTH_BUDGET_USD="0.05") as teacher:
            with pytest.raises(BudgetExceeded, match=r"Raise SYNTH_BUDGET_USD.*what was paid for is kept"):
                ask(teacher, *requests(100))
            assert teacher.ledger.spent() == pytest.approx(len(api.calls) * 0.001)
            # Only the last call's reservation, and not those of the 16 at once, ends the run.
            assert 0.036 < teacher.ledger.spent() <= 0.05
            assert api.most_in_flight <= 4

    def test_it_holds_when_each_call_costs_all_that_was_reserved(self, tmp_path: Path) -> None:
        dear = Answer(input_tokens=150, output_tokens=100)
        with MessagesApi(lambda call: dear) as api, teacher_for(api, tmp_path, SYNTH_PRICE_USD_PER_MTOK="10,100", SYNTH_BUDGET_USD="0.1") as teacher:
            with pytest.raises(BudgetExceeded):
                ask(teacher, *requests(100))
            assert 0.08 < teacher.ledger.spent() <= 0.1
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
            assert [(c["attempt"], c["stop_reason"]) for c in calls] == [(1, "malformed_reply"), (2, "end_turn")]
            assert calls[0]["cost_usd"] > 0.01
            assert teacher.ledger.spent() == pytest.approx(2 * calls[0]["cost_usd"] + 0.001)


class TestUserTurn:
    turn = request(messages=(), user_turn=True, system="You teach.", stop=("<|im_end|>",))

    def test_it_is_the_template_up_to_the_users_words(self, tmp_path: Path) -> None:
        with MessagesApi(lambda call: "Why is the sea salty?", raw_prompts=True) as api, teacher_for(api, tmp_path) as teacher:
            (reply,) = ask(teacher, self.turn)
        assert reply.text == "Why is the sea salty?"
        assert api.asked == ["<|im_start|>system\nYou teach.<|im_end|>\n<|im_start|>user\n"]

    def test_a_cut_one_is_told(self, tmp_path: Path) -> None:
        with MessagesApi(lambda call: Answer("Why", "max_tokens"), raw_prompts=True) as api, teacher_for(api, tmp_path) as teacher:
            assert ask(teacher, self.turn)[0].rule == "max_tokens"

    @pytest.mark.parametrize("behaviour", [Raw(b"{"), Raw(b"[]"), Raw(b'{"content": 5}'), Fault(503), Drop(after=5)], ids=repr)
    def test_it_is_tried_again_like_a_message(self, behaviour: Behaviour, tmp_path: Path) -> None:
        with MessagesApi(lambda call: behaviour if call.number == 2 else "Why?", raw_prompts=True) as api, teacher_for(api, tmp_path) as teacher:
            assert ask(teacher, self.turn)[0].text == "Why?"

    def test_a_chat_api_is_told_with_its_remedy(self, tmp_path: Path) -> None:
        with MessagesApi() as api, teacher_for(api, tmp_path) as teacher, pytest.raises(RawPromptUnsupported, match="Remove `magpie`"):
            ask(teacher, self.turn)
        assert states(tmp_path) == {"closed": 1}


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
        assert states(tmp_path) == {"closed": 16, "open" if number == signal.SIGKILL else "unknown": 4}

        api.script = lambda call: call.text
        asked = len(api.calls)
        with teacher_for(api, tmp_path, **PRICED) as teacher:
            assert states(tmp_path)["unknown"] == 4
            replies = ask(teacher, *[request(f"question {n}") for n in range(40)])
            assert teacher.calls_made == 24
            paid = sum(c["cost_usd"] for c in teacher.ledger.calls([r.key for r in replies]))
            assert teacher.ledger.spent() > paid + 4 * 0.01
        assert len(api.calls) == asked + 24
        assert [r.text for r in replies] == [f"question {n}" for n in range(40)]


def test_two_processes_share_a_ledger_and_a_budget(tmp_path: Path) -> None:
    with MessagesApi(lambda call: Answer(call.text, input_tokens=150, output_tokens=100)) as api:
        both = [worker(tmp_path, api, 60, name, SYNTH_BUDGET_USD="0.4") for name in ("left", "right")]
        said = [process.communicate(timeout=60) for process in both]
        assert [err for _, err in said] == ["", ""]
        assert any("BudgetExceeded" in out for out, _ in said)
        with teacher_for(api, tmp_path, **PRICED) as teacher:
            assert teacher.ledger.spent() == pytest.approx(len(api.calls) * 0.0115)
            assert 0.35 < teacher.ledger.spent() <= 0.4
            known = len(api.calls)
            batch = [request(f"{name} {n}") for name in ("left", "right") for n in range(60)]
            teacher.budget_usd = 10.0
            ask(teacher, *batch)
            assert teacher.calls_made == 120 - known


def test_messages_of_a_conversation_keep_their_roles(tmp_path: Path) -> None:
    turns = (Message("user", "a"), Message("assistant", "b"), Message("user", "c"))
    with MessagesApi() as api, teacher_for(api, tmp_path) as teacher:
        ask(teacher, request(messages=turns))
    assert [(m["role"], m["content"]) for m in api.calls[0].body["messages"]] == [("user", "a"), ("assistant", "b"), ("user", "c")]
