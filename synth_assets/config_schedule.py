"""The section of a domain file that says when its nightly run starts: five cron fields and a time zone.

Whatever this accepts, Dagster's scheduler accepts; it knows more forms (seconds, hashes, the last Friday), which nobody needs here. Nothing here
imports Dagster, and the only files that are read are those of the time zones.
"""

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from synth_assets.config_mix import Section
from synth_assets.faults import Fault, broken, quoted

__all__ = ["Schedule"]

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 6))
_PART = re.compile(r"(\*|\d{1,2}|\d{1,2}-\d{1,2})(/\d{1,2})?", re.ASCII)
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EXAMPLE = "write five fields, such as '30 2 * * *' for half past two every night"


class Schedule(Section):
    """When the domain is run while its schedule is switched on."""

    cron: str = Field(default="0 2 * * *", max_length=100, description="Minute, hour, day of month, month, day of week (0 is Sunday).")
    timezone: str = Field(default="UTC", max_length=64, description="A name of the IANA time zones, such as Europe/Berlin.")

    @field_validator("cron")
    @classmethod
    def _ticks(cls, cron: str) -> str:
        parts = cron.split()
        if len(parts) != len(_FIELDS):
            raise broken([Fault((), f"cron {quoted(cron)} has {len(parts)} fields", _EXAMPLE)])
        for part, (name, low, high) in zip(parts, _FIELDS, strict=True):
            for item in part.split(","):
                if why := _fault(item, low, high):
                    raise broken([Fault((), f"cron {quoted(cron)}: {name} {quoted(item)} {why}", _EXAMPLE)])
        if parts[4] == "*" and not _reachable(parts[2], parts[3]):
            raise broken([Fault((), f"cron {quoted(cron)} never comes: no such day in these months", _EXAMPLE)])
        return " ".join(parts)

    @field_validator("timezone")
    @classmethod
    def _known(cls, timezone: str) -> str:
        try:
            ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            remedy = "write an IANA name, such as UTC, Europe/Berlin or Asia/Shanghai"
            raise broken([Fault((), f"there is no time zone {quoted(timezone)}", remedy)]) from None
        return timezone


def _fault(item: str, low: int, high: int) -> str | None:
    """What is wrong with one item of a cron field, or None."""
    if not (found := _PART.fullmatch(item)):
        return "is not a number, a range, * or one of these with a step"
    numbers = [int(number) for number in found[1].split("-")] if found[1] != "*" else []
    if any(not low <= number <= high for number in numbers):
        return f"is outside {low} to {high}"
    if len(numbers) == 2 and numbers[0] > numbers[1]:
        return "ends before it begins"
    if found[2] and len(numbers) == 1:
        return "has a step, and no range that it goes through"
    if found[2] and not 1 <= int(found[2][1:]) <= high:
        return f"has a step outside 1 to {high}"
    return None


def _reachable(days: str, months: str) -> bool:
    """Whether any of `months` has one of `days`."""
    first_day = min(int(re.split("[-/]", item)[0]) if item[0] != "*" else 1 for item in days.split(","))
    named = [
        range(1, 13) if item[0] == "*" else range(int(re.split("[-/]", item)[0]), int(item.split("/")[0].split("-")[-1]) + 1) for item in months.split(",")
    ]
    return any(first_day <= _DAYS[month - 1] for group in named for month in group)
