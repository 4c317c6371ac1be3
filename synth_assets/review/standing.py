"""What verdicts amount to: entries in, the verdict that stands per content out.

An entry is never changed. A reviewer's newest entry that was not undone stands; of several reviewers the strictest stands (reject, then fix, then
accept), since a defect that one person saw is there, whatever another one overlooked. A verdict belongs to the content that was seen, within its
domain. Invariant: the order in which entries are given does not matter.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from synth_assets.accounts import Row
from synth_assets.quality.statistics import Agreement, agreement

__all__ = ["VERDICTS", "Entry", "agreements", "by_reviewer", "fixes", "strictest", "verdicts"]

VERDICTS = ("reject", "fix", "accept")
"""The strictest first."""

Content = tuple[str, str]
"""Domain and content key."""


@dataclass(frozen=True)
class Entry:
    """One verdict, or the undoing of one: a row of `reviews`."""

    content_key: str
    row_id: str
    domain: str
    reviewer: str
    verdict: str
    """accept, reject, fix, or undo."""
    reviewed_at: str
    """ISO 8601, UTC, microseconds: with content and reviewer it tells entries apart."""
    reason: str = ""
    """A name of `reasons`; empty where none was given."""
    note: str = ""
    corrected: str = ""
    """For a fix the whole answer as it should be."""
    undoes: str = ""
    """For an undo the `reviewed_at` of the entry that it takes back."""

    @classmethod
    def of(cls, row: Row) -> "Entry":
        """An entry from a row of a table, whose empty texts may be null."""
        return cls(**{name: row[name] or "" for name in cls.__dataclass_fields__})


def by_reviewer(entries: Iterable[Entry]) -> dict[Content, dict[str, Entry]]:
    """Per content the entry that stands of each reviewer; contents without any are left out."""
    entries = sorted(entries, key=lambda e: e.reviewed_at)
    undone = {(e.domain, e.content_key, e.reviewer, e.undoes) for e in entries if e.verdict == "undo"}
    found: dict[Content, dict[str, Entry]] = {}
    for entry in entries:
        if entry.verdict != "undo" and (entry.domain, entry.content_key, entry.reviewer, entry.reviewed_at) not in undone:
            found.setdefault((entry.domain, entry.content_key), {})[entry.reviewer] = entry
    return found


def strictest(entries: Iterable[Entry]) -> dict[Content, Entry]:
    """Per content the entry that stands of all reviewers: the strictest verdict, of equal ones the newest."""
    return {
        content: min(sorted(own.values(), key=lambda e: (e.reviewed_at, e.reviewer), reverse=True), key=lambda e: VERDICTS.index(e.verdict))
        for content, own in by_reviewer(entries).items()
    }


def verdicts(entries: Iterable[Entry], domain: str) -> dict[str, str]:
    """The verdict that stands by content key, in one domain."""
    return {key: entry.verdict for (place, key), entry in strictest(entries).items() if place == domain}


def fixes(entries: Iterable[Entry], domain: str) -> dict[str, str]:
    """The corrected answer by content key, where a fix stands in one domain."""
    return {key: entry.corrected for (place, key), entry in strictest(entries).items() if place == domain and entry.verdict == "fix"}


def agreements(standing: Mapping[Content, Mapping[str, Entry]]) -> dict[tuple[str, str], Agreement]:
    """How far each two reviewers agree on the contents that both judged; pairs that share none are left out."""
    names = sorted({name for own in standing.values() for name in own})
    found: dict[tuple[str, str], Agreement] = {}
    for place, left in enumerate(names):
        for right in names[place + 1 :]:
            both = [(own[left].verdict, own[right].verdict) for own in standing.values() if left in own and right in own]
            if both:
                found[left, right] = agreement([a for a, _ in both], [b for _, b in both])
    return found
