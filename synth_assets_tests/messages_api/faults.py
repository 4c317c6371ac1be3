"""Shares of calls that go wrong, chosen by a seed and the call's content and attempt: never by the order of arrival.

So two runs of the same work meet the same faults, whatever their concurrency, and a call asked again has a new chance. Stop reasons and
empty answers depend on the content alone: an answer that was cut off is cut off again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from synth_assets_tests.messages_api.behaviours import Answer, Behaviour, Call, Drop, Fault, Raw, Script, StreamError
from synth_assets_tests.messages_api.bodies import fraction

__all__ = ["BILLING", "CREDIT_TOO_LOW", "MONTHLY_LIMIT", "SPEND_LIMIT", "Mix", "plain_answer"]

CREDIT_TOO_LOW = Fault(400, "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.")
SPEND_LIMIT = Fault(400, "You have reached your specified API usage limits. You will regain access on 2027-01-01 at 00:00 UTC.")
BILLING = Fault(402, "There is an issue with your billing or payment information.")
MONTHLY_LIMIT = Fault(429, "Your organization has reached its monthly API usage limit.", details={"error_code": "enforced_spend_limit_reached"})
"""The one 429 that no waiting helps: without `retry-after`."""


def plain_answer(call: Call) -> Answer:
    """A text that only the content decides, with counted usage."""
    return Answer(f"Answer {call.key} to: {call.text[:200]}", input_tokens=None, output_tokens=None)


@dataclass(frozen=True)
class Mix:
    """A script: `answer`, or a fault; every share is of 1."""

    rate_limited: float = 0.0
    overloaded: float = 0.0
    server_error: float = 0.0
    dropped: float = 0.0
    malformed: float = 0.0
    stream_error: float = 0.0
    max_tokens: float = 0.0
    refusal: float = 0.0
    empty: float = 0.0
    retry_after: str = "1"
    """Of the 429s."""
    faulty_attempts: int = 1_000_000
    """Attempts from which on a content meets no fault any more."""
    seed: int = 0
    answer: Script = plain_answer

    @classmethod
    def load(cls, path: Path, seed: int, answer: Script = plain_answer) -> Self:
        """Of a JSON object of these names; `seed` in the file goes before the argument."""
        given: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if unknown := set(given) - {f.name for f in fields(cls)} | set(given) & {"answer"}:
            raise SystemExit(f"{path}: no such share: {', '.join(sorted(unknown))}")
        return cls(**{"seed": seed, **given}, answer=answer)

    def __call__(self, call: Call) -> Behaviour:
        return (self._fault(call) if call.attempt < self.faulty_attempts else None) or self._stopped(call)

    def _fault(self, call: Call) -> Behaviour | None:
        variant = int(fraction(self.seed, call.key, call.attempt, "variant") * 3)
        faults: tuple[tuple[float, tuple[Behaviour, ...]], ...] = (
            (self.rate_limited, (Fault(429, "This request would exceed your organization's rate limit.", {"retry-after": self.retry_after}),) * 3),
            (self.overloaded, (Fault(529, "Overloaded"),) * 3),
            (self.server_error, (Fault(500, "Internal server error"),) * 3),
            (self.dropped, (Drop(), Drop(after=20, after_events=2), Drop(reset=True))),
            (self.malformed, (Raw(b"<html><body>upstream</body></html>"), Raw(b'{"id": "msg_01", "type": "message", "content": [{"type": "te'), Raw(b"{}"))),
            (self.stream_error, (StreamError(1), StreamError(3), StreamError(5))),
        )
        return _drawn(fraction(self.seed, call.key, call.attempt), [(share, kinds[variant]) for share, kinds in faults])

    def _stopped(self, call: Call) -> Behaviour:
        answer = self.answer(call)
        if isinstance(answer, str):
            answer = Answer(answer, input_tokens=None, output_tokens=None)
        if not isinstance(answer, Answer):
            return answer
        cut = replace(answer, text=answer.text[: len(answer.text) // 2], stop_reason="max_tokens", output_tokens=call.body.get("max_tokens"))
        refused = replace(answer, text="", thinking="", content=(), stop_reason="refusal")
        empty = replace(answer, text="", content=())
        return _drawn(fraction(self.seed, call.key, "stop"), [(self.max_tokens, cut), (self.refusal, refused), (self.empty, empty)]) or answer


def _drawn(at: float, shares: list[tuple[float, Behaviour]]) -> Behaviour | None:
    for share, value in shares:
        if at < share:
            return value
        at -= share
    return None
