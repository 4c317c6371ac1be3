"""Long beginnings that requests have in common, which the endpoint reads once and keeps for the others (Anthropic's prompt caching).

What may be marked is the system message, or it and the first turns. A mark costs a quarter more where nobody comes after it, so that only a
beginning that several requests of one batch share is marked. The first of them goes alone: until it is answered nothing is in the cache.
Invariant: a mark changes what a call costs, never what it asks.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from synth_assets.teacher.messages import Request

__all__ = ["Prefix", "shared_prefixes"]

Prefix = tuple[str, ...]
"""The system message and the first turns; as many of these as its length says, less one."""

LEAST_BYTES = 4096
"""Some 1,024 English tokens, the least that Claude's larger models keep; a model that needs more ignores the mark and charges nothing for it."""


def shared_prefixes(requests: Sequence[Request]) -> list[Prefix | None]:
    """For every request the longest beginning that it shares with another one and that is long enough to be kept; None where there is none."""
    count = Counter(prefix for request in requests for prefix in _prefixes(request))
    return [max((p for p in _prefixes(request) if count[p] > 1), key=len, default=None) for request in requests]


def _prefixes(request: Request) -> Iterable[Prefix]:
    """Beginnings of `request` that are long enough, without its last turn, which is its own."""
    turns = [f"{m.role}\n{m.content}" for m in request.messages[:-1]]
    size = len(request.system.encode("utf-8", "replace"))
    if size + sum(map(len, turns)) * 4 < LEAST_BYTES:
        return
    for length in range(len(turns) + 1):
        size += len(turns[length - 1].encode("utf-8", "replace")) if length else 0
        if size >= LEAST_BYTES:
            yield (request.system, *turns[:length])
