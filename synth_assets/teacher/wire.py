"""One call on the wire: the SDK's client, what an answer means, and what is tried again.

Every answer that may have been paid for is recorded, the unusable ones too. Secrets are taken out of whatever an endpoint says before
anybody sees it.
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
from anthropic.types import AssistantMessageParam, UserMessageParam

from synth_assets.errors import BudgetExceeded, RawPromptUnsupported, TeacherRefusedAccess, TeacherStopped, TeacherUnavailable
from synth_assets.teacher.backoff import seconds_asked
from synth_assets.teacher.messages import Message, Reply, Request
from synth_assets.teacher.prices import thinking_of

if TYPE_CHECKING:
    from synth_assets.teacher.client import Teacher

__all__ = ["Wire"]

MALFORMED_ATTEMPTS = 3
"""Tries of a call whose body is malformed: each may be paid for."""
TIMEOUT = anthropic.Timeout(600.0, connect=20.0)
"""Seconds: an embedded model under load writes 10 tokens/s, but who does not take a connection is not there."""
MOST_TOKENS = 2**40
"""More than any call can use: a larger number is nonsense, and SQLite takes no integer above 2**63."""
PASSING = {408, 409, 425, 429}
LOST = {408, 502, 504, 524}
"""Of a gateway that gave up on the endpoint: the answer may have been written, and billed."""
FINAL_REMEDY = {
    401: "The key was refused: check ANTHROPIC_API_KEY.",
    402: "The account must be paid first: see the provider's console.",
    403: "The key may not do this: check its permissions, or ANTHROPIC_BASE_URL.",
    404: "The endpoint does not know this model or path: check SYNTH_TEACHER and ANTHROPIC_BASE_URL.",
}
SPEND_SIGNS = ("credit balance", "usage limits")
"""Claude's API reports an empty account and a reached spend limit as a 400."""
NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.LocalProtocolError, httpx2.UnsupportedProtocol)
"""Nothing left this machine, so that nothing can be paid."""
LOOPBACK = ("all://127.0.0.1", "all://[::1]", "all://localhost")
"""Never asked through a proxy of the environment, which would look for them on its own machine."""
COMPLETION_FIELDS = ("content", "stop_type", "stopping_word", "tokens_evaluated", "tokens_predicted", "model")
"""Of some sixty: the others repeat the prompt and every setting."""
_SENTINEL = "SYNTH-USER-TURN"


class _Malformed(Exception):
    """A 200 whose body is no answer; `raw` is the body."""

    def __init__(self, raw: str) -> None:
        self.raw = raw


