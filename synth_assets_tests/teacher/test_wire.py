"""One call: what goes out, what each failure leads to, and what is never kept."""

import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from synth_assets.errors import RawPromptUnsupported, TeacherRefusedAccess, TeacherStopped, TeacherUnavailable
from synth_assets.teacher.failures import Patience, retry_after_s
from synth_assets.teacher.messages import Message
from synth_assets.teacher.prices import THINKING_ROOM
from synth_assets_tests.messages_api import Answer, Behaviour, Call, Drop, Fault, MessagesApi, Raw
from synth_assets_tests.teacher.driving import KEY, PRICED, after, ask, request, requests, states, teacher_for


def short(value: object) -> str:
    """A readable test id."""
    return repr(value)[:50]


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
    ids=short,
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
        (Fault(413, "too large"), "bad_request"),
        (Raw(b"{}"), "malformed_reply"),
    ],
    ids=short,
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
        (Fault(418), TeacherRefusedAccess, "its message"),
        (Fault(308, headers={"location": "http://127.0.0.1:9/"}), TeacherRefusedAccess, "has moved"),
        (Fault(429, "monthly spend limit", {"x-should-retry": "false"}), TeacherRefusedAccess, "monthly spend limit"),
        (Fault(429, headers={"retry-after": "86400"}), TeacherUnavailable, "86400 s"),
    ],
    ids=short,
)
def test_what_is_final_stops_everything_with_its_remedy(behaviour: Behaviour, error: type[TeacherStopped], remedy: str, tmp_path: Path) -> None:
    with MessagesApi(after(["first"], behaviour)) as api, teacher_for(api, tmp_path, SYNTH_CONCURRENCY="1") as teacher:
        with pytest.raises(error, match=re.escape(remedy)):
            ask(teacher, *requests(10))
        assert len(api.calls) == 2
    assert states(tmp_path) == {}


@pytest.mark.parametrize("behaviour", [Fault(429), Fault(529), Fault(500), Drop()], ids=short)
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
    assert states(tmp_path) == {}


def test_a_pause_that_the_endpoint_asks_for_is_kept(tmp_path: Path) -> None:
    with MessagesApi(after([Fault(429, headers={"retry-after": "0.3"})])) as api, teacher_for(api, tmp_path) as teacher:
        started = time.monotonic()
        ask(teacher, request())
        assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("", None), ("2", 2), ("0.5", 0.5), ("-3", 0), ("nan", None), ("inf", None), ("soon", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)
def test_seconds_in_a_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after_s({} if header is None else {"retry-after": header}) == seconds


def test_a_date_in_a_retry_after_is_counted_from_now() -> None:
    assert 55 < (retry_after_s({"retry-after": format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)}) or 0) <= 60


def test_delays_grow_from_the_latency_to_a_limit_and_never_fall_below_what_was_asked() -> None:
    patience = Patience(longest_s=4.0)
    for failed, latency, limit in [(1, 0.0, 0.1), (1, 0.5, 0.5), (2, 0.5, 1.0), (3, 60.0, 4.0), (9, 0.5, 4.0)]:
        delays = [patience.delay_s(failed, 3.0, latency) for _ in range(200)]
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


def test_another_host_is_asked_through_the_proxy_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with MessagesApi() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        with teacher_for(proxy, tmp_path, ANTHROPIC_BASE_URL="http://teacher.invalid", **PRICED) as teacher:
            # The double is no proxy and does not know the absolute address; that it was asked is enough.
            with pytest.raises(TeacherRefusedAccess, match=r"404 from http://teacher\.invalid"):
                ask(teacher, request())
            monkeypatch.setenv("no_proxy", "teacher.invalid")
        with (
            teacher_for(proxy, tmp_path, ANTHROPIC_BASE_URL="http://teacher.invalid", **PRICED) as teacher,
            pytest.raises(TeacherUnavailable, match="did not answer in 6 tries"),
        ):
            ask(teacher, request())
    assert states(tmp_path) == {}


def test_an_address_with_a_password_is_told_with_its_remedy(tmp_path: Path) -> None:
    where = {"ANTHROPIC_BASE_URL": "http://user:hidden-word@127.0.0.1:9"}
    with MessagesApi() as api, teacher_for(api, tmp_path, **where) as teacher, pytest.raises(TeacherUnavailable, match="ANTHROPIC_BASE_URL") as caught:
        ask(teacher, request())
    assert "hidden-word" not in str(caught.value)
    assert states(tmp_path) == {}


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


