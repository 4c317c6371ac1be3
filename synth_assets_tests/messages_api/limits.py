"""A rate limit as the API has it: buckets that fill continuously, real 429s with `retry-after`, and headers that tell the level.

The headers describe the very bucket that decides: `limit` is its size, `remaining` its level, `reset` (RFC 3339, whole seconds, rounded up)
when it is full again. A call that is turned away takes nothing.
"""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from synth_assets_tests.messages_api.behaviours import Fault

__all__ = ["Bucket", "RateLimit"]


@dataclass
class Bucket:
    per_second: float
    size: float
    level: float = field(init=False)
    _at: float | None = None

    def __post_init__(self) -> None:
        self.level = self.size

    def fill(self, now: float) -> None:
        if self._at is not None:
            self.level = min(self.size, self.level + (now - self._at) * self.per_second)
        self._at = now

    def missing_s(self, wanted: float) -> float:
        """Seconds until `wanted` is there; 0 if it is."""
        return max(0.0, (min(wanted, self.size) - self.level) / self.per_second)

    def headers(self, name: str) -> dict[str, str]:
        reset = datetime.now(UTC) + timedelta(seconds=math.ceil((self.size - self.level) / self.per_second))
        return {
            f"anthropic-ratelimit-{name}-limit": str(int(self.size)),
            f"anthropic-ratelimit-{name}-remaining": str(int(self.level)),
            f"anthropic-ratelimit-{name}-reset": reset.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


class RateLimit:
    """Requests and input tokens per second, either of them optional; `burst_s` seconds' worth may come at once."""

    def __init__(self, requests_per_second: float | None = None, tokens_per_second: float | None = None, burst_s: float = 1.0) -> None:
        self.requests = Bucket(requests_per_second, max(1.0, requests_per_second * burst_s)) if requests_per_second else None
        self.tokens = Bucket(tokens_per_second, max(1.0, tokens_per_second * burst_s)) if tokens_per_second else None

    def take(self, now: float, tokens: int) -> Fault | None:
        """Take one request of so many input tokens, or say how long to wait for it."""
        wanted = [(bucket, amount, name) for bucket, amount, name in ((self.requests, 1, "requests"), (self.tokens, tokens, "input tokens")) if bucket]
        for bucket, _, _ in wanted:
            bucket.fill(now)
        for bucket, amount, name in wanted:
            if (wait := bucket.missing_s(amount)) > 0:
                return Fault(429, f"This request would exceed your organization's rate limit of {name}.", {"retry-after": str(max(1, math.ceil(wait)))})
        for bucket, amount, _ in wanted:
            bucket.level -= min(amount, bucket.size)
        return None

    def headers(self) -> dict[str, str]:
        requests = self.requests.headers("requests") if self.requests else {}
        tokens = {**self.tokens.headers("tokens"), **self.tokens.headers("input-tokens")} if self.tokens else {}
        return {**requests, **tokens}
