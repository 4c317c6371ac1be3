"""When a call whose failure may pass is tried again: full jitter up to a doubling limit, after what the endpoint asked for.

The delays are values of the teacher, so that tests and users behind a gateway can choose them.
"""

import math
import random
from dataclasses import dataclass

__all__ = ["Backoff", "seconds_asked"]


@dataclass(frozen=True)
class Backoff:
    """Tries of one call, and the seconds between them. With the defaults five waits take 15 s on average, 31 s at most."""

    attempts: int = 6
    first: float = 0.5
    """Half of the longest first wait: enough for a burst to pass."""
    longest: float = 30.0
    """Limit of the jitter."""
    longest_asked: float = 120.0
    """An endpoint that asks for a longer pause is not there today: the run stops and says so."""

    def delay(self, attempt: int, asked: float = 0.0) -> float:
        """Seconds to wait after the failed try `attempt` (from 1): never less than `asked`, and not in step with other calls."""
        return asked + random.uniform(0, min(self.longest, self.first * 2**attempt))  # noqa: S311 - jitter


def seconds_asked(retry_after: str | None) -> float:
    """Seconds in a `retry-after` header; 0 where there are none (a date is taken as none: jitter covers it)."""
    try:
        asked = float(retry_after or 0.0)
    except ValueError:
        return 0.0
    return asked if math.isfinite(asked) and asked > 0 else 0.0
