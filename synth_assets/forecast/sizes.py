"""How large a request and its reply are, in tokens, before any tokenizer has seen them: bounds by bytes, and by the domain's own seeds.

The upper bounds are those that the budget reserves: one token per byte of the request as it is sent, and all of `max_tokens` written.
Lower bounds: eight bytes to a token, which is above what any tokenizer packs ordinary text into, and nothing written.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from synth_assets.config import Domain
from synth_assets.forecast.interval import NOTHING, Interval
from synth_assets.teacher.messages import Request
from synth_assets.teacher.prices import TEMPLATE_TOKENS

__all__ = ["LIKELY_RATIO", "WORKING", "Typical", "filler", "likely_tokens", "read_by", "typical_of"]

LOW_RATIO = 1 / 8
LIKELY_RATIO = {"en": 1 / 4, "zh": 1 / 3.5}
"""Tokens per byte of UTF-8: an English token has some 4 letters, and a Han character, of 3 bytes, is most of one."""
WORKING = 2.0
"""Tokens of a trace as a multiple of a seed's response, where no earlier run says it."""
TURN_TOKENS = 4
"""What a chat template puts around a turn."""


@dataclass(frozen=True)
class Typical:
    """What texts of a domain have, in tokens, as its seeds show; and the bytes of its shortest and longest instructions."""

    instruction: float
    response: float
    shortest: int
    longest: int


def typical_of(domain: Domain, seeds: Sequence[tuple[str, str]]) -> Typical:
    """From (instruction with input, response) of every seed."""
    asked = [len(instruction.encode()) for instruction, _ in seeds]
    told = [len(response.encode()) for _, response in seeds]
    ratio = LIKELY_RATIO[domain.language]
    return Typical(ratio * sum(asked) / max(1, len(asked)), ratio * sum(told) / max(1, len(told)), min(asked, default=1), max(asked, default=1))


def read_by(requests: Sequence[Request], language: str) -> Interval:
    """Input tokens of one of `requests`: of the shortest, the average, and the longest."""
    if not requests:
        return NOTHING
    texts = [[request.system, *(message.content for message in request.messages)] for request in requests]
    longest = max(len(json.dumps(request.body(), ensure_ascii=False).encode()) for request in requests)
    likely = sum(likely_tokens(parts, language) for parts in texts) / len(texts)
    return Interval(LOW_RATIO * min(_bytes(parts) for parts in texts), likely, longest + TEMPLATE_TOKENS)


def likely_tokens(texts: Sequence[str], language: str) -> float:
    """Tokens of a request's system message and turns, as a tokenizer is likely to count them."""
    return LIKELY_RATIO[language] * _bytes(texts) + TURN_TOKENS * len(texts)


def _bytes(texts: Sequence[str]) -> int:
    return sum(len(text.encode("utf-8", "replace")) for text in texts)


def filler(size: int, number: int = 0) -> str:
    """A text of `size` bytes that reads as words, and is another for every number."""
    head = f"w{number} "
    return (head + "measured " * (size // 9 + 1))[: max(size, len(head))].strip()
