"""What a stage is doing right now, for whoever watches: the command line draws it, a Dagster run of its own logs it.

A stage reports to the watcher of its context and knows nothing of terminals. Without a watcher nothing is said.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from synth_assets.accounts import Outcome
from synth_assets.teacher.messages import Reply

__all__ = ["Watcher", "advance", "current", "say", "watched"]


class Watcher(Protocol):
    """Somebody who wants to know."""

    def begins(self, domain: str, stage: str, outcome: Outcome) -> None:
        """A stage begins; `outcome` fills while it works."""

    def replied(self, reply: Reply) -> None:
        """The teacher, or the ledger, answered one request."""

    def waits(self, domain: str, stage: str, batches: Sequence[str]) -> None:
        """A stage ends without rows: what it asks for is in Message Batches that have not ended."""

    def said(self, text: str) -> None:
        """What is being done that takes a while."""

    def advanced(self, what: str, done: int, total: int) -> None:
        """A piece of work inside a stage has come so far."""

    def ends(self, domain: str, stage: str, outcome: Outcome) -> None:
        """A stage's rows are stored."""


_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


def current() -> Watcher | None:
    """The watcher of this context."""
    return _watcher.get()


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Let `watcher` see the stages that run inside."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def say(text: str) -> None:
    """Tell the watcher of this context, if there is one, what takes a while."""
    watcher = current()
    if watcher is not None:
        watcher.said(text)


def advance(what: str, done: int, total: int) -> None:
    """Tell the watcher of this context, if there is one, how far a piece of work is."""
    watcher = current()
    if watcher is not None:
        watcher.advanced(what, done, total)
