"""The double, as the SDK sees it: messages, streams, errors, limits, the prompt cache, batches, and faults that repeat."""

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anthropic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_assets_tests.messages_api import (
    BILLING,
    CREDIT_TOO_LOW,
    MONTHLY_LIMIT,
    SPEND_LIMIT,
    Answer,
    BatchTerms,
    Behaviour,
    Call,
    Drop,
    Expired,
    Fault,
    Later,
    MessagesApi,
    Mix,
    RateLimit,
    Raw,
    Served,
    Slow,
    StreamError,
    Terms,
    plain_answer,
)  # fmt: skip
from synth_assets_tests.messages_api.bodies import content_key
from synth_assets_tests.messages_api.connection import Connection, Request

ASKED: dict[str, Any] = {"model": "model-a", "max_tokens": 100, "messages": [{"role": "user", "content": "Why is the sky blue?"}]}


def client(url: str, retries: int = 0) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="sk-test", base_url=url, max_retries=retries, timeout=20)


def post(api: MessagesApi, body: Any, path: str = "/v1/messages", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """What comes back for bytes or JSON that the SDK would not send."""
    address = urlsplit(api.url).netloc
    with closing(http.client.HTTPConnection(address, timeout=20)) as connection:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("POST", path, sent, {"x-api-key": "k", "anthropic-version": "2023-06-01", **{n.replace("_", "-"): v for n, v in headers.items()}})
        reply = connection.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()


class TestMessages:
    def test_a_message_has_the_apis_ids_usage_and_headers(self) -> None:
        with MessagesApi(lambda call: Answer("Because.", thinking="Hm.", input_tokens=5, output_tokens=3)) as api, client(api.url) as sdk:
            raw = sdk.messages.with_raw_response.create(**ASKED)
            message = raw.parse()
        assert [block.type for block in message.content] == ["thinking", "text"]
        assert message.id.startswith("msg_01") and len(message.id) == 28
        assert (message.model, message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("model-a", "end_turn", 5, 3)
        assert (message.usage.cache_creation_input_tokens, message.usage.cache_read_input_tokens, message.usage.service_tier) == (0, 0, "standard")
        assert raw.headers["request-id"].startswith("req_") and raw.headers["anthropic-organization-id"]
        assert "anthropic-ratelimit-requests-limit" not in raw.headers

    @pytest.mark.parametrize("fault", [Fault(400), Fault(401), Fault(402), Fault(403), Fault(404), Fault(413), Fault(429), Fault(500), Fault(504), Fault(529)])
    def test_an_error_has_the_apis_envelope_and_the_sdks_class(self, fault: Fault) -> None:
        kinds = {
            400: (anthropic.BadRequestError, "invalid_request_error"), 401: (anthropic.AuthenticationError, "authentication_error"),
            402: (anthropic.PaymentRequiredError, "billing_error"), 403: (anthropic.PermissionDeniedError, "permission_error"),
            404: (anthropic.NotFoundError, "not_found_error"), 413: (anthropic.ContentTooLargeError, "request_too_large"),
            429: (anthropic.RateLimitError, "rate_limit_error"), 500: (anthropic.InternalServerError, "api_error"),
            504: (anthropic.GatewayTimeoutError, "timeout_error"), 529: (anthropic.OverloadedError, "overloaded_error"),
        }  # fmt: skip
        with MessagesApi(lambda call: fault) as api, client(api.url) as sdk, pytest.raises(kinds[fault.status][0]) as told:
            sdk.messages.create(**ASKED)
        body = told.value.body
        assert isinstance(body, dict) and body["type"] == "error"
        assert body["error"] == {"type": kinds[fault.status][1], "message": "scripted"}
        assert body["request_id"] == told.value.request_id

    @pytest.mark.parametrize(("fault", "status"), [(CREDIT_TOO_LOW, 400), (SPEND_LIMIT, 400), (BILLING, 402), (MONTHLY_LIMIT, 429)])
    def test_spend_limits_come_in_their_shapes(self, fault: Fault, status: int) -> None:
        with MessagesApi(lambda call: fault) as api, client(api.url) as sdk, pytest.raises(anthropic.APIStatusError) as told:
            sdk.messages.create(**ASKED)
        assert told.value.status_code == status and fault.message in str(told.value)
        assert told.value.error_code == ("enforced_spend_limit_reached" if status == 429 else None)
        assert "retry-after" not in told.value.response.headers

    def test_malformed_and_broken_replies_are_errors_of_the_sdk(self) -> None:
        behaviours: list[Behaviour] = [Raw(b"<html>"), Drop(), Drop(after=20), Drop(reset=True)]
        with MessagesApi(lambda call: behaviours[call.number - 1]) as api, client(api.url) as sdk:
            with pytest.raises(json.JSONDecodeError):
                sdk.messages.with_raw_response.create(**ASKED).parse()
            for _ in range(3):
                with pytest.raises(anthropic.APIConnectionError):
                    sdk.messages.create(**ASKED)
            stats = api.stats()
        assert (stats["statuses"], stats["answered"]) == ({"malformed": 1, "dropped": 3}, 0)

    def test_the_aiohttp_client_is_served_alike(self) -> None:
        async def ask(api: MessagesApi) -> list[str]:
            http_client = anthropic.DefaultAioHttpClient()
            async with anthropic.AsyncAnthropic(api_key="k", base_url=api.url, http_client=http_client, max_retries=0) as sdk:
                replies = await asyncio.gather(*(sdk.messages.create(**{**ASKED, "max_tokens": 100 + n}) for n in range(100)))
            return [block.text for reply in replies for block in reply.content if block.type == "text"]

        with MessagesApi(lambda call: str(call.body["max_tokens"]), latency_s=0.05) as api:
            assert asyncio.run(ask(api)) == [str(100 + n) for n in range(100)]
            assert 1 < api.most_in_flight <= 100 and api.in_flight == 0

    def test_a_slow_call_waits_for_its_event_and_a_later_one_for_its_time(self) -> None:
        go = threading.Event()

        def script(call: Call) -> Behaviour:
            if call.number == 1:
                return Slow(go, Later(0.01, "waited"))
            go.set()
            return "at once"

        async def ask(api: MessagesApi) -> list[Any]:
            async with anthropic.AsyncAnthropic(api_key="k", base_url=api.url, max_retries=0) as sdk:
                first = asyncio.ensure_future(sdk.messages.create(**ASKED))
                await asyncio.get_running_loop().run_in_executor(None, api.wait_for, 1)
                return [await sdk.messages.create(**ASKED), await first]

        with MessagesApi(script) as api:
            second, first = asyncio.run(ask(api))
        assert (second.content[0].text, first.content[0].text) == ("at once", "waited")

    def test_a_client_that_leaves_is_counted_and_the_server_goes_on(self) -> None:
        forever = threading.Event()
        with MessagesApi(lambda call: Slow(forever) if call.number == 1 else "fine") as api, client(api.url) as sdk:
            with pytest.raises(anthropic.APITimeoutError):
                sdk.messages.create(**ASKED, timeout=0.2)
            sdk.messages.create(**ASKED)
            assert api.stats()["statuses"] == {"abandoned": 1, "200": 1}
            assert api.in_flight == 0

    def test_an_error_of_a_script_is_a_500_and_raised_at_the_end(self) -> None:
        def script(call: Call) -> Behaviour:
            raise KeyError("no such")

        with (
            pytest.raises(KeyError, match="no such"),
            MessagesApi(script) as api,
            client(api.url) as sdk,
            pytest.raises(anthropic.InternalServerError, match="the script failed"),
        ):
            sdk.messages.create(**ASKED)

    def test_tokens_are_counted_as_they_are_used(self) -> None:
        with MessagesApi(plain_answer) as api, client(api.url) as sdk:
            counted = sdk.messages.count_tokens(model="model-a", messages=ASKED["messages"], system="You teach.")
            used = sdk.messages.create(**ASKED, system="You teach.").usage
            assert counted.input_tokens == used.input_tokens > 0
            assert api.stats()["arrived"] == 1


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "terms", "status", "says"),
        [
            ({"max_tokens": None}, Terms(), 400, "max_tokens: Field required"),
            ({"max_tokens": 0}, Terms(), 400, "greater than or equal to 1"),
            ({"max_tokens": "9"}, Terms(), 400, "valid integer"),
            ({"max_tokens": 9000}, Terms(max_output_tokens=8192), 400, "9000 > 8192"),
            ({"messages": []}, Terms(), 400, "at least one message"),
            ({"messages": "hello"}, Terms(), 400, "valid list"),
            ({"messages": [{"role": "robot", "content": "x"}]}, Terms(), 400, "Unexpected role 'robot'"),
            ({"messages": [{"role": "system", "content": "x"}]}, Terms(), 400, "top-level `system`"),
            ({"messages": [{"role": "user", "content": ""}]}, Terms(), 400, "non-empty content"),
            ({"messages": [{"role": "user"}]}, Terms(), 400, "messages.0.content: Field required"),
            ({"messages": [{"role": "assistant", "content": "x"}]}, Terms(), 400, "first message"),
            ({"messages": [{"role": "user", "content": "x" * 900}]}, Terms(context_tokens=100), 400, "prompt is too long"),
            ({"temperature": 0.5}, Terms(sampling=False), 400, "`temperature` is deprecated"),
            ({"temperature": 1.5}, Terms(), 400, "temperature: range"),
            ({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "I"}]}, Terms(prefill=False), 400, "prefill"),
            ({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "I "}]}, Terms(), 400, "trailing whitespace"),
            ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, Terms(), 400, "greater than `thinking.budget_tokens`"),
            ({"seed": 7}, Terms(extra_fields=False), 400, "seed: Extra inputs are not permitted"),
            ({"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * 5}, Terms(), 400, "Found 5"),
            ({"model": "model-z"}, Terms(models=frozenset({"model-a"})), 404, "model: model-z"),
            ({}, Terms(api_key="another"), 401, "invalid x-api-key"),
            ({}, Terms(max_bytes=20), 413, "maximum size"),
        ],
        ids=str,
    )  # fmt: skip
    def test_what_the_api_refuses(self, change: dict[str, Any], terms: Terms, status: int, says: str) -> None:
        body = {name: value for name, value in {**ASKED, **change}.items() if value is not None}
        with MessagesApi(terms=terms) as api:
            got, headers, reply = post(api, body)
        assert got == status and says in json.loads(reply)["error"]["message"]
        assert headers["request-id"] == json.loads(reply)["request_id"]

    @pytest.mark.parametrize("body", [b"{", b"\xff", b"[1]", b"[" * 100_000])
    def test_what_is_no_json_object(self, body: bytes) -> None:
        with MessagesApi() as api:
            assert post(api, body)[0] == 400

    def test_the_version_is_asked_for_and_a_bearer_token_is_a_key(self) -> None:
        with MessagesApi(terms=Terms(api_key="right")) as api:
            assert post(api, ASKED, x_api_key="", authorization="Bearer right")[0] == 200
            assert post(api, ASKED, x_api_key="right", anthropic_version="")[0] == 200
            assert post(api, ASKED, path="/v1/nothing")[0] == 404


