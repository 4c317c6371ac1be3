"""What an endpoint tells of its limits in the headers of its answers, and how many calls a second that allows.

A limit is a bucket that fills steadily (Anthropic's documentation of its rate limits): the headers tell its size and what is left in it. What
was taken out of it between two looks, and how much the rest changed, give the speed at which it fills; calls go out at that speed, and faster
or slower by what is above or below a reserve, so that the bucket never runs empty and no call is turned away.
Invariant: pure; what headers do not tell, or tell as rubbish, limits nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["RESOURCES", "Level", "Used", "allowed", "exhausted_s", "note", "scarce"]

RESOURCES = ("requests", "input-tokens", "output-tokens")
_PREFIX = "anthropic-ratelimit-"
Used = tuple[float, float, float]
"""What one call took out of each of RESOURCES."""

RESERVE = 0.3
"""Share of a bucket that is left in it, for callers on other machines and for calls on their way."""
SPEND_S = 4.0
"""Within how long what is above the reserve is used up, or what is below is filled up."""
SLOWEST = 0.5
"""Of the speed at which the bucket fills: the least that calls are slowed down to."""
GROWTH = 1.25
"""Of what a bucket gave that stays full: how fast it fills is not known then."""
FULL = 0.95
"""Share from which a bucket may have overflowed between two looks: then it fills at least as fast as it seems."""


@dataclass
class Level:
    """One bucket, as its headers told it."""

    size: float = 0.0
    """0 where nothing was told."""
    left: float = 0.0
    before: float = 0.0
    """What was left at the last look."""
    used: float = 0.0
    """Since the last look."""
    fills: float = 0.0
    """Units per second; 0 while unknown."""


def note(levels: Sequence[Level], headers: Mapping[str, str], used: Used) -> None:
    """Take in what one answer told, and what its call took. When a bucket will be full gives the first guess of how fast it fills."""
    for level, resource, amount in zip(levels, RESOURCES, used, strict=True):
        level.used += amount
        told = _read(headers, resource)
        if told is None:
            continue
        size, level.left, full_in_s = told
        if size != level.size:
            level.size, level.before, level.used, level.fills = size, level.left, amount, 0.0
        if not level.fills:
            # Told in whole seconds, rounded up: too low rather than too high.
            level.fills = (size - level.left) / max(full_in_s, 1.0)


def _read(headers: Mapping[str, str], resource: str) -> tuple[float, float, float] | None:
    """(size, left, seconds until full) of one of RESOURCES; None where the headers do not tell."""
    try:
        size, left = (float(headers[f"{_PREFIX}{resource}-{what}"]) for what in ("limit", "remaining"))
        return (size, min(left, size), _until(headers[f"{_PREFIX}{resource}-reset"])) if 0 < size < math.inf and left >= 0 else None
    except (KeyError, ValueError, TypeError):
        return None


def _until(moment: str) -> float:
    return (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds()


def scarce(levels: Sequence[Level], calls: float, out: float) -> float:
    """Where what is left may not do for the calls that are `out`: calls per second by the speed at which it fills, or infinite where it does.

    `calls` is what was answered since the last look.
    """
    each = [level.used / calls if calls else 0.0 for level in levels]
    return min((level.fills / e for level, e in zip(levels, each, strict=True) if level.size and e and level.left <= out * e), default=math.inf)


def allowed(levels: Sequence[Level], calls: float, seconds: float) -> float:
    """Calls per second, after `calls` of them in the `seconds` since the last look; infinite where nothing was told. It is the next look."""
    rate = math.inf
    for level in levels:
        if not level.size:
            continue
        if level.used and calls and seconds > 0:
            each = level.used / calls
            fills = max(0.0, (level.used + level.left - level.before) / seconds)
            overflowed = max(level.left, level.before) + each >= FULL * level.size
            level.fills = max(level.fills, fills) if overflowed else (level.fills + fills) / 2 if level.fills else fills
            units = max(level.fills + (level.left - RESERVE * level.size) / SPEND_S, SLOWEST * level.fills)
            rate = min(rate, max(units, GROWTH * fills if overflowed else 0.0) / each)
        level.before, level.used = level.left, 0.0
    return rate


def exhausted_s(levels: Sequence[Level], headers: Mapping[str, str]) -> float:
    """Seconds until a limit that is used up is filled again; 0 where none is, or where the speed at which it fills is known."""
    longest = 0.0
    known = {f"{_PREFIX}{resource}-remaining" for resource, level in zip(RESOURCES, levels, strict=True) if level.fills}
    for name, value in headers.items():
        if value == "0" and name.startswith(_PREFIX) and name.endswith("-remaining") and name not in known:
            try:
                longest = max(longest, _until(headers[name.removesuffix("remaining") + "reset"]))
            except (KeyError, ValueError, TypeError):
                continue
    return longest
