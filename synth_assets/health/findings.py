"""What an examination finds: one thing, well or not, in words, with a remedy where there is something to do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Level", "examined", "fault", "note", "well"]

Level = Literal["well", "note", "fault"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    """A note may be as it should be, and is worth knowing; a fault keeps something from working."""
    subject: str
    """What was looked at: a word or two."""
    what: str
    remedy: str = ""


def well(subject: str, what: str) -> Finding:
    """As it should be."""
    return Finding("well", subject, what)


def note(subject: str, what: str, remedy: str = "") -> Finding:
    """Worth knowing."""
    return Finding("note", subject, what, remedy)


def fault(subject: str, what: str, remedy: str = "") -> Finding:
    """Not as it should be."""
    return Finding("fault", subject, what, remedy)


def examined(subject: str, examination: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of `examination`; an error that it did not foresee is a finding too, and keeps no other examination from its work."""
    try:
        yield from examination()
    except Exception as error:  # noqa: BLE001 - a sick installation may raise anything
        yield fault(subject, f"could not be examined: {type(error).__name__}: {error}")
