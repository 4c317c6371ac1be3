"""One request over the wire: what is sent for it, and what the answer to it means.

Two ways: the Messages API, streamed where an answer may be long; and raw prompts, for a user's turn (Magpie) and for all calls to the embedded
server, by llama.cpp's own routes or vLLM's. Invariant: no body and no message leaves here with a secret in it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from synth_assets.errors import RawPromptUnsupported, TeacherUnavailable
from synth_assets.teacher.answers import BAD_REQUEST, MALFORMED, Answer, Usage, choice_answer, clean, completion_answer, excerpt, message_answer
from synth_assets.teacher.connections import Connections, Response
from synth_assets.teacher.endpoint import Endpoint
from synth_assets.teacher.events import StreamBroken, assemble
from synth_assets.teacher.failures import of_connection, of_status, of_stream, said_of_failure
from synth_assets.teacher.messages import Request
from synth_assets.teacher.prefixes import Prefix

__all__ = ["Reached", "Wire", "message_body"]

STREAM_FROM = 4096
"""Tokens from which an answer is streamed: at 60 tokens a second it takes a minute, after which proxies begin to close silent connections.
A streamed call takes two to four times the processor time."""
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
    """Calls to `endpoint` over `connections`."""

    def __init__(self, endpoint: Endpoint, connections: Connections) -> None:
        self._endpoint = endpoint
        self._connections = connections
        self._prefixes: dict[str, str] = {}
        self._tokenizes = False
        """Whether raw prompts go vLLM's way, because the server has no /apply-template."""

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
        return reached if isinstance(reached, Reached) else Reached(message_answer(reached.body), _said_of_limits(reached.headers))

    async def _stream(self, body: Mapping[str, Any]) -> Reached:
        with self._on_the_way():
            async with self._connections.stream("/v1/messages", {**body, "stream": True}) as stream:
                if stream.status != 200:
                    return self._refused(Response(stream.status, stream.headers, "\n".join([line async for line in stream.lines]).encode()))
                headers = _said_of_limits(stream.headers)
                try:
                    return Reached(message_answer(await assemble(stream.lines)), headers)
                except StreamBroken as broken:
                    meaning = of_stream(broken.kind, broken.message, self._endpoint)
                    if meaning is None:
                        return Reached(Answer(broken.message, failure=MALFORMED, evidence=excerpt(broken.message)), headers)
                    raise meaning from None

    async def _completion(self, request: Request, seed: int) -> Reached:
        """A raw prompt: what the server makes of the request by its model's own chat template; for a user's turn, cut after the user header."""
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
        if self._tokenizes:
            # The template's own special tokens are in the prompt already.
            asked = {"model": self._endpoint.model, "prompt": prompt, "max_tokens": request.max_tokens, "stop": list(request.stop), "seed": seed}
            reached = await self._post("/v1/completions", asked | {"add_special_tokens": False} | dict(request.sampling))
            return reached if isinstance(reached, Reached) else Reached(choice_answer(reached.body), _said_of_limits(reached.headers))
        body = {"prompt": prompt, "n_predict": request.max_tokens, "stop": list(request.stop), "seed": seed, "response_fields": COMPLETION_FIELDS}
        reached = await self._post("/completion", body | dict(request.sampling))
        return reached if isinstance(reached, Reached) else Reached(completion_answer(reached.body), _said_of_limits(reached.headers))

    async def _template(self, system: str, turns: Sequence[Mapping[str, str]]) -> str:
        """The prompt that the model's own chat template makes of a conversation: by llama.cpp's route, or by vLLM's tokens and back."""
        first = [{"role": "system", "content": clean(system)}] if system else []
        if not self._tokenizes:
            try:
                return str(await self._field("/apply-template", {"messages": [*first, *turns]}, "prompt"))
            except RawPromptUnsupported:
                if self._endpoint.native:
                    raise
                self._tokenizes = True
        named = {"model": self._endpoint.model}
        asked = named | {"messages": [*first, *turns], "add_generation_prompt": False, "add_special_tokens": False}
        tokens = await self._field("/tokenize", asked, "tokens")
        return str(await self._field("/detokenize", named | {"tokens": tokens}, "prompt"))

    async def _field(self, path: str, body: Mapping[str, Any], name: str) -> Any:
        """One field of the answer of a route that speaks of the model's template."""
        reached = await self._post(path, body)
        if isinstance(reached, Reached):
            raise self._no_raw_prompts(f"refuses {path}: {reached.answer.evidence}")
        try:
            return json.loads(reached.body)[name]
        except (ValueError, KeyError, TypeError):
            raise self._no_raw_prompts(f"answers {path} with something else") from None

    async def _post(self, path: str, body: Mapping[str, Any]) -> Response | Reached:
        """The 200 that came; or what says that this request is refused."""
        with self._on_the_way():
            response = await self._connections.post(path, body)
        if response.status == 200:
            return response
        if path != "/v1/messages" and response.status in ROUTE_MISSING:
            raise self._no_raw_prompts(f"answers {path} with {response.status}")
        return self._refused(response)

    def _refused(self, response: Response) -> Reached:
        meaning = of_status(response.status, response.headers, response.body, self._endpoint)
        if meaning is not None:
            raise meaning
        said, _ = said_of_failure(response.body)
        return Reached(Answer(clean(said), failure=BAD_REQUEST, evidence=excerpt(said), usage=Usage(0, 0)), response.headers)

    @contextmanager
    def _on_the_way(self) -> Iterator[None]:
        """What happens to a connection, in our words."""
        import aiohttp

        try:
            yield
        except ValueError as error:  # aiohttp's, of addresses and of keys that fit in no header
            said = self._endpoint.secrets.scrub(str(error), shapes=True)
            raise TeacherUnavailable(f"{self._endpoint.identity} cannot be asked: {said}. See ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY.") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise of_connection(error, self._endpoint) from None

    def _no_raw_prompts(self, why: str) -> RawPromptUnsupported:
        return RawPromptUnsupported(
            f"Magpie needs an endpoint that takes raw prompts (llama.cpp's /apply-template and /completion, or vLLM's /tokenize, /detokenize and "
            f"/v1/completions), and {self._endpoint.identity} {why}. Remove `magpie` from the domain's methods, or use the embedded teacher or such a server."
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


def _said_of_limits(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items() if "ratelimit" in name.lower()}


def _turns(request: Request) -> list[dict[str, str]]:
    return [{"role": message.role, "content": clean(message.content)} for message in request.messages]
