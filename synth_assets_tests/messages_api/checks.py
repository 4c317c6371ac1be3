"""What the API refuses before it answers: keys, models, sizes and bodies that break its rules, each with the API's status and words.

What depends on the account or the model is a field of `Terms`; its defaults refuse nothing that a lenient server would take.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from synth_assets_tests.messages_api.behaviours import Fault
from synth_assets_tests.messages_api.bodies import count_input
from synth_assets_tests.messages_api.prompt_cache import marks

__all__ = ["Terms", "custom_ids_fault", "fault_in_body", "fault_in_headers"]

FIELDS = frozenset({
    "model", "messages", "max_tokens", "system", "stream", "stop_sequences", "metadata", "thinking", "tools", "tool_choice", "cache_control", "container",
    "diagnostics", "inference_geo", "output_config", "service_tier", "speed", "temperature", "top_p", "top_k",
})  # fmt: skip
SAMPLING = ("temperature", "top_p", "top_k")
CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True)
class Terms:
    """What this server takes."""

    api_key: str | None = None
    """The one key (or bearer token) that is known; None: any."""
    models: frozenset[str] | None = None
    """Those that exist; None: any."""
    sampling: bool = True
    """Whether its models take temperature, top_p and top_k."""
    prefill: bool = True
    """Whether a conversation may end with the assistant's words."""
    extra_fields: bool = True
    """Whether fields that the API does not know are let pass."""
    max_output_tokens: int | None = None
    context_tokens: int | None = None
    max_bytes: int = 32_000_000


def fault_in_headers(terms: Terms, headers: Mapping[str, str]) -> Fault | None:
    """401 without the right key, 400 without the API's version."""
    given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
    if terms.api_key is not None and given != terms.api_key:
        return Fault(401, "invalid x-api-key" if given else "x-api-key header is required")
    if "anthropic-version" not in headers:
        return Fault(400, "anthropic-version: header is required")
    return None


def fault_in_body(terms: Terms, body: Mapping[str, Any], *, counting: bool = False) -> Fault | None:
    """The first rule that a body of /v1/messages breaks (`counting`: of /v1/messages/count_tokens)."""
    if message := next(_broken(terms, body, counting), None):
        return Fault(400, message)
    if terms.models is not None and body["model"] not in terms.models:
        return Fault(404, f"model: {body['model']}")
    return None


def _broken(terms: Terms, body: Mapping[str, Any], counting: bool) -> Iterator[str]:
    for name in ("model", "messages", *(() if counting else ("max_tokens",))):
        if name not in body:
            yield f"{name}: Field required"
    if not terms.extra_fields:
        yield from (f"{name}: Extra inputs are not permitted" for name in body if name not in FIELDS)
    if not isinstance(body["model"], str):
        yield "model: Input should be a valid string"
    if not counting:
        yield from _broken_limits(terms, body)
    if not terms.sampling:
        yield from (f"`{name}` is deprecated for this model." for name in SAMPLING if name in body)
    if isinstance(temperature := body.get("temperature"), int | float) and not 0 <= temperature <= 1:
        yield f"temperature: range: 0..1, got {temperature}"
    yield from _broken_messages(body["messages"])
    if not terms.prefill and body["messages"][-1]["role"] == "assistant":
        yield "This model does not support assistant message prefill. The conversation must end with a user message."
    if (found := marks(body)) > 4:
        yield f"A maximum of 4 blocks with cache_control may be provided. Found {found}."
    if terms.context_tokens is not None and (tokens := count_input(body)) > terms.context_tokens:
        yield f"prompt is too long: {tokens} tokens > {terms.context_tokens} maximum"


def _broken_limits(terms: Terms, body: Mapping[str, Any]) -> Iterator[str]:
    limit = body["max_tokens"]
    if not isinstance(limit, int) or isinstance(limit, bool):
        yield "max_tokens: Input should be a valid integer"
    if limit < 1:
        yield "max_tokens: Input should be greater than or equal to 1"
    if terms.max_output_tokens is not None and limit > terms.max_output_tokens:
        yield f"max_tokens: {limit} > {terms.max_output_tokens}, which is the maximum allowed number of output tokens for {body['model']}"
    thinking = body.get("thinking") or {}
    if thinking.get("type") == "enabled":
        if thinking.get("budget_tokens", 0) < 1024:
            yield "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
        if limit <= thinking["budget_tokens"]:
            yield "`max_tokens` must be greater than `thinking.budget_tokens`."


def _broken_messages(messages: Any) -> Iterator[str]:
    if not isinstance(messages, list):
        yield "messages: Input should be a valid list"
    if not messages:
        yield "messages: at least one message is required"
    for position, message in enumerate(messages):
        if not isinstance(message, dict):
            yield f"messages.{position}: Input should be an object"
        for name in ("role", "content"):
            if name not in message:
                yield f"messages.{position}.{name}: Field required"
        role, content = message["role"], message["content"]
        if role == "system":
            yield 'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as an input message role.'
        if role not in ("user", "assistant"):
            yield f'messages: Unexpected role {role!r}. Allowed roles are "user" or "assistant"'
        if not isinstance(content, str | list):
            yield f"messages.{position}.content: Input should be a valid string"
        if not content and not (role == "assistant" and position == len(messages) - 1):
            yield f"messages.{position}: all messages must have non-empty content except for the optional final assistant message"
        if isinstance(content, list) and any(isinstance(block, dict) and block.get("type") == "text" and not block.get("text") for block in content):
            yield "messages: text content blocks must be non-empty"
    if messages[0]["role"] != "user":
        yield 'messages: first message must use the "user" role'
    if messages[-1]["role"] == "assistant" and isinstance(messages[-1]["content"], str) and messages[-1]["content"] != messages[-1]["content"].rstrip():
        yield "messages: final assistant content cannot end with trailing whitespace"


def custom_ids_fault(requests: Any) -> Fault | None:
    """What is wrong with the list of a batch's requests; each one's params are judged only when it is processed, as the API does."""
    if not isinstance(requests, list) or not requests:
        return Fault(400, "requests: List should have at least 1 item after validation, not 0")
    seen: set[str] = set()
    for position, request in enumerate(requests):
        if not isinstance(request, dict) or "custom_id" not in request or not isinstance(request.get("params"), dict):
            missing = "params" if isinstance(request, dict) and "custom_id" in request else "custom_id"
            return Fault(400, f"requests.{position}.{missing}: Field required")
        custom_id = request["custom_id"]
        if not isinstance(custom_id, str) or not CUSTOM_ID.fullmatch(custom_id):
            return Fault(400, f"requests.{position}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
        if custom_id in seen:
            return Fault(400, f"requests.{position}.custom_id: custom_id must be unique within a batch; found duplicate {custom_id!r}")
        seen.add(custom_id)
    return None
