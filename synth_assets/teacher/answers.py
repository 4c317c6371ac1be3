"""What came back for one request, read from the endpoint's own JSON. Endpoints are not trusted: any body at all gives an answer or a named failure.

Three dialects: the Messages API (`message_answer`), llama.cpp's `/completion` (`completion_answer`) and vLLM's `/v1/completions`
(`choice_answer`). Invariant: texts that leave here hold no NUL and no lone surrogate, so that they can be stored in SQLite, DuckDB and Parquet.
"""

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["BAD_REQUEST", "MALFORMED", "TEACHER_ERROR", "Answer", "Usage", "choice_answer", "clean", "completion_answer", "excerpt", "message_answer"]

BAD_REQUEST = "bad_request"
"""Failure: the endpoint will not answer this request, whoever asks."""
MALFORMED = "malformed_reply"
"""Failure: the endpoint said 200 and sent something that is no reply."""
TEACHER_ERROR = "teacher_error"
"""Failure: no reply after every retry, although the endpoint answered other requests."""

EVIDENCE_CHARACTERS = 300
MOST_TOKENS = 2**40
"""A larger count is nonsense, and from 2**63 SQLite cannot hold it."""
STOP_REASONS = {"eos": "end_turn", "word": "stop_sequence", "limit": "max_tokens"}
"""llama.cpp's words to the API's."""
FINISH_REASONS = {"stop": "end_turn", "length": "max_tokens"}
"""vLLM's words to the API's."""


@dataclass(frozen=True)
class Usage:
    """Tokens of one call, as the endpoint counted them."""

    input: int
    """Read at the full price."""
    output: int
    """Written, thinking included."""
    cache_write: int = 0
    """Read, and stored in the endpoint's prompt cache."""
    cache_read: int = 0
    """Read from that cache."""

    @property
    def read(self) -> int:
        """The whole prompt."""
        return self.input + self.cache_write + self.cache_read


@dataclass(frozen=True)
class Answer:
    """One body that an endpoint sent, and what it says."""

    raw: str
    """The body as it was sent; of a stream, the message that its events make."""
    text: str = ""
    thinking: str = ""
    stop_reason: str = "failed"
    usage: Usage | None = None
    """None where the endpoint did not count."""
    failure: str = ""
    evidence: str = ""
    """Why it is a failure."""


def clean(text: str) -> str:
    """`text` without what no file can hold: NULs and lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def excerpt(text: str) -> str:
    """The beginning of `text` on one line, as evidence."""
    return clean(" ".join(text.split()))[:EVIDENCE_CHARACTERS]


def message_answer(body: bytes) -> Answer:
    """Read a body of `/v1/messages`: all text blocks joined, thinking apart, any stop reason kept under its own name."""
    data, raw = _load(body)
    try:
        blocks = data["content"]
        text = "".join(block["text"] for block in blocks if block["type"] == "text")
        thinking = "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
        reason = data["stop_reason"]
        counted = data.get("usage")
        usage = counted and Usage(*(_count(counted.get(name)) for name in _USAGE))
        return Answer(raw, clean(text), clean(thinking), clean(reason or "no_stop_reason"), usage or None)
    except _WRONG:
        return _malformed(raw, "no message with content and stop_reason")


def completion_answer(body: bytes) -> Answer:
    """Read a body of llama.cpp's `/completion`."""
    data, raw = _load(body)
    try:
        reason = STOP_REASONS.get(data["stop_type"], data["stop_type"])
        return Answer(raw, clean(data["content"]), "", clean(reason), Usage(_count(data["tokens_evaluated"]), _count(data["tokens_predicted"])))
    except _WRONG:
        return _malformed(raw, "no completion with content and stop_type")


def choice_answer(body: bytes) -> Answer:
    """Read a body of `/v1/completions`, as vLLM and others send it."""
    data, raw = _load(body)
    try:
        (choice,) = data["choices"]
        reason = FINISH_REASONS.get(choice["finish_reason"], choice["finish_reason"])
        counted = data.get("usage")
        usage = counted and Usage(_count(counted.get("prompt_tokens")), _count(counted.get("completion_tokens")))
        return Answer(raw, clean(choice["text"]), "", clean(reason or "no_stop_reason"), usage or None)
    except _WRONG:
        return _malformed(raw, "no completion with one choice")


_USAGE = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_WRONG = (ValueError, KeyError, TypeError, AttributeError)


def _load(body: bytes) -> tuple[Any, str]:
    try:
        return json.loads(body), clean(body.decode("utf-8", "backslashreplace"))
    except (ValueError, RecursionError):
        return None, clean(body.decode("utf-8", "backslashreplace"))


def _malformed(raw: str, missing: str) -> Answer:
    return Answer(raw, failure=MALFORMED, evidence=f"{missing}: {excerpt(raw)}" if raw.strip() else "an empty body")


def _count(value: object) -> int:
    number = value or 0
    if not isinstance(number, int) or not 0 <= number <= MOST_TOKENS:
        raise ValueError(value)
    return number
