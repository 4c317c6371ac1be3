"""An answer as the server-sent events that the API streams.

The order is the API's: message_start, then for each block its start, deltas and stop (a ping after the first start), message_delta with
the stop reason and the final usage, message_stop. The events of one message put together are that message.
"""

import json
from collections.abc import Mapping
from typing import Any

from synth_assets_tests.messages_api.behaviours import Fault
from synth_assets_tests.messages_api.bodies import error_of

__all__ = ["error_event", "event", "events_of"]

PIECE = 24
"""Characters in a delta."""


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def error_event(fault: Fault, request_id: str) -> bytes:
    return f"event: error\ndata: {json.dumps(error_of(fault, request_id))}\n\n".encode()


def _block(index: int, block: Mapping[str, Any]) -> list[bytes]:
    kind = block["type"]
    start: dict[str, Any]
    if kind == "text":
        start, deltas = {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
    elif kind == "thinking":
        start = {"type": "thinking", "thinking": "", "signature": ""}
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"])]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    elif kind == "tool_use":
        start = {**block, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *_pieces(json.dumps(block["input"]))]]
    else:
        start, deltas = dict(block), []
    return [
        event("content_block_start", index=index, content_block=start),
        *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
        event("content_block_stop", index=index),
    ]


def _pieces(text: str) -> list[str]:
    return [text[start : start + PIECE] for start in range(0, len(text), PIECE)]


def events_of(message: Mapping[str, Any]) -> list[bytes]:
    """The events of a message, each with its name and the blank line at its end."""
    usage = message["usage"]
    started = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None, "usage": {**usage, "output_tokens": 1}}
    blocks = [piece for index, block in enumerate(message["content"]) for piece in _block(index, block)]
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    stopped = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    ended = event("message_delta", delta=stopped, usage={name: usage[name] for name in names})
    return [event("message_start", message=started), *blocks[:1], event("ping"), *blocks[1:], ended, event("message_stop")]