class Wire:
    """The SDK's client for the life of one plan."""

    def __init__(self, teacher: "Teacher") -> None:
        self._teacher = teacher
        endpoint = teacher.endpoint
        self._client = anthropic.AsyncAnthropic(
            api_key=endpoint.api_key or (None if endpoint.auth_token else "none"),
            auth_token=None if endpoint.api_key else endpoint.auth_token,
            base_url=endpoint.base_url(),
            max_retries=0,
            timeout=TIMEOUT,
            # A redirect to another host would take the key along.
            http_client=anthropic.DefaultAsyncHttpxClient(timeout=TIMEOUT, follow_redirects=False, mounts=dict.fromkeys(LOOPBACK)),
        )
        self._prefixes: dict[str, str] = {}
        self._claude = thinking_of(teacher.profile.model)
        self._out = 0
        self._back = asyncio.Event()

    async def close(self) -> None:
        """Close the HTTP pool."""
        await self._client.close()

    async def ask(self, key: str, request: Request) -> Reply:
        """The answer to one request, recorded; raises TeacherStopped where nothing more can be asked."""
        request = _sendable(request)
        most = self._teacher.price.at_most(len(json.dumps(request.body(), ensure_ascii=False).encode()), request.max_tokens + self._claude.room)
        malformed = 0
        for attempt in range(1, self._teacher.backoff.attempts + 1):
            last = attempt == self._teacher.backoff.attempts
            asked_for = 0.0
            reservation = await self._reserve(key, most)
            started = time.monotonic()
            try:
                raw = self._scrubbed(await self._send(request, seed=int(key[:8], 16) >> 1))
                reply = self._understood(key, request, raw)
                return self._record(reservation, request, reply, raw, self._teacher.price.of(reply.input_tokens, reply.output_tokens), started)
            except _Malformed as fault:
                malformed += 1
                reply = self._failed(key, "malformed_reply", fault.raw)
                self._record(reservation, request, reply, fault.raw, most, started)
                if last or malformed == MALFORMED_ATTEMPTS:
                    return reply
            except anthropic.APIStatusError as error:
                if isinstance(error, anthropic.BadRequestError) and not any(sign in self._said(error) for sign in SPEND_SIGNS):
                    return self._record(reservation, request, self._failed(key, "bad_request", self._said(error)), self._said(error), 0.0, started)
                self._close(reservation, lost=error.status_code in LOST)
                asked_for = self._pause(error, last)
            except anthropic.APIConnectionError as error:
                self._close(reservation, lost=not isinstance(error.__cause__, NEVER_SENT))
                if last:
                    raise self._unavailable(self._scrubbed(f"{error} {error.__cause__ or ''}".strip())) from None
            except BaseException as error:
                self._close(reservation, lost=not isinstance(error, TeacherStopped))
                raise
            finally:
                self._out -= 1
                self._back.set()
            await asyncio.sleep(self._teacher.backoff.delay(attempt, asked_for))
        raise AssertionError("unreachable")

    async def _reserve(self, key: str, most: float) -> int:
        """A reservation within the budget; where only calls in flight stand in the way, which mostly cost less than reserved, wait for them."""
        budget = self._teacher.budget_usd if self._teacher.profile.paid else None
        while True:
            try:
                reservation = self._teacher.ledger.reserve(key, most, budget)
            except BudgetExceeded:
                if self._out == 0:
                    raise
                self._back.clear()
                await self._back.wait()
            else:
                self._out += 1
                return reservation

    def _close(self, reservation: int, *, lost: bool) -> None:
        """End a reservation without an answer: `lost` where the call may have been paid for all the same."""
        if lost:
            self._teacher.ledger.doubt(reservation)
        else:
            self._teacher.ledger.release(reservation)

    def _pause(self, error: anthropic.APIStatusError, last: bool) -> float:
        """Seconds that the endpoint asks for before the next try; raises where there is none."""
        headers = error.response.headers
        passing = error.status_code in PASSING or error.status_code >= 500
        if not passing or headers.get("x-should-retry") == "false":
            raise self._final(error) from None
        asked = seconds_asked(headers.get("retry-after"))
        if asked > self._teacher.backoff.longest_asked:
            raise TeacherUnavailable(f"{self._teacher.endpoint.identity} asks for a pause of {asked:.0f} s: {self._said(error)}. Run again after it.") from None
        if last:
            raise self._unavailable(self._said(error)) from None
        return asked

    async def _send(self, request: Request, seed: int) -> str:
        """The body of the answer, as it came."""
        if request.user_turn or self._teacher.endpoint.native:
            return await self._completion(request, seed)
        optional: dict[str, Any] = dict(self._claude.parameters)
        if request.system:
            optional["system"] = request.system
        if request.stop:
            optional["stop_sequences"] = list(request.stop)
        if self._teacher.endpoint.takes_sampling and request.sampling:
            optional["extra_body"] = dict(request.sampling)
        answer = await self._client.messages.with_raw_response.create(
            model=self._teacher.profile.model,
            max_tokens=request.max_tokens + self._claude.room,
            messages=[
                UserMessageParam(role="user", content=m.content) if m.role == "user" else AssistantMessageParam(role="assistant", content=m.content)
                for m in request.messages
            ],
            **optional,
        )
        return str(answer.http_response.text)

    async def _completion(self, request: Request, seed: int) -> str:
        """A raw prompt on llama.cpp's server: what its own chat template makes of the request; for a user's turn, cut after the user header."""
        if not self._teacher.profile.raw_prompt:
            raise RawPromptUnsupported(
                f"Magpie needs an endpoint that takes raw prompts, and {self._teacher.endpoint.identity} is a chat API. "
                "Remove `magpie` from the domain's methods, or use the embedded teacher or a llama.cpp server."
            )
        try:
            if not request.user_turn:
                prompt = await self._template(request.system, [{"role": m.role, "content": m.content} for m in request.messages])
            else:
                if request.system not in self._prefixes:
                    self._prefixes[request.system] = await self._prefix(request.system)
                prompt = self._prefixes[request.system]
            body = {"prompt": prompt, "n_predict": request.max_tokens, "stop": list(request.stop), "seed": seed, "response_fields": COMPLETION_FIELDS}
            return await self._post("/completion", body | dict(request.sampling))
        except anthropic.NotFoundError:
            raise RawPromptUnsupported(
                f"{self._teacher.endpoint.identity} has no raw-prompt routes (/apply-template, /completion), which Magpie needs. "
                "Remove `magpie` from the domain's methods, or use a llama.cpp server."
            ) from None

    async def _prefix(self, system: str) -> str:
        """The prompt up to where a user's words begin."""
        prefix, found, _ = (await self._template(system, [{"role": "user", "content": _SENTINEL}])).partition(_SENTINEL)
        if not found:
            raise RawPromptUnsupported("the model's chat template drops the user's text: no user turn can be cut from it. Remove `magpie` from the methods.")
        return prefix

    async def _template(self, system: str, turns: Sequence[dict[str, str]]) -> str:
        """The prompt that the model's own chat template makes of a conversation."""
        first = [{"role": "system", "content": system}] if system else []
        raw = await self._post("/apply-template", {"messages": [*first, *turns]})
        try:
            return str(json.loads(raw)["prompt"])
        except (ValueError, KeyError, TypeError):
            raise _Malformed(self._scrubbed(raw)) from None

    async def _post(self, path: str, body: Mapping[str, Any]) -> str:
        return str((await self._client.post(path, cast_to=httpx2.Response, body=body)).text)

    def _understood(self, key: str, request: Request, raw: str) -> Reply:
        try:
            data = json.loads(raw)
            if request.user_turn or self._teacher.endpoint.native:
                cut = data.get("stop_type") == "limit"
                return self._reply(key, data["content"], "", "max_tokens" if cut else "end_turn", data["tokens_evaluated"], data["tokens_predicted"])
            blocks = data["content"]
            text = "".join(block["text"] for block in blocks if block["type"] == "text")
            thinking = "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
            usage: Mapping[str, Any] = data["usage"]
            read = sum(int(usage.get(name) or 0) for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"))
            return self._reply(key, text, thinking, str(data["stop_reason"] or "no_stop_reason"), read, int(usage["output_tokens"]))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            raise _Malformed(raw) from None

    def _reply(self, key: str, text: str, thinking: str, stop_reason: str, read: int, written: int) -> Reply:
        if not isinstance(text, str) or not (0 <= int(read) <= MOST_TOKENS and 0 <= int(written) <= MOST_TOKENS):
            raise TypeError
        return Reply(
            key,
            # JSON escapes can hide what was looked for in the raw body.
            _clean(self._scrubbed(text)),
            _clean(self._scrubbed(stop_reason)),
            self._teacher.profile.model,
            thinking=_clean(self._scrubbed(thinking)),
            input_tokens=int(read),
            output_tokens=int(written),
        )

    def _failed(self, key: str, rule: str, evidence: str) -> Reply:
        return Reply(key, "", "failed", self._teacher.profile.model, failure=rule, evidence=_clean(evidence)[:300])

    def _record(self, reservation: int, request: Request, reply: Reply, raw: str, cost: float, started: float) -> Reply:
        self._teacher.calls_made += 1
        return self._teacher.ledger.record(
            reservation,
            reply,
            endpoint=self._teacher.endpoint.identity,
            request=request.body(),
            raw=_clean(raw),
            cost_usd=cost,
            latency_ms=round((time.monotonic() - started) * 1000, 1),
        )

    def _final(self, error: anthropic.APIStatusError) -> TeacherRefusedAccess:
        code = 402 if error.status_code == 400 else error.status_code
        moved = "The endpoint has moved: set ANTHROPIC_BASE_URL to its new address."
        remedy = FINAL_REMEDY.get(code, moved if code < 400 else "The endpoint refuses this for good: see its message.")
        return TeacherRefusedAccess(f"{error.status_code} from {self._teacher.endpoint.identity}: {self._said(error)}. {remedy}")

    def _unavailable(self, said: str) -> TeacherUnavailable:
        return TeacherUnavailable(
            f"{self._teacher.endpoint.identity} did not answer in {self._teacher.backoff.attempts} tries: {said}. "
            "What was answered is kept: run again when it is back."
        )

    def _said(self, error: anthropic.APIStatusError) -> str:
        return self._scrubbed(str(error.message))[:300]

    def _scrubbed(self, text: str) -> str:
        for secret in self._teacher.endpoint.secrets:
            text = text.replace(secret, "[key]")
        return text


def _sendable(request: Request) -> Request:
    """`request` with texts that can be sent: no lone surrogates, no NULs."""
    messages = tuple(Message(m.role, _clean(m.content)) for m in request.messages)
    return replace(request, messages=messages, system=_clean(request.system), stop=tuple(_clean(s) for s in request.stop))


def _clean(text: str) -> str:
    """`text` without what no file can hold: NULs and lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
