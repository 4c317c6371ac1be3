"""A streamed answer put together again: server-sent events of the Messages API to the message that they make.

Only what the ledger keeps is rebuilt: blocks with their texts, the stop reason, the usage. Invariant: the result is the body that the same
answer would have had without streaming, or StreamBroken is raised.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

__all__ = ["StreamBroken", "assemble"]

_GROWING = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature", "input_json_delta": "partial_json"}


class StreamBroken(Exception):
    """The endpoint reported an error in the middle, or the events end before the message does or make none."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        """The error's type in the API's words; `api_error` where the stream just ended, `malformed` where it was none."""
        self.message = message


async def assemble(lines: AsyncIterator[str]) -> bytes:
    """The message that the lines of one stream make, as JSON.

    Raises:
        StreamBroken: they make none.
    """
    message: dict[str, Any] = {}
    try:
        async for line in lines:
            if not line.startswith("data:"):
                continue
            event = json.loads(line[5:])
            match event["type"]:
                case "message_start":
                    message = event["message"]
                case "content_block_start":
                    message["content"].append(event["content_block"])
                case "content_block_delta":
                    block, delta = message["content"][event["index"]], event["delta"]
                    name = _GROWING.get(delta["type"])
                    if name is not None:
                        block[name] = block.get(name, "") + delta[name]
                case "message_delta":
                    message |= event["delta"]
                    message["usage"] = {**message.get("usage", {}), **(event.get("usage") or {})}
                case "message_stop":
                    return json.dumps(message).encode()
                case "error":
                    raise StreamBroken(str(event["error"]["type"]), str(event["error"]["message"]))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise StreamBroken("malformed", f"an event that makes no message: {error!r}") from None
    raise StreamBroken("api_error" if message else "malformed", "the stream ended before the message did")