class TestWire:
    @staticmethod
    def exchange(data: bytes, cuts: list[int]) -> tuple[list[Request], bytes]:
        """What a connection makes of bytes that come in these pieces; every request is answered with its body."""
        requests: list[Request] = []

        async def run() -> bytes:
            def handle(connection: Connection, request: Request) -> None:
                requests.append(request)
                connection.send(200, {}, request.body)

            server = await asyncio.get_running_loop().create_server(lambda: Connection(handle, set()), "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
                writer.write(data[start:end])
                await writer.drain()
                await asyncio.sleep(0)
            replies = await reader.read()
            writer.close()
            await writer.wait_closed()
            server.close()
            return replies

        return requests, asyncio.run(run())

    @settings(deadline=None, max_examples=60)
    @given(st.lists(st.integers(0, 268), max_size=6).map(sorted))
    def test_requests_are_the_same_however_their_bytes_arrive(self, cuts: list[int]) -> None:
        data = (
            b"POST /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nfirst"
            b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nsec\r\n6;x=y\r\nond\r\n!\r\n0\r\n\r\n"
            b"GET /c HTTP/1.1\r\n\r\n"
            b"POST /d HTTP/1.1\r\ncontent-length: 4\r\nConnection: close\r\n\r\nlast"
        )
        requests, replies = self.exchange(data, [cut for cut in cuts if cut <= len(data)])
        assert [(r.method, r.path, r.query, r.body) for r in requests] == [
            ("POST", "/a", "b=c", b"first"), ("POST", "/b", "", b"second\r\n!"), ("GET", "/c", "", b""), ("POST", "/d", "", b"last"),
        ]  # fmt: skip
        assert replies.count(b"HTTP/1.1 200 OK\r\n") == 4 and replies.count(b"connection: close") == 1

    def test_a_connection_is_kept(self) -> None:
        with MessagesApi() as api, socket.create_connection(("127.0.0.1", urlsplit(api.url).port or 0)) as sock:
            body = json.dumps(ASKED).encode()
            reader = sock.makefile("rb")
            for _ in range(3):
                sock.sendall(b"POST /v1/messages HTTP/1.1\r\nanthropic-version: 1\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
                assert reader.readline() == b"HTTP/1.1 200 OK\r\n"
                lengths = [int(line.split(b":")[1]) for line in iter(reader.readline, b"\r\n") if line.startswith(b"content-length")]
                assert json.loads(reader.read(*lengths))["type"] == "message"
            reader.close()


class TestStreams:
    ANSWER = Answer("The sky scatters short waves more than long ones. " * 3, thinking="Rayleigh, of course, and so on.", input_tokens=9, output_tokens=31)

    def test_the_sdk_puts_a_stream_together_to_the_message_that_is_not_streamed(self) -> None:
        with MessagesApi(lambda call: self.ANSWER) as api, client(api.url) as sdk:
            whole = sdk.messages.create(**ASKED)
            with sdk.messages.stream(**ASKED) as stream:
                text = "".join(stream.text_stream)
                final = stream.get_final_message()
            assert api.stats()["contents"] == 1, "streamed or not, it is the same content"
        assert text == self.ANSWER.text
        assert [block.to_dict() for block in final.content] == [block.to_dict() for block in whole.content]
        assert (final.usage.input_tokens, final.usage.output_tokens, final.stop_reason) == (9, 31, "end_turn")

    def test_the_events_come_in_the_apis_order(self) -> None:
        with MessagesApi(lambda call: self.ANSWER) as api, client(api.url) as sdk:
            kinds = [event.type for event in sdk.messages.create(**ASKED, stream=True)]
            _, headers, body = post(api, {**ASKED, "stream": True})
        once = [kind for kind, before in zip(kinds, ["", *kinds], strict=False) if kind != before]
        block = ["content_block_start", "content_block_delta", "content_block_stop"]
        assert once == ["message_start", *block, *block, "message_delta", "message_stop"]
        assert b'event: ping\ndata: {"type": "ping"}\n\n' in body and b"signature_delta" in body
        assert headers["content-type"].startswith("text/event-stream") and headers["transfer-encoding"] == "chunked"

    def test_a_tool_call_streams_its_input(self) -> None:
        block = {"type": "tool_use", "id": "toolu_01", "name": "add", "input": {"a": 1, "b": ["c"]}}
        with MessagesApi(lambda call: Answer(content=(block,), stop_reason="tool_use")) as api, client(api.url) as sdk, sdk.messages.stream(**ASKED) as stream:
            final = stream.get_final_message()
        assert final.content[0].to_dict() == block and final.stop_reason == "tool_use"

    @pytest.mark.parametrize(
        ("behaviour", "error"),
        [
            (StreamError(4), anthropic.APIStatusError),
            (Drop(after_events=4), Exception),
            (Drop(after=70), Exception),
            (Drop(), anthropic.APIConnectionError),
            (Fault(529), anthropic.OverloadedError),
        ],
        ids=repr,
    )
    def test_a_stream_that_fails(self, behaviour: Behaviour, error: type[Exception]) -> None:
        with MessagesApi(lambda call: behaviour) as api, client(api.url) as sdk:
            seen = []
            with pytest.raises(error) as told:
                for event in sdk.messages.create(**ASKED, stream=True):
                    seen.append(event.type)
            assert api.stats()["answered"] == 0
        if isinstance(behaviour, StreamError):
            assert "overloaded_error" in str(told.value)
        if getattr(behaviour, "after_events", None) == 4:
            assert seen == ["message_start", "content_block_start", "content_block_delta"], "the ping is not shown"

    def test_a_proxy_drops_the_silent_answer_and_lets_the_stream_pass(self) -> None:
        with MessagesApi(lambda call: self.ANSWER, pace_s=0.02, idle_limit_s=0.15) as api, client(api.url) as sdk:
            with pytest.raises(anthropic.APIConnectionError):
                sdk.messages.create(**ASKED)
            with sdk.messages.stream(**ASKED) as stream:
                assert stream.get_final_text() == self.ANSWER.text

    def test_a_paced_stream_arrives_event_by_event(self) -> None:
        with MessagesApi(lambda call: self.ANSWER, pace_s=0.001) as api, client(api.url) as sdk, sdk.messages.stream(**ASKED) as stream:
            assert stream.get_final_text() == self.ANSWER.text


class TestRateLimit:
    def test_a_429_says_when_and_the_headers_say_how_much(self) -> None:
        with MessagesApi(rate_limit=RateLimit(requests_per_second=0.5, tokens_per_second=1000, burst_s=4)) as api, client(api.url) as sdk:
            first, second = (sdk.messages.with_raw_response.create(**ASKED) for _ in range(2))
            with pytest.raises(anthropic.RateLimitError) as told:
                sdk.messages.create(**ASKED)
            stats = api.stats()
        assert [reply.headers["anthropic-ratelimit-requests-remaining"] for reply in (first, second)] == ["1", "0"]
        assert first.headers["anthropic-ratelimit-requests-limit"] == "2" and first.headers["anthropic-ratelimit-tokens-limit"] == "4000"
        reset = datetime.strptime(second.headers["anthropic-ratelimit-requests-reset"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        assert 0 <= (reset - datetime.now(UTC)).total_seconds() <= 5
        assert told.value.response.headers["retry-after"] in ("1", "2")
        assert (stats["statuses"], stats["rate_limited"]) == ({"200": 2, "429": 1}, 1) and stats["share_429"] == pytest.approx(1 / 3)

    def test_input_tokens_have_a_limit_of_their_own(self) -> None:
        long = {**ASKED, "messages": [{"role": "user", "content": "x" * 2000}]}
        with MessagesApi(rate_limit=RateLimit(tokens_per_second=10, burst_s=60)) as api, client(api.url) as sdk:
            sdk.messages.create(**long)
            with pytest.raises(anthropic.RateLimitError, match="input tokens"):
                sdk.messages.create(**long)
            sdk.messages.create(**ASKED)

    def test_a_call_that_is_turned_away_is_no_attempt(self) -> None:
        with MessagesApi(rate_limit=RateLimit(requests_per_second=0.001, burst_s=1000)) as api:
            assert [post(api, ASKED)[0] for _ in range(3)] == [200, 429, 429]
            assert [call.attempt for call in api.calls] == [1, 1, 1]


class TestPromptCache:
    def test_a_prefix_is_written_once_and_then_read(self) -> None:
        system: Any = [{"type": "text", "text": "You teach. " * 800, "cache_control": {"type": "ephemeral"}}]
        with MessagesApi(plain_answer) as api, client(api.url) as sdk:
            whole = sdk.messages.count_tokens(model="model-a", messages=ASKED["messages"], system=system).input_tokens
            usages = [sdk.messages.create(**{**ASKED, "messages": [{"role": "user", "content": f"Why {n}?"}]}, system=system).usage for n in range(3)]
            other = sdk.messages.create(**{**ASKED, "model": "model-b"}, system=system).usage
        seen = [(u.cache_creation_input_tokens, u.cache_read_input_tokens) for u in usages]
        assert seen == [(2200, 0), (0, 2200), (0, 2200)] and other.cache_creation_input_tokens == 2200
        assert usages[0].cache_creation is not None and usages[0].cache_creation.ephemeral_5m_input_tokens == 2200
        assert 0 < usages[0].input_tokens < whole - 2000

    @pytest.mark.parametrize(("text", "marked"), [("short", True), ("long " * 2000, False)])
    def test_short_or_unmarked_prefixes_are_not_kept(self, text: str, marked: bool) -> None:
        block: Any = {"type": "text", "text": text} | ({"cache_control": {"type": "ephemeral", "ttl": "1h"}} if marked else {})
        with MessagesApi(plain_answer) as api, client(api.url) as sdk:
            usages = [sdk.messages.create(**ASKED, system=[block]).usage for _ in range(2)]
        assert [(u.cache_creation_input_tokens, u.cache_read_input_tokens) for u in usages] == [(0, 0), (0, 0)]

    def test_a_growing_conversation_reads_what_it_wrote(self) -> None:
        def turn(count: int) -> Any:
            messages: list[dict[str, Any]] = []
            for n in range(count):
                messages += [{"role": "user", "content": [{"type": "text", "text": f"{n} " + "word " * 900}]}, {"role": "assistant", "content": "Yes."}]
            messages = messages[:-1]
            return {**ASKED, "messages": messages, "cache_control": {"type": "ephemeral"}}

        with MessagesApi(plain_answer) as api, client(api.url) as sdk:
            first, second = (sdk.messages.create(**turn(n)).usage for n in (1, 2))
        assert second.cache_read_input_tokens == first.cache_creation_input_tokens
        assert (second.cache_creation_input_tokens or 0) > 1000


class TestFaults:
    MIX = Mix(rate_limited=0.05, overloaded=0.02, server_error=0.02, dropped=0.01, malformed=0.01, max_tokens=0.03, refusal=0.02, empty=0.01, seed=3)

    @staticmethod
    def calls(attempt: int = 1, count: int = 2000) -> Iterator[Call]:
        for n in range(count):
            body = {**ASKED, "messages": [{"role": "user", "content": f"question {n}"}]}
            yield Call(n, "/v1/messages", body, {}, content_key("/v1/messages", body, frozenset()), attempt)

    def test_shares_are_met(self) -> None:
        said = [self.MIX(call) for call in self.calls()]
        faults = [s.status for s in said if isinstance(s, Fault)]
        assert faults.count(429) == pytest.approx(100, abs=30) and faults.count(529) == pytest.approx(40, abs=20)
        assert sum(isinstance(s, Drop) for s in said) == pytest.approx(20, abs=14) and sum(isinstance(s, Raw) for s in said) == pytest.approx(20, abs=14)
        assert {s.stop_reason for s in said if isinstance(s, Answer)} == {"end_turn", "max_tokens", "refusal"}

    def test_content_and_attempt_decide_and_the_order_does_not(self) -> None:
        first = {call.key: self.MIX(call) for call in self.calls()}
        assert {call.key: self.MIX(call) for call in reversed(list(self.calls()))} == first
        again = {call.key: self.MIX(call) for call in self.calls(attempt=2)}
        both = [key for key in first if isinstance(first[key], Answer) and isinstance(again[key], Answer)]
        assert again != first and all(first[key] == again[key] for key in both), "an answer that is cut off is cut off again"
        faulty = sum(not isinstance(first[key], Answer) for key in first)
        assert sum(not isinstance(first[key], Answer) and not isinstance(again[key], Answer) for key in first) < faulty / 4

    def test_a_domain_of_calls_is_answered_alike_at_any_concurrency(self) -> None:
        async def ask(url: str, width: int) -> dict[str, str]:
            gate, got = asyncio.Semaphore(width), {}

            async def one(sdk: anthropic.AsyncAnthropic, text: str) -> None:
                async with gate:
                    try:
                        reply = await sdk.messages.create(**{**ASKED, "messages": [{"role": "user", "content": text}]})
                        got[text] = f"{reply.id} {reply.stop_reason}"
                    except (anthropic.APIError, ValueError) as error:
                        got[text] = type(error).__name__

            async with anthropic.AsyncAnthropic(api_key="k", base_url=url, max_retries=0) as sdk:
                await asyncio.gather(*(one(sdk, f"question {n}") for n in range(150)))
            return got

        mix, results = Mix(rate_limited=0.1, server_error=0.1, dropped=0.1, refusal=0.1), []
        for width in (3, 40):
            with MessagesApi(mix) as api:
                results.append(asyncio.run(ask(api.url, width)))
        assert results[0] == results[1] and len(set(results[0].values())) > 5


class TestBatches:
    @staticmethod
    def requests(count: int) -> list[Any]:
        return [{"custom_id": f"row-{n}", "params": {**ASKED, "messages": [{"role": "user", "content": f"question {n}"}]}} for n in range(count)]

    def test_from_submission_to_results(self) -> None:
        def script(call: Call) -> Behaviour:
            kinds: dict[str, Behaviour] = {"row-1": Fault(529, "Overloaded"), "row-2": Expired(), "row-3": Raw(b"{")}
            return kinds.get(call.custom_id, f"answer to {call.text}")

        with MessagesApi(script) as api, client(api.url) as sdk:
            batch = sdk.messages.batches.create(requests=[*self.requests(8), {"custom_id": "bad", "params": {"model": "m", "messages": []}}])  # type: ignore[typeddict-item]
            assert batch.id.startswith("msgbatch_01") and (batch.processing_status, batch.request_counts.processing) == ("in_progress", 9)
            assert batch.results_url is None and (batch.expires_at - batch.created_at).total_seconds() == 86400
            assert sdk.messages.batches.retrieve(batch.id).processing_status == "in_progress"
            api.finish(batch.id, expired=["row-4"])
            ended = sdk.messages.batches.retrieve(batch.id)
            results = list(sdk.messages.batches.results(batch.id))
            again = list(sdk.messages.batches.results(batch.id))
            assert api.stats(keys=False)["statuses"] == {"batch_succeeded": 4, "batch_errored": 3, "batch_expired": 1}
        assert ended.processing_status == "ended" and ended.ended_at is not None
        assert ended.request_counts.to_dict() == {"processing": 0, "succeeded": 4, "errored": 3, "expired": 2, "canceled": 0}
        assert results == again and [r.custom_id for r in results] != sorted(r.custom_id for r in results)
        by_id = {r.custom_id: r.result for r in results}
        assert {name: r.type for name, r in by_id.items() if r.type != "succeeded"} == {
            "row-1": "errored", "row-2": "expired", "row-3": "errored", "row-4": "expired", "bad": "errored",
        }  # fmt: skip
        answer, failed, bad = by_id["row-7"], by_id["row-1"], by_id["bad"]
        assert (
            answer.type == "succeeded"
            and answer.message.content[0].to_dict()["text"] == "answer to question 7"
            and answer.message.usage.service_tier == "batch"
        )
        assert failed.type == "errored" and failed.error.error.type == "overloaded_error"
        assert bad.type == "errored" and bad.error.error.type == "invalid_request_error"

    def test_results_have_the_same_order_by_the_same_seed_only(self) -> None:
        orders = []
        for seed in (1, 1, 2):
            with MessagesApi(seed=seed, batch_terms=BatchTerms(ends_after_polls=1)) as api, client(api.url) as sdk:
                batch = sdk.messages.batches.retrieve(sdk.messages.batches.create(requests=self.requests(20)).id)
                orders.append([r.custom_id for r in sdk.messages.batches.results(batch.id)])
        assert orders[0] == orders[1] != orders[2] and sorted(orders[0]) == sorted(orders[2])

    @pytest.mark.parametrize(
        ("requests", "terms", "status", "says"),
        [
            ([], BatchTerms(), 400, "at least 1 item"),
            (["a", "b", "a"], BatchTerms(), 400, "duplicate 'a'"),
            (["a b"], BatchTerms(), 400, "should match pattern"),
            (["x" * 65], BatchTerms(), 400, "should match pattern"),
            (["a\n"], BatchTerms(), 400, "should match pattern"),
            (["a", "b", "c"], BatchTerms(max_requests=2), 400, "at most 2 items"),
            (["a", "b", "c"], BatchTerms(max_bytes=200), 413, "maximum size"),
        ],
    )
    def test_a_list_that_is_refused(self, requests: list[str], terms: BatchTerms, status: int, says: str) -> None:
        with MessagesApi(batch_terms=terms) as api, client(api.url) as sdk:
            with pytest.raises(anthropic.APIStatusError, match=says) as told:
                sdk.messages.batches.create(requests=[{"custom_id": custom_id, "params": ASKED} for custom_id in requests])  # type: ignore[typeddict-item]
            assert told.value.status_code == status and list(sdk.messages.batches.list()) == []

    def test_cancel_ends_with_what_was_done(self) -> None:
        with MessagesApi(batch_terms=BatchTerms(ends_after_polls=5, done_before_cancel=0.5)) as api, client(api.url) as sdk:
            batch = sdk.messages.batches.create(requests=self.requests(40))
            canceling = sdk.messages.batches.cancel(batch.id)
            assert canceling.processing_status == "canceling" and canceling.cancel_initiated_at is not None
            counts = sdk.messages.batches.retrieve(batch.id).request_counts
            assert counts.canceled + counts.succeeded == 40 and 5 < counts.canceled < 35
            with pytest.raises(anthropic.BadRequestError, match="already ended"):
                sdk.messages.batches.cancel(batch.id)

    def test_batches_are_listed_page_by_page_and_gone_when_deleted(self) -> None:
        with MessagesApi() as api, client(api.url) as sdk:
            made = [sdk.messages.batches.create(requests=self.requests(1)).id for _ in range(5)]
            assert [batch.id for batch in sdk.messages.batches.list(limit=2)] == made[::-1]
            assert [batch.id for batch in sdk.messages.batches.list(limit=2, before_id=made[0]).data] == [made[2], made[1]]
            with pytest.raises(anthropic.BadRequestError, match="still processing"):
                sdk.messages.batches.delete(made[0])
            with pytest.raises(anthropic.NotFoundError):
                sdk.get(f"/v1/messages/batches/{made[0]}/results", cast_to=object)
            api.finish(made[0])
            assert sdk.messages.batches.delete(made[0]).type == "message_batch_deleted"
            with pytest.raises(anthropic.NotFoundError):
                sdk.messages.batches.retrieve(made[0])

    def test_results_that_break_off_and_a_submission_whose_reply_is_lost(self) -> None:
        def lost(route: str, times: int) -> Fault | Drop | None:
            return Drop() if route == "POST /v1/messages/batches" and times == 1 else None

        with MessagesApi(route_script=lost, batch_terms=BatchTerms(1000, ends_after_polls=1, broken_results=1)) as api, client(api.url) as sdk:
            with pytest.raises(anthropic.APIConnectionError):
                sdk.messages.batches.create(requests=self.requests(200))
            (batch,) = sdk.messages.batches.list().data
            sdk.messages.batches.retrieve(batch.id)
            with pytest.raises(Exception, match=r"closed|complete|peer"):
                list(sdk.messages.batches.results(batch.id))
            assert len(list(sdk.messages.batches.results(batch.id))) == 200


class TestServed:
    def test_a_process_of_its_own_counts_and_misbehaves(self, tmp_path: Path) -> None:
        faults = tmp_path / "mix.json"
        faults.write_text('{"overloaded": 0.5, "faulty_attempts": 2}')
        with Served("--faults", str(faults), "--seed", "5", "--latency-ms", "1", "--batch-max-requests", "2", "--api-key", "sk-test") as api:
            with client(api.url) as sdk:
                outcomes = []
                for n in range(20):
                    asked = {**ASKED, "max_tokens": 100 + n}
                    try:
                        sdk.messages.create(**asked)
                        outcomes.append(200)
                    except anthropic.OverloadedError:
                        outcomes.append(529)
                        assert sdk.messages.create(**asked).stop_reason == "end_turn"
                batch = sdk.messages.batches.create(requests=[{"custom_id": "a", "params": ASKED}])  # type: ignore[typeddict-item]
                api.finish(batch.id, expired=["a"])
                assert [r.result.type for r in sdk.messages.batches.results(batch.id)] == ["expired"]
            api.wait_for(20)
            stats = api.stats()
        assert {200, 529} == set(outcomes)
        assert stats["statuses"] == {"200": 20, "529": outcomes.count(529)}
        assert stats["routes"]["POST /v1/messages/batches"] == 1
        assert (stats["answered"], stats["answered_again"], len(stats["by_key"])) == (20, 0, 20)
        assert all(content["answered"] == 1 for content in stats["by_key"].values())
        assert stats["cpu_s"] > 0 and stats["most_in_flight"] == 1

    @pytest.mark.parametrize("name", ["rate_limitd", "answer"])
    def test_a_share_that_does_not_exist_is_named(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "mix.json").write_text(json.dumps({name: 0.5}))
        with pytest.raises(SystemExit, match=name):
            Mix.load(tmp_path / "mix.json", 0)


def test_scripts_may_be_replaced_while_the_server_runs() -> None:
    changed: list[Callable[[Call], Behaviour]] = [lambda call: "before", lambda call: "after"]
    with MessagesApi(changed[0]) as api, client(api.url) as sdk:
        sdk.messages.create(**ASKED)
        api.script = changed[1]
        assert sdk.messages.create(**ASKED).content[0].to_dict()["text"] == "after"
        assert api.asked == [ASKED["messages"][0]["content"]] * 2