class TestUserTurn:
    turn = request(messages=(), user_turn=True, system="You teach.", stop=("<|im_end|>",))

    def test_it_is_the_template_up_to_the_users_words(self, tmp_path: Path) -> None:
        with MessagesApi(lambda call: "Why is the sea salty?", raw_prompts=True) as api, teacher_for(api, tmp_path) as teacher:
            (reply,) = ask(teacher, self.turn)
        assert reply.text == "Why is the sea salty?"
        assert api.asked == ["<|im_start|>system\nYou teach.<|im_end|>\n<|im_start|>user\n"]

    def test_vllms_routes_do_as_well_and_add_no_token_of_their_own(self, tmp_path: Path) -> None:
        with MessagesApi(lambda call: "Why is the sea salty?", raw_prompts="vllm") as api, teacher_for(api, tmp_path) as teacher:
            replies = ask(teacher, self.turn, replace(self.turn, sample=1))
        assert {(reply.text, reply.stop_reason) for reply in replies} == {("Why is the sea salty?", "end_turn")}
        assert api.asked == ["<|im_start|>system\nYou teach.<|im_end|>\n<|im_start|>user\n"] * 2
        bodies = [call.body for call in api.calls if call.path == "/v1/completions"]
        assert all(body["add_special_tokens"] is False and body["stop"] == ["<|im_end|>"] and body["model"] for body in bodies)

    @pytest.mark.parametrize("body", [b"{", b"[]", b'{"choices": []}', b'{"choices": [{"text": null, "finish_reason": "stop"}]}'], ids=short)
    def test_vllms_malformed_answers_are_tried_again(self, body: bytes, tmp_path: Path) -> None:
        def script(call: Call) -> Behaviour:
            return Raw(body) if call.path == "/v1/completions" and call.attempt == 1 else "Why?"

        with MessagesApi(script, raw_prompts="vllm") as api, teacher_for(api, tmp_path) as teacher:
            assert ask(teacher, self.turn)[0].text == "Why?"

    def test_a_cut_one_is_told(self, tmp_path: Path) -> None:
        with MessagesApi(lambda call: Answer("Why", "max_tokens"), raw_prompts=True) as api, teacher_for(api, tmp_path) as teacher:
            assert ask(teacher, self.turn)[0].rule == "max_tokens"
        with MessagesApi(lambda call: Answer("Why", "max_tokens"), raw_prompts="vllm") as api, teacher_for(api, tmp_path / "vllm") as teacher:
            assert ask(teacher, self.turn)[0].rule == "max_tokens"

    @pytest.mark.parametrize("behaviour", [Raw(b"{"), Raw(b"[]"), Raw(b'{"content": 5}'), Fault(503), Drop(after=5)], ids=short)
    def test_it_is_tried_again_like_a_message(self, behaviour: Behaviour, tmp_path: Path) -> None:
        with MessagesApi(lambda call: behaviour if call.number == 2 else "Why?", raw_prompts=True) as api, teacher_for(api, tmp_path) as teacher:
            assert ask(teacher, self.turn)[0].text == "Why?"

    def test_a_chat_api_is_told_with_its_remedy(self, tmp_path: Path) -> None:
        with MessagesApi() as api, teacher_for(api, tmp_path) as teacher, pytest.raises(RawPromptUnsupported, match="Remove `magpie`"):
            ask(teacher, self.turn)
        assert states(tmp_path) == {}


def test_messages_of_a_conversation_keep_their_roles(tmp_path: Path) -> None:
    turns = (Message("user", "a"), Message("assistant", "b"), Message("user", "c"))
    with MessagesApi() as api, teacher_for(api, tmp_path) as teacher:
        ask(teacher, request(messages=turns))
    assert [(m["role"], m["content"]) for m in api.calls[0].body["messages"]] == [("user", "a"), ("assistant", "b"), ("user", "c")]


@pytest.mark.parametrize(
    ("model", "extra", "room"),
    [
        ("claude-sonnet-5-5", {"thinking": {"type": "between_tools"}}, 0),
        ("claude-haiku-5-5", {"thinking": {"type": "disabled"}}, 0),
        ("claude-haiku-4-5-20251001", {}, 0),
        ("claude-opus-5-5", {"output_config": {"effort": "low"}}, THINKING_ROOM),
        ("claude-next-1", {}, 0),
    ],
)
def test_claude_is_kept_from_thinking_and_gets_no_sampling(model: str, extra: dict[str, object], room: int, tmp_path: Path) -> None:
    with MessagesApi() as api, teacher_for(api, tmp_path, SYNTH_TEACHER=model) as teacher:
        ask(teacher, request("Why?", sampling=(("temperature", 0.5),)))
    sent = {"model": model, "max_tokens": 100 + room, "messages": [{"role": "user", "content": "Why?"}]}
    assert api.calls[0].body == sent | extra | ({"stream": True} if room else {})
