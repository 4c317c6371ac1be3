"""One request over the wire, through the `anthropic` SDK's client and its connection pool: the only code that talks to an endpoint.

Two ways: the Messages API, streamed where an answer may be long; and llama.cpp's own routes, for a user's turn (Magpie) and for all calls to
the embedded server. Answers are read from their raw bodies: the SDK's models would cost 15 % of the processor time of a call, and raise on what
must be recorded. Invariant: no body and no message leaves here with a secret in it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from synth_assets.errors import RawPromptUnsupported, TeacherUnavailable
from synth_assets.teacher.answers import BAD_REQUEST, MALFORMED, Answer, Usage, clean, completion_answer, excerpt, message_answer
from synth_assets.teacher.endpoint import Endpoint
from synth_assets.teacher.events import StreamBroken, assemble
from synth_assets.teacher.failures import of_connection, of_status, of_stream
from synth_assets.teacher.messages import Request
from synth_assets.teacher.prefixes import Prefix

if TYPE_CHECKING:
    import anthropic

__all__ = ["Reached", "Wire", "message_body"]

READ_S = 600.0
"""For one answer: an embedded model beside other work writes ten tokens a second in each of its slots."""
CONNECT_S = 20.0
STREAM_FROM = 4096
"""Tokens from which an answer is streamed: at 60 tokens a second it takes a minute, after which proxies begin to close silent connections.
A streamed call takes two to four times the processor time."""
SPARE = 4
"""Connections beside those of the calls, for chat templates and batches."""
LOOPBACK = ("all://127.0.0.1", "all://[::1]", "all://localhost")
"""Never asked through a proxy of the environment, which would look for them on its own machine."""
COMPLETION_FIELDS = ("content", "stop_type", "stopping_word", "tokens_evaluated", "tokens_predicted", "model")
"""Of some sixty: the others repeat the prompt and every setting."""
ROUTE_MISSING = frozenset({404, 405, 501})
_SENTINEL = "SYNTH-USER-TURN"


@dataclass(frozen=True)
class Reached:
    """What an endpoint sent, and what it said beside it."""

    answer: Answer
    headers: Mapping[str, str]
    """Those that speak of limits, names in lower case."""


class Wire:
    """A connection pool to `endpoint`; belongs to one event loop."""

    def __init__(self, endpoint: Endpoint) -> None:
        import anthropic
        import httpx2

        self._endpoint = endpoint
        self._prefixes: dict[str, str] = {}
        timeout = anthropic.Timeout(READ_S, connect=CONNECT_S)
        secrets = endpoint.secrets
        self.client = anthropic.AsyncAnthropic(
            # An explicit key keeps the SDK from looking for another one in the process's environment.
            api_key=secrets.api_key or (None if secrets.auth_token else "none"),
            auth_token=None if secrets.api_key else secrets.auth_token,
            base_url=endpoint.base_url(),
            max_retries=0,
            timeout=timeout,
            # aiohttp takes 0.6 of the processor time of the SDK's default client. A redirect to another host would take the key along.
            http_client=anthropic.DefaultAioHttpClient(
                timeout=timeout,
                follow_redirects=False,
                mounts=dict.fromkeys(LOOPBACK),
                limits=httpx2.Limits(max_connections=endpoint.concurrency + SPARE, max_keepalive_connections=endpoint.concurrency + SPARE),
            ),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self.client.close()

    async def ask(self, request: Request, seed: int, prefix: Prefix | None = None) -> Reached:
        """The answer to `request`, whatever it is worth; `seed` goes to servers that take one, `prefix` is marked for the endpoint's cache.

        Raises:
            Transient: no answer; asking again may help.
            TeacherStopped: no answer, and none to any other request.
        """
        if request.user_turn or self._endpoint.native:
            reached = await self._completion(request, seed)
        else:
            body = message_body(self._endpoint, request, prefix)
            reached = await (self._stream(body) if body["max_tokens"] >= STREAM_FROM else self._message(body))
        scrub, answer = self._endpoint.secrets.scrub, reached.answer
        # JSON's escapes can hide in the raw body what stands in the text.
        shapes = bool(answer.failure)
        scrubbed = replace(
            answer,
            raw=scrub(answer.raw, shapes=shapes),
            text=scrub(answer.text),
            thinking=scrub(answer.thinking),
            stop_reason=scrub(answer.stop_reason),
            evidence=scrub(answer.evidence, shapes=shapes),
        )
        return Reached(scrubbed, reached.headers)

    async def _message(self, body: Mapping[str, Any]) -> Reached:
        reached = await self._post("/v1/messages", body)
        return reached if isinstance(reached, Reached) else Reached(message_answer(reached[0]), reached[1])

    async def _stream(self, body: Mapping[str, Any]) -> Reached:
        import anthropic
        import httpx2

        try:
            named = {name: body[name] for name in ("model", "max_tokens", "messages")}
            rest = {name: value for name, value in body.items() if name not in named}
            async with self.client.messages.with_streaming_response.create(**named, stream=True, extra_body=rest) as response:
                headers = _said_of_limits(response.headers.raw)
                try:
                    return Reached(message_answer(await assemble(response.iter_lines())), headers)
                except StreamBroken as broken:
                    meaning = of_stream(broken.kind, broken.message, self._endpoint)
                    if meaning is None:
                        return Reached(Answer(broken.message, failure=MALFORMED, evidence=excerpt(broken.message)), headers)
                    raise meaning from None
        except anthropic.APIStatusError as error:
            await error.response.aread()
            return self._refused(error)
        except (anthropic.APIError, httpx2.TransportError, httpx2.InvalidURL, UnicodeError) as error:
            raise self._connection(error) from None

    async def _completion(self, request: Request, seed: int) -> Reached:
        """A raw prompt on llama.cpp's server: what its own chat template makes of the request; for a user's turn, cut after the user header."""
        if not self._endpoint.profile.raw_prompt:
            raise self._no_raw_prompts("is a chat API")
        turns = _turns(request)
        if not request.user_turn:
            prompt = await self._template(request.system, turns)
        else:
            if request.system not in self._prefixes:
                cut, found, _ = (await self._template(request.system, [{"role": "user", "content": _SENTINEL}])).partition(_SENTINEL)
                if not found:
                    raise self._no_raw_prompts("has a chat template that drops the user's text")
                self._prefixes[request.system] = cut
            prompt = self._prefixes[request.system]
        body = {"prompt": prompt, "n_predict": request.max_tokens, "stop": list(request.stop), "seed": seed, "response_fields": COMPLETION_FIELDS}
        reached = await self._post("/completion", body | dict(request.sampling))
        return reached if isinstance(reached, Reached) else Reached(completion_answer(reached[0]), reached[1])

    async def _template(self, system: str, turns: Sequence[Mapping[str, str]]) -> str:
        """The prompt that the model's own chat template makes of a conversation."""
        first = [{"role": "system", "content": clean(system)}] if system else []
        reached = await self._post("/apply-template", {"messages": [*first, *turns]})
        try:
            return str(json.loads(reached[0])["prompt"]) if isinstance(reached, tuple) else ""
        except (ValueError, KeyError, TypeError):
            raise self._no_raw_prompts("answers /apply-template with something else") from None

    async def _post(self, path: str, body: Mapping[str, Any]) -> tuple[bytes, Mapping[str, str]] | Reached:
        """Body and headers of a 200; or what says that this request is refused."""
        import anthropic
        import httpx2

        try:
            response = await self.client.post(path, cast_to=httpx2.Response, body=body)
        except anthropic.APIStatusError as error:
            if path != "/v1/messages" and error.status_code in ROUTE_MISSING:
                raise self._no_raw_prompts(f"answers {path} with {error.status_code}") from None
            return self._refused(error)
        except (anthropic.APIError, httpx2.TransportError, httpx2.InvalidURL, UnicodeError) as error:
            raise self._connection(error) from None
        return response.content, _said_of_limits(response.headers.raw)

    def _refused(self, error: "anthropic.APIStatusError") -> Reached:
        meaning = of_status(error, self._endpoint)
        if meaning is not None:
            raise meaning from None
        said = clean(str(error.message))
        return Reached(Answer(said, failure=BAD_REQUEST, evidence=excerpt(said), usage=Usage(0, 0)), error.response.headers)

    def _connection(self, error: Exception) -> Exception:
        """What the SDK or its HTTP client raised, as ours."""
        import httpx2

        if isinstance(error, httpx2.InvalidURL | UnicodeError):
            return TeacherUnavailable(f"{self._endpoint.identity} is no address: {error}. See ANTHROPIC_BASE_URL.")
        return of_connection(error, self._endpoint)

    def _no_raw_prompts(self, why: str) -> RawPromptUnsupported:
        return RawPromptUnsupported(
            f"Magpie needs an endpoint that takes raw prompts (llama.cpp's /apply-template and /completion), and {self._endpoint.identity} {why}. "
            "Remove `magpie` from the domain's methods, or use the embedded teacher or a llama.cpp server."
        )


def message_body(endpoint: Endpoint, request: Request, prefix: Prefix | None = None) -> dict[str, Any]:
    """`request` as the Messages API takes it."""
    thinking = endpoint.thinking(request)
    messages: list[dict[str, Any]] = [*_turns(request)]
    body: dict[str, Any] = {"model": endpoint.model, "max_tokens": request.max_tokens + thinking.room, "messages": messages, **thinking.parameters}
    if request.system:
        body["system"] = clean(request.system)
    if prefix is not None and endpoint.caches_prompts:
        if len(prefix) == 1:
            body["system"] = _marked(body["system"])
        else:
            turn = messages[len(prefix) - 2]
            turn["content"] = _marked(turn["content"])
    if request.stop:
        body["stop_sequences"] = [clean(s) for s in request.stop]
    if endpoint.takes_sampling:
        body |= dict(request.sampling)
    return body


def _marked(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]


def _said_of_limits(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers if b"ratelimit" in name.lower()}


def _turns(request: Request) -> list[dict[str, str]]:
    return [{"role": message.role, "content": clean(message.content)} for message in request.messages]
