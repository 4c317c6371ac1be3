"""One call on the wire: the SDK's client, what an answer means, and what is tried again.

Every answer that may have been paid for is recorded, the unusable ones too. Secrets are taken out of whatever an endpoint says before
anybody sees it.
"""

import asyncio
import json
import random
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import anthropic
from anthropic.types import AssistantMessageParam, UserMessageParam

from synth_assets.errors import RawPromptUnsupported, TeacherRefusedAccess, TeacherUnavailable
from synth_assets.teacher.messages import Reply, Request

if TYPE_CHECKING:
    from synth_assets.teacher.client import Teacher

__all__ = ["Wire"]

ATTEMPTS = 6
"""Tries of one call whose failure may pass; with full jitter they take half a minute on average."""
MALFORMED_ATTEMPTS = 3
"""Tries of a call whose body is malformed: each may be paid for."""
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
"""Seconds."""
TIMEOUT = 600.0
"""Seconds for one answer: an embedded model under load writes 10 tokens/s."""
PASSING = {408, 409, 425, 429}
FINAL_REMEDY = {
    401: "The key was refused: check ANTHROPIC_API_KEY.",
    402: "The account must be paid first: see the provider's console.",
    403: "The key may not do this: check its permissions, or ANTHROPIC_BASE_URL.",
    404: "The endpoint does not know this model or path: check SYNTH_TEACHER and ANTHROPIC_BASE_URL.",
}
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
            api_key=endpoint.api_key or "none", auth_token=endpoint.auth_token, base_url=endpoint.base_url(), max_retries=0, timeout=TIMEOUT
        )
        self._prefixes: dict[str, str] = {}

    async def close(self) -> None:
        """Close the HTTP pool."""
        await self._client.close()

    async def ask(self, key: str, request: Request) -> Reply:
        """The answer to one request, recorded; raises TeacherStopped where nothing more can be asked."""
        malformed = 0
        for attempt in range(1, ATTEMPTS + 1):
            most = self._teacher.price.at_most(len(json.dumps(request.body(), ensure_ascii=False)), request.max_tokens)
            self._teacher.check_budget(most)
            reservation = self._teacher.ledger.reserve(key, most)
            started = time.monotonic()
            try:
                raw = await self._send(request)
                reply = self._understood(key, request, raw)
            except _Malformed as fault:
                malformed += 1
                final = malformed == MALFORMED_ATTEMPTS or attempt == ATTEMPTS
                reply = self._failed(key, "malformed_reply", fault.raw[:200])
                self._record(reservation, request, reply, fault.raw, most, started, final=final)
                if final:
                    return reply
                await self._wait(attempt, None)
            except anthropic.BadRequestError as error:
                reply = self._failed(key, "bad_request", self._said(error))
                return self._record(reservation, request, reply, self._said(error), 0.0, started)
            except anthropic.APIStatusError as error:
                self._teacher.ledger.release(reservation)
                if error.status_code not in PASSING and error.status_code < 500:
                    raise self._final(error) from None
                if attempt == ATTEMPTS:
                    raise self._unavailable(self._said(error)) from None
                await self._wait(attempt, error.response.headers.get("retry-after"))
            except RawPromptUnsupported:
                self._teacher.ledger.release(reservation)
                raise
            except anthropic.APIConnectionError as error:
                # A request that was cut off on the way may have been paid for: its reservation stays, as unknown.
                if not self._teacher.profile.paid:
                    self._teacher.ledger.release(reservation)
                if attempt == ATTEMPTS:
                    raise self._unavailable(self._scrubbed(f"{error} {error.__cause__ or ''}")) from None
                await self._wait(attempt, None)
            else:
                return self._record(reservation, request, reply, raw, None, started)
        raise AssertionError("unreachable")

    async def _send(self, request: Request) -> str:
        """The body of the answer, as it came."""
        if request.user_turn:
            return await self._user_turn(request)
        optional: dict[str, Any] = {}
        if request.system:
            optional["system"] = request.system
        if request.stop:
            optional["stop_sequences"] = list(request.stop)
        if self._teacher.endpoint.takes_sampling and request.sampling:
            optional["extra_body"] = dict(request.sampling)
        answer = await self._client.messages.with_raw_response.create(
            model=self._teacher.profile.model,
            max_tokens=request.max_tokens,
            messages=[
                UserMessageParam(role="user", content=m.content) if m.role == "user" else AssistantMessageParam(role="assistant", content=m.content)
                for m in request.messages
            ],
            **optional,
        )
        return str(answer.http_response.text)

    async def _user_turn(self, request: Request) -> str:
        """The model's own user turn: its chat template, cut after the user header, on a raw-prompt endpoint (llama.cpp's server)."""
        if not self._teacher.profile.raw_prompt:
            raise RawPromptUnsupported(
                f"Magpie needs an endpoint that takes raw prompts, and {self._teacher.endpoint.identity} is a chat API. "
                "Remove `magpie` from the domain's methods, or use the embedded teacher or a llama.cpp server."
            )
        try:
            if request.system not in self._prefixes:
                turns = [{"role": "system", "content": request.system}, {"role": "user", "content": _SENTINEL}]
                template: Any = await self._client.post("/apply-template", cast_to=object, body={"messages": turns})
                prefix, found, _ = str(template["prompt"]).partition(_SENTINEL)
                if not found:
                    raise RawPromptUnsupported("the model's chat template drops the user's text: no user turn can be cut from it.")
                self._prefixes[request.system] = prefix
            body = {"prompt": self._prefixes[request.system], "n_predict": request.max_tokens, "stop": list(request.stop), **dict(request.sampling)}
            answer: Any = await self._client.post("/completion", cast_to=object, body=body)
        except anthropic.NotFoundError:
            raise RawPromptUnsupported(
                f"{self._teacher.endpoint.identity} has no raw-prompt routes (/apply-template, /completion), which Magpie needs. "
                "Remove `magpie` from the domain's methods, or use a llama.cpp server."
            ) from None
        return json.dumps(answer, ensure_ascii=False)

    def _understood(self, key: str, request: Request, raw: str) -> Reply:
        try:
            data = json.loads(raw)
            if request.user_turn:
                cut = data.get("stop_type") == "limit"
                return self._reply(key, data["content"], "", "max_tokens" if cut else "end_turn", data["tokens_evaluated"], data["tokens_predicted"])
            blocks = data["content"]
            text = "".join(block["text"] for block in blocks if block["type"] == "text")
            thinking = "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
            usage: Mapping[str, Any] = data["usage"]
            read = sum(int(usage.get(name) or 0) for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"))
            return self._reply(key, text, thinking, str(data["stop_reason"]), read, int(usage["output_tokens"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise _Malformed(self._scrubbed(raw)) from None

    def _reply(self, key: str, text: str, thinking: str, stop_reason: str, read: int, written: int) -> Reply:
        if not isinstance(text, str):
            raise TypeError
        model = self._teacher.profile.model
        return Reply(key, _clean(text), stop_reason, model, thinking=_clean(thinking), input_tokens=int(read), output_tokens=int(written))

    def _failed(self, key: str, rule: str, evidence: str) -> Reply:
        return Reply(key, "", "failed", self._teacher.profile.model, failure=rule, evidence=_clean(evidence)[:300])

    def _record(self, reservation: int, request: Request, reply: Reply, raw: str, cost: float | None, started: float, *, final: bool = True) -> Reply:
        self._teacher.calls_made += 1
        return self._teacher.ledger.record(
            reservation,
            reply,
            endpoint=self._teacher.endpoint.identity,
            request=request.body(),
            raw=_clean(raw),
            cost_usd=self._teacher.price.of(reply.input_tokens, reply.output_tokens) if cost is None else cost,
            latency_ms=round((time.monotonic() - started) * 1000, 1),
            final=final,
        )

    def _final(self, error: anthropic.APIStatusError) -> TeacherRefusedAccess:
        remedy = FINAL_REMEDY.get(error.status_code, "The endpoint refuses this for good: see its message.")
        return TeacherRefusedAccess(f"{error.status_code} from {self._teacher.endpoint.identity}: {self._said(error)}. {remedy}")

    def _unavailable(self, said: str) -> TeacherUnavailable:
        return TeacherUnavailable(
            f"{self._teacher.endpoint.identity} did not answer in {ATTEMPTS} tries: {said}. What was answered is kept: run again when it is back."
        )

    def _said(self, error: anthropic.APIStatusError) -> str:
        return self._scrubbed(str(error.message))[:300]

    def _scrubbed(self, text: str) -> str:
        for secret in self._teacher.endpoint.secrets:
            text = text.replace(secret, "[key]")
        return text

    @staticmethod
    async def _wait(attempt: int, retry_after: str | None) -> None:
        """Full jitter up to a doubling limit, and never less than the endpoint asked for."""
        try:
            asked = min(float(retry_after), LONGEST_DELAY) if retry_after else 0.0
        except ValueError:
            asked = 0.0
        limit = min(LONGEST_DELAY, FIRST_DELAY * 2**attempt)
        await asyncio.sleep(asked + random.uniform(0, limit))  # noqa: S311 - not in step with others


def _clean(text: str) -> str:
    """`text` without what no file can hold: NULs and lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
