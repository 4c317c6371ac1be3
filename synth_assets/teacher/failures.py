"""What an unsuccessful call means: ask again, give this request up, or stop altogether with the remedy.

Invariant: only what a repetition may cure is `Transient`; what no repetition cures stops at the first sight of it.
"""

import json
import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from synth_assets.errors import TeacherRefusedAccess, TeacherStopped, TeacherUnavailable
from synth_assets.teacher.answers import excerpt
from synth_assets.teacher.endpoint import Endpoint

__all__ = ["Patience", "Transient", "of_connection", "of_status", "of_stream", "retry_after_s", "said_of_failure"]

PASSING = frozenset({408, 409, 425, 429})
LOST = frozenset({408, 502, 504, 520, 524})
"""Of something between that gave up on the endpoint: the answer may have been written, and billed."""
OF_THE_REQUEST = frozenset({400, 413, 422})
REMEDIES = {
    401: "The key was refused: check ANTHROPIC_API_KEY.",
    402: "The account must be paid first: see the provider's console.",
    403: "The key may not do this: check its permissions, or ANTHROPIC_BASE_URL.",
    404: "The endpoint does not know this model or path: check SYNTH_TEACHER and ANTHROPIC_BASE_URL.",
    429: "A spending limit is reached: raise it in the provider's console, or wait for the next month.",
}
SPEND_SIGNS = ("credit balance", "usage limits", "spend limit")
"""Claude's API reports an empty account and a reached limit in the form of a bad request."""
OF_EVENTS = {"rate_limit_error": 429, "overloaded_error": 529, "api_error": 500, "timeout_error": 504}
"""Statuses of errors that come in the middle of a stream, when the status line has gone out."""


class Transient(Exception):
    """The call failed, and asking again may help."""

    def __init__(self, message: str, *, status: int = 0, retry_after_s: float | None = None, maybe_paid: bool) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status; 0 where the connection failed."""
        self.retry_after_s = retry_after_s
        self.maybe_paid = maybe_paid
        """Whether the endpoint may have answered, and charged for it, although nobody saw the answer."""
        self.headers: Mapping[str, str] = {}
        """What the endpoint said beside it."""


@dataclass(frozen=True)
class Patience:
    """Tries of one call, and the seconds between them."""

    attempts: int = 6
    shortest_s: float = 0.1
    """Least upper end of the first wait; an endpoint that takes longer to answer is given its own time."""
    longest_s: float = 30.0
    longest_asked_s: float = 120.0
    """An endpoint that asks for a longer pause is not there today: the run stops and says so."""

    def delay_s(self, failed: int, asked_s: float | None, latency_s: float) -> float:
        """Seconds to wait after the `failed`th failure in a row of one call: at least what the endpoint asked for, and then full jitter.

        The jitter's upper end doubles with every failure, from the endpoint's usual latency (at most 1 s): full jitter spreads out the
        callers that one overload turned away together (Brooker, AWS Architecture Blog, 2015).
        """
        first = 0.0 if self.shortest_s == 0 else min(max(latency_s, self.shortest_s), 1.0)
        return (asked_s or 0.0) + random.uniform(0, min(self.longest_s, first * 2 ** (failed - 1)))  # noqa: S311 - jitter


def of_connection(error: BaseException, endpoint: Endpoint) -> Transient:
    """A connection that was refused, dropped or timed out, before or within the answer."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    said = str(chain[-1]) or type(chain[-1]).__name__
    message = endpoint.secrets.scrub(excerpt(f"{type(chain[-1]).__name__}: {said}"), shapes=True)
    return Transient(message, maybe_paid=not any(isinstance(link, _never_sent()) for link in chain))


def _never_sent() -> tuple[type[BaseException], ...]:
    """Errors after which nothing has left this machine."""
    import aiohttp
    import httpx2

    return (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, ConnectionRefusedError, httpx2.ConnectError, httpx2.ConnectTimeout)


def of_status(status: int, headers: Mapping[str, str], body: bytes, endpoint: Endpoint) -> Transient | TeacherStopped | None:
    """What a status other than 200 means; None where just this request is refused."""
    said, code = said_of_failure(body)
    meaning = _meaning(status, endpoint.secrets.scrub(excerpt(said), shapes=True), headers, endpoint, code)
    if isinstance(meaning, Transient):
        meaning.headers = headers
    return meaning


def said_of_failure(body: bytes) -> tuple[str, str]:
    """Message and `error.details.error_code` of the API's error envelope; of any other body its text, and no code."""
    text = body.decode("utf-8", "replace").strip()
    try:
        error = json.loads(text)["error"]
        details = error.get("details")
        return f"{error['type']}: {error['message']}", str(details.get("error_code") or "") if isinstance(details, dict) else ""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return text or "no message", ""


def of_stream(kind: str, message: str, endpoint: Endpoint) -> Transient | TeacherStopped | None:
    """What an error event in the middle of a stream means. What was written until then may have been billed."""
    said = endpoint.secrets.scrub(excerpt(message), shapes=True)
    meaning = _meaning(OF_EVENTS.get(kind, 400), f"{kind}: {said}", {}, endpoint)
    if isinstance(meaning, Transient):
        meaning.maybe_paid = True
    return meaning


def _meaning(status: int, said: str, headers: Mapping[str, str], endpoint: Endpoint, code: str = "") -> Transient | TeacherStopped | None:
    spent = code.endswith("spend_limit_reached") or any(sign in said for sign in SPEND_SIGNS)
    if status in OF_THE_REQUEST and not spent:
        return None
    passing = (status in PASSING or status >= 500) and not spent and headers.get("x-should-retry") != "false"
    words = f"{status} from {endpoint.identity}: {said}"
    if passing:
        asked = retry_after_s(headers)
        if asked is not None and asked > Patience.longest_asked_s:
            return TeacherUnavailable(f"{endpoint.identity} asks for a pause of {asked:.0f} s: {said}. Run again after it.")
        return Transient(words, status=status, retry_after_s=asked, maybe_paid=status in LOST)
    moved = "The endpoint has moved: set ANTHROPIC_BASE_URL to its new address."
    remedy = REMEDIES.get(402 if spent and status != 429 else status, moved if status < 400 else "The endpoint refuses this for good: see its message.")
    return TeacherRefusedAccess(f"{words}. {remedy}")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that the endpoint asks to wait, which it writes as a number or a date; None where it does not say."""
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
