"""How large a request and its reply are, in tokens, before any tokenizer has seen them: bounds by bytes, and by the domain's own seeds.

The upper bounds are those that the budget reserves: one token per byte of the request as it is sent, and all of `max_tokens` written.
Lower bounds: eight bytes to a token, which is above what any tokenizer packs ordinary text into, and nothing written.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from synth_assets.config import Domain
from synth_assets.forecast.interval import Interval
from synth_assets.teacher.messages import Request
from synth_assets.teacher.prices import TEMPLATE_TOKENS

__all__ = ["LIKELY_RATIO", "Typical", "filler", "read_by", "typical_of"]

LOW_RATIO = 1 / 8
LIKELY_RATIO = {"en": 1 / 4, "zh": 1 / 3.5}
"""Tokens per byte of UTF-8: an English token has some 4 letters, and a Han character, of 3 bytes, is most of one."""
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
    texts = [[request.system, *(message.content for message in request.messages)] for request in requests]
    sizes = [(sum(len(text.encode()) for text in parts), len(parts)) for parts in texts]
    longest = max((len(json.dumps(request.body(), ensure_ascii=False).encode()) for request in requests), default=0)
    if not sizes:
        return Interval(0, 0, 0)
    likely = sum(LIKELY_RATIO[language] * size + TURN_TOKENS * turns for size, turns in sizes) / len(sizes)
    return Interval(LOW_RATIO * min(size for size, _ in sizes), likely, longest + TEMPLATE_TOKENS)


def filler(size: int, number: int = 0) -> str:
    """A text of `size` bytes that reads as words, and is another for every number."""
    head = f"w{number} "
    return (head + "measured " * (size // 9 + 1))[: max(size, len(head))].strip()
