"""Every error that synth_assets raises on purpose.

    SynthError
    ├── ConfigError           a domain, seed or data file is wrong: file, line, remedy
    ├── WarehouseError        the DuckDB file cannot be used
    │   ├── WarehouseBusy     another process holds it past the time limit
    │   └── WarehouseVersion  the file is newer than this code
    ├── UpstreamNotPassed     an input slice is missing, or its blocking checks did not pass
    ├── StageFailed           a stage made nothing that can go on, and says why
    ├── ReviewError           the verdicts of people, or the page for them, cannot be used
    ├── NotOneRow             a question about one row fits none, or several
    ├── ScreenError           a file cannot be screened: what is wrong with it or with the command, and the remedy
    ├── MissingExtra          a package of an optional extra is needed, and is not installed
    ├── LedgerError           the ledger of teacher calls cannot be used
    ├── LanguageUnsupported   the teacher does not know the language of this domain
    └── TeacherStopped        the teacher cannot go on at all
        ├── TeacherRefusedAccess   wrong key, no permission, unknown model, spend limit
        ├── TeacherUnavailable     nothing answers, after every retry
        ├── RawPromptUnsupported   the endpoint takes no raw prompt (Magpie needs one)
        ├── BudgetExceeded         the next call would pass the budget
        └── BatchPending           the answers are in a Message Batch that has not ended

A message says what is wrong, where, and what to do about it; it never holds a key.
"""

__all__ = [
    "BatchPending",
    "BudgetExceeded",
    "ConfigError",
    "LanguageUnsupported",
    "LedgerError",
    "MissingExtra",
    "NotOneRow",
    "Problem",
    "RawPromptUnsupported",
    "ReviewError",
    "ScreenError",
    "StageFailed",
    "SynthError",
    "TeacherRefusedAccess",
    "TeacherStopped",
    "TeacherUnavailable",
    "UpstreamNotPassed",
    "WarehouseBusy",
    "WarehouseError",
    "WarehouseVersion",
]

from dataclasses import dataclass
from pathlib import Path


class SynthError(Exception):
    """Base of all errors raised on purpose."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong in one file."""

    path: Path
    """The file as the user would name it."""
    line: int | None
    """1-based; None where the file as a whole is meant."""
    what: str
    """What is wrong, with the offending key or value."""
    remedy: str
    """What to write instead."""

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line is not None else str(self.path)
        return f"{where}: {self.what} -> {self.remedy}"


class ConfigError(SynthError):
    """One or more problems in the user's files, all of them at once."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{count} in the domain files:\n" + "\n".join(f"  {p}" for p in problems))


class WarehouseError(SynthError):
    """The DuckDB file cannot be used."""


class WarehouseBusy(WarehouseError):
    """Another process holds the warehouse past the time limit."""


class WarehouseVersion(WarehouseError):
    """The warehouse was written by a newer synth_assets."""


class UpstreamNotPassed(SynthError):
    """An input slice is missing, or its blocking checks did not pass."""


class StageFailed(SynthError):
    """A stage made nothing that can go on."""


class ReviewError(SynthError):
    """The verdicts of people, or the page on which they are given, cannot be used."""


class NotOneRow(SynthError):
    """A question about one row fits none, or several."""


class ScreenError(SynthError):
    """A file cannot be screened, or the command says something impossible about it."""


class MissingExtra(SynthError):
    """What was asked for needs an optional extra, which the message names."""


class LedgerError(SynthError):
    """The ledger of teacher calls cannot be used."""


class LanguageUnsupported(SynthError):
    """The teacher does not know the language of one domain; others can go on."""


class TeacherStopped(SynthError):
    """The teacher cannot go on; what was paid for is kept in the ledger."""


class TeacherRefusedAccess(TeacherStopped):
    """The endpoint refused the key, the model or the spend."""


class TeacherUnavailable(TeacherStopped):
    """Nothing answered, after every retry."""


class RawPromptUnsupported(TeacherStopped):
    """The endpoint takes no raw prompt."""


class BudgetExceeded(TeacherStopped):
    """The next call would pass the budget."""


class BatchPending(TeacherStopped):
    """What a stage asks for is in Message Batches that have not ended: nothing failed, and it goes on when they have.

    Args:
        batches: Their ids at the endpoint.
    """

    def __init__(self, batches: list[str]) -> None:
        self.batches = batches
        super().__init__(f"waiting for {', '.join(batches)}: run again when it has ended, or let the sensor `message_batches` do so.")
