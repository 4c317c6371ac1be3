"""What the server counts: calls by content, answers, statuses, and how many were in flight at once.

`answered` counts whole, well-formed 200s that were written to a connection still open. Whether the client had time to read and keep one
before it was killed only the client's own records can tell.
"""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Content", "Tally"]


@dataclass(slots=True)
class Content:
    """One content's calls."""

    text: str
    attempts: int = 0
    """Those that passed the rate limit."""
    arrived: int = 0
    answered: int = 0
    statuses: dict[str, int] = field(default_factory=dict)


@dataclass
class Tally:
    by_key: dict[str, Content] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    """HTTP statuses; results of batches as `batch_succeeded` and so on; also `dropped`, `abandoned` (the client left first), and 200s that
    went wrong: `malformed`, `stream_error`."""
    routes: Counter[str] = field(default_factory=Counter)
    """Requests by method and route."""
    arrived: int = 0
    answered: int = 0
    rate_limited: int = 0
    """429s of the rate limit, not of a script."""
    in_flight: int = 0
    most_in_flight: int = 0

    def content(self, key: str, text: str) -> Content:
        found = self.by_key.get(key)
        if found is None:
            found = self.by_key[key] = Content(text[:80])
        return found

    def arrival(self, content: Content) -> None:
        self.arrived += 1
        content.arrived += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def outcome(self, content: Content, what: str, *, answered: bool = False) -> None:
        self.in_flight -= 1
        self.statuses[what] += 1
        content.statuses[what] = content.statuses.get(what, 0) + 1
        if answered:
            self.answered += 1
            content.answered += 1

    def batched(self, content: Content, kind: str) -> None:
        """A request that its batch brought to this kind of result."""
        self.statuses[f"batch_{kind}"] += 1
        content.statuses[f"batch_{kind}"] = content.statuses.get(f"batch_{kind}", 0) + 1
        content.answered += kind == "succeeded"

    def told(self, keys: bool) -> dict[str, Any]:
        """For JSON; with `keys`, content by content."""
        figures = {
            "arrived": self.arrived,
            "answered": self.answered,
            "contents": len(self.by_key),
            "answered_again": sum(max(0, content.answered - 1) for content in self.by_key.values()),
            "statuses": dict(self.statuses),
            "rate_limited": self.rate_limited,
            "share_429": self.statuses["429"] / max(1, self.arrived),
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
            "routes": dict(self.routes),
            "cpu_s": time.process_time(),
        }
        if keys:
            figures["by_key"] = {key: {"text": c.text, "arrived": c.arrived, "answered": c.answered, "statuses": c.statuses} for key, c in self.by_key.items()}
        return figures
