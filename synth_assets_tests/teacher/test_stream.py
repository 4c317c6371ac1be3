"""Streamed answers: long ones come so, are put together as if they had not, and break off like any other."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from synth_assets.teacher.events import StreamBroken, assemble
from synth_assets.teacher.wire import STREAM_FROM
from synth_assets_tests.messages_api import Answer, Behaviour, Drop, Fault, MessagesApi, Raw, StreamError
from synth_assets_tests.teacher.driving import PRICED, after, ask, request, states, teacher_for

LONG = request("Tell all.", max_tokens=STREAM_FROM)
CONTENT = ({"type": "thinking", "thinking": "Hm.", "signature": "s"}, {"type": "text", "text": "One. "}, {"type": "text", "text": "你好 \U0001f9ff."})


@pytest.mark.parametrize("answer", [Answer(content=CONTENT), Answer("cut of", "max_tokens"), Answer("", "refusal"), Answer("x" * 50_000)])
def test_a_streamed_answer_is_the_same_as_one_that_was_not(answer: Answer, tmp_path: Path) -> None:
    with MessagesApi(lambda call: answer) as api, teacher_for(api, tmp_path) as teacher:
        streamed, plain = ask(teacher, LONG, request("Tell all.", max_tokens=STREAM_FROM - 1))
        assert sorted(bool(call.body.get("stream")) for call in api.calls) == [False, True]
    for name in ("text", "thinking", "stop_reason", "input_tokens", "output_tokens", "rule"):
        assert getattr(streamed, name) == getattr(plain, name)


@pytest.mark.parametrize(
    ("behaviour", "lost"),
    [
        (StreamError(3), 1),
        (StreamError(5, 500, "broke"), 1),
        (Drop(after_events=3), 1),
        (Drop(), 1),
        (Fault(529), 0),
        (Fault(429), 0),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_breaks_off_is_asked_again(behaviour: Behaviour, lost: int, tmp_path: Path) -> None:
    with MessagesApi(after([behaviour], "whole")) as api, teacher_for(api, tmp_path, **PRICED) as teacher:
        assert ask(teacher, LONG)[0].text == "whole"
        assert len(api.calls) == 2
    assert states(tmp_path).get("unknown", 0) == lost


def test_a_bad_request_is_one_when_it_asks_for_a_stream_too(tmp_path: Path) -> None:
    with MessagesApi(lambda call: Fault(400, "no")) as api, teacher_for(api, tmp_path) as teacher:
        assert ask(teacher, LONG)[0].rule == "bad_request"


def test_a_body_that_is_no_stream_is_malformed(tmp_path: Path) -> None:
    with MessagesApi(lambda call: Raw(b"<html>")) as api, teacher_for(api, tmp_path) as teacher:
        assert ask(teacher, LONG)[0].rule == "malformed_reply"


async def _lines(events: list[object]) -> AsyncIterator[str]:
    for event in events:
        yield "event: x"
        yield "data: " + (event if isinstance(event, str) else json.dumps(event))
        yield ""


START = {"type": "message_start", "message": {"content": [], "usage": {"input_tokens": 3}}}


async def _assembled(events: list[object]) -> bytes:
    return await assemble(_lines(events))


@pytest.mark.parametrize(
    "events",
    [
        [],
        [START],
        ["{"],
        ["[]"],
        [{"type": "content_block_start", "content_block": {"type": "text", "text": ""}}],
        [START, {"type": "content_block_delta", "index": 4, "delta": {"type": "text_delta", "text": "x"}}],
        [START, {"type": "content_block_start"}],
        [START, {"type": "message_delta", "delta": None}],
        [{"type": "error", "error": None}],
        [{"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}],
        [{"no": "type"}],
    ],
    ids=lambda value: repr(value)[:40],
)
def test_lines_that_make_no_message_break_the_stream(events: list[object]) -> None:
    with pytest.raises(StreamBroken):
        asyncio.run(_assembled(events))
