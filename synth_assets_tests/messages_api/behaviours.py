"""What a call is, and what may happen to it: the vocabulary of scripts.

A script is a function from a Call to a Behaviour. It runs on the server's own thread, so it may not wait: a call that is to wait gets
`Slow` (until an event is set) or `Later` (for a time). One that raises is answered with a 500 and raised again when the server closes.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answer", "Behaviour", "Call", "Drop", "Expired", "Fault", "Later", "Raw", "Script", "Slow", "StreamError"]


@dataclass(frozen=True)
class Call:
    """One request as it came in."""

    number: int
    """From 1, in the order of arrival."""
    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    """Names in lower case."""
    key: str = ""
    """Digest of the content: equal for equal content, whenever it comes."""
    attempt: int = 1
    """How often this content was asked, from 1; calls that the rate limit turned away are not counted."""
    custom_id: str = ""
    """Of a request in a batch."""

    @property
    def text(self) -> str:
        """The last message's text, or the raw prompt."""
        messages = self.body.get("messages")
        last = messages[-1] if isinstance(messages, list) and messages else {}
        content = last.get("content", "") if isinstance(last, dict) else ""
        if isinstance(content, list):
            return "".join(str(block.get("text", "")) for block in content if isinstance(block, dict))
        return str(content) if messages else str(self.body.get("prompt", ""))


@dataclass(frozen=True)
class Answer:
    """A message, or on the raw-prompt route a completion."""

    text: str = "An answer."
    stop_reason: str | None = "end_turn"
    thinking: str = ""
    content: tuple[dict[str, Any], ...] | None = None
    """Content blocks in place of those of `thinking` and `text`."""
    input_tokens: int | None = 12
    """None: counted from the request."""
    output_tokens: int | None = 7
    """None: counted from the text and the thinking."""
    usage: Mapping[str, Any] = field(default_factory=dict)
    """More fields of `usage`, over those that the server sets."""


@dataclass(frozen=True)
class Fault:
    """An error in the API's envelope."""

    status: int
    message: str = "scripted"
    headers: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] | None = None
    """`error.details`, such as {"error_code": "enforced_spend_limit_reached"}."""
    kind: str = ""
    """`error.type`; that of the status when empty."""


@dataclass(frozen=True)
class Raw:
    """A 200 whose body is these bytes."""

    body: bytes


@dataclass(frozen=True)
class Drop:
    """A connection that breaks: before the reply, after `after` bytes of its body, or after `after_events` events of a stream."""

    after: int | None = None
    after_events: int | None = None
    reset: bool = False
    """By a TCP reset in place of an orderly end."""


@dataclass(frozen=True)
class StreamError:
    """An error event after `after_events` events of a stream, as a 200 that fails half way sends it; not streamed, that error's status."""

    after_events: int = 3
    status: int = 529
    message: str = "Overloaded"


@dataclass(frozen=True)
class Expired:
    """A request that its batch did not come to in time; outside a batch a 504."""


@dataclass(frozen=True)
class Slow:
    """`then`, once `until` is set."""

    until: threading.Event
    then: "Behaviour" = Answer()


@dataclass(frozen=True)
class Later:
    """`then`, so many seconds after the server's own latency."""

    seconds: float
    then: "Behaviour" = Answer()


Behaviour = str | Answer | Fault | Raw | Drop | StreamError | Expired | Slow | Later
Script = Callable[[Call], Behaviour]
