"""Bodies in the API's shapes: messages, completions of the raw-prompt route, errors; ids; token counts.

Ids are digests, so that a run repeated on another port gives the same ones. Tokens are counted as four characters each: what matters
to a client is that the same text always counts the same and that counting and usage agree.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from synth_assets_tests.messages_api.behaviours import Answer, Call, Fault

__all__ = [
    "content_blocks",
    "content_key",
    "count_input",
    "count_tokens",
    "error_body",
    "error_of",
    "fraction",
    "identifier",
    "message_of",
    "reply_body",
    "usage_of",
]

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""Of the API's reference; every other status is an `api_error`."""

_BASE58 = (b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz" * 5)[:256]
"""A letter for each byte."""


def identifier(prefix: str, *parts: object) -> str:
    """An id as the API's: `msg_01` and 22 characters."""
    letters = hashlib.blake2b(repr(parts).encode(), digest_size=22).digest().translate(_BASE58)
    return f"{prefix}_01{letters.decode()}"


def fraction(*parts: object) -> float:
    """A number in [0, 1) that only `parts` decide."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()) / 2**64


def content_key(path: str, body: Mapping[str, Any], ignored: frozenset[str]) -> str:
    """Digest of what is asked, whatever the order of its fields."""
    kept = {name: value for name, value in body.items() if name not in ignored}
    return hashlib.blake2b(f"{path} {json.dumps(kept, sort_keys=True)}".encode(), digest_size=12).hexdigest()


def count_tokens(text: str) -> int:
    return (len(text) + 3) // 4


def count_input(body: Mapping[str, Any]) -> int:
    """Tokens of everything the model reads."""
    messages = body.get("messages") or []
    read = [body.get("system") or "", body.get("prompt") or "", *(body.get("tools") or []), *(message.get("content") for message in messages)]
    return sum(count_tokens(_text(part)) for part in read) + 3 * len(messages)


def _text(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, list):
        return "".join(_text(block) for block in part)
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return str(part["text"])
    return json.dumps(part, sort_keys=True)


def content_blocks(answer: Answer) -> list[dict[str, Any]]:
    if answer.content is not None:
        return list(answer.content)
    thinking = [{"type": "thinking", "thinking": answer.thinking, "signature": "c2ln"}] if answer.thinking else []
    # A refused answer of the API has no text block, nor has an empty one.
    text = [{"type": "text", "text": answer.text}] if answer.text or answer.stop_reason != "refusal" else []
    return [*thinking, *text]


def usage_of(call: Call, answer: Answer, cached: tuple[int, int, int], tier: str) -> dict[str, Any]:
    """`usage` of an answer; `cached` are the tokens read from the prompt cache and those written to it for 5 minutes and for 1 hour."""
    read, short, long = cached
    counted = answer.input_tokens if answer.input_tokens is not None else max(0, count_input(call.body) - read - short - long)
    made = answer.output_tokens if answer.output_tokens is not None else max(1, count_tokens(answer.text) + count_tokens(answer.thinking))
    return {
        "input_tokens": counted,
        "cache_creation_input_tokens": short + long,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
        "output_tokens": made,
        "service_tier": tier,
        **answer.usage,
    }


def message_of(call: Call, answer: Answer, usage: Mapping[str, Any]) -> dict[str, Any]:
    details = {"type": "refusal", "category": None, "explanation": None} if answer.stop_reason == "refusal" else None
    stop_sequences = call.body.get("stop_sequences") or [None]
    return {
        "id": identifier("msg", call.key, call.attempt),
        "type": "message",
        "role": "assistant",
        "model": call.body["model"],
        "content": content_blocks(answer),
        "stop_reason": answer.stop_reason,
        "stop_sequence": stop_sequences[0] if answer.stop_reason == "stop_sequence" else None,
        "stop_details": details,
        "usage": dict(usage),
    }


def reply_body(call: Call, answer: Answer, usage: Mapping[str, Any]) -> bytes:
    """The body of a 200 in the shape of the route that was asked."""
    if call.path == "/completion":
        stop_type = "limit" if answer.stop_reason == "max_tokens" else "eos"
        figures = {"tokens_evaluated": usage["input_tokens"], "tokens_predicted": usage["output_tokens"]}
        return json.dumps({"content": answer.text, "stop": True, "stop_type": stop_type, **figures}).encode()
    if call.path == "/v1/completions":
        choice = {"index": 0, "text": answer.text, "finish_reason": "length" if answer.stop_reason == "max_tokens" else "stop"}
        counted = {"prompt_tokens": usage["input_tokens"], "completion_tokens": usage["output_tokens"]}
        return json.dumps({"object": "text_completion", "choices": [choice], "usage": counted}).encode()
    return json.dumps(message_of(call, answer, usage)).encode()


def error_of(fault: Fault, request_id: str) -> dict[str, Any]:
    error: dict[str, Any] = {"type": fault.kind or ERROR_TYPES.get(fault.status, "api_error"), "message": fault.message}
    if fault.details is not None:
        error["details"] = dict(fault.details)
    return {"type": "error", "error": error, "request_id": request_id}


def error_body(fault: Fault, request_id: str) -> bytes:
    return json.dumps(error_of(fault, request_id)).encode()
