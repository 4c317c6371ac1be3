"""Verdicts as JSON Lines: out for a colleague or a backup, and in again, every bad line named.

One entry per line, with the names of `reviews`; undone verdicts and their undoing go along, so that what stands is the same everywhere. Invariant: a file is
imported whole or not at all, and importing it twice changes nothing.
"""

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from synth_assets.errors import Problem, ReviewError
from synth_assets.faults import Fault, broken
from synth_assets.records import read_records
from synth_assets.review.reasons import BY_NAME
from synth_assets.review.standing import Entry
from synth_assets.review.verdicts import Verdicts

__all__ = ["VerdictRecord", "export_verdicts", "import_verdicts"]


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.astimezone(UTC).isoformat(timespec="microseconds") != text:
        raise broken([Fault((), f"{text[:40]!r} is no moment in UTC", "write it as 2026-01-31T12:00:00.000000+00:00")])
    return text


def _content(text: str) -> str:
    if len(text) != 32 or not set(text) <= set("0123456789abcdef"):
        raise broken([Fault((), f"{text[:40]!r} is no content key", "keep it as it was exported: 32 hexadecimal digits")])
    return text


def _reason(text: str) -> str:
    if text and text not in BY_NAME:
        raise broken([Fault((), f"{text[:40]!r} is no reason", f"write one of {', '.join(BY_NAME)}, or leave it empty")])
    return text


Moment = Annotated[str, AfterValidator(_moment)]


class VerdictRecord(BaseModel):
    """One line: an `Entry`. Texts stay as they are, white space included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    content_key: Annotated[str, AfterValidator(_content)]
    row_id: str = Field(min_length=1, max_length=100)
    domain: str = Field(min_length=1, max_length=100)
    reviewer: str = Field(min_length=1, max_length=100)
    verdict: Literal["accept", "reject", "fix", "undo"]
    reviewed_at: Moment
    reason: Annotated[str, AfterValidator(_reason)] = ""
    note: str = Field(default="", max_length=4000)
    corrected: str = ""
    undoes: Moment | Literal[""] = ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        faults = []
        if self.verdict == "reject" and not self.reason:
            faults.append(Fault(("reason",), "a rejection without a reason", f"write one of {', '.join(BY_NAME)}"))
        for verdict, name, value in (("fix", "corrected", self.corrected), ("undo", "undoes", self.undoes)):
            if self.verdict == verdict and not value.strip():
                faults.append(Fault((name,), f"verdict {verdict} without {name}", f"write {name} as it was exported"))
            elif self.verdict != verdict and value:
                faults.append(Fault((name,), f"{name} beside verdict {self.verdict}", f"leave {name} empty, or write verdict {verdict}"))
        if faults:
            raise broken(faults)
        return self


def export_verdicts(store: Verdicts, path: Path) -> int:
    """Write all entries to `path`, whole or not at all; returns how many."""
    entries = store.entries()
    text = "".join(json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in entries)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise ReviewError(f"{path} cannot be written: {error.strerror}. Name a file in a folder that you can write to.") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return len(entries)


def import_verdicts(store: Verdicts, path: Path) -> tuple[int, int]:
    """Add the entries of `path`; returns how many were new, and how many were here already.

    Raises:
        ReviewError: the file cannot be read, or lines of it are no verdicts: each is named with its line, and nothing is imported.
    """
    records, problems = read_records(path, VerdictRecord)
    problems += _repeated(path, records)
    if problems:
        raise ReviewError("nothing was imported:\n" + "\n".join(f"  {problem}" for problem in problems))
    added = store.add([Entry(**record.model_dump()) for _, record in records])
    return added, len(records) - added


def _repeated(path: Path, records: list[tuple[int, VerdictRecord]]) -> list[Problem]:
    """Lines that speak of the same entry as an earlier line, in other words."""
    seen: dict[tuple[str, str, str], tuple[int, VerdictRecord]] = {}
    problems: list[Problem] = []
    for line, record in records:
        first, other = seen.setdefault((record.content_key, record.reviewer, record.reviewed_at), (line, record))
        if other != record:
            problems.append(Problem(path, line, f"differs from line {first}, which is the same reviewer's entry of the same moment", "keep one of the two"))
    return problems
