"""One thread that writes to one SQLite file, for all threads and coroutines of the process: whatever waits is committed together.

A durable commit costs a sync of the disk; with one for all that wait, sixteen concurrent calls pay for about one, and no event loop waits.
Invariant: a future has its result only after the commit that holds its operation is on disk.
"""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

__all__ = ["CommitThread"]

T = TypeVar("T")

MOST_PER_COMMIT = 256
"""So that the write lock, for which other processes wait, is held for milliseconds."""


class CommitThread:
    """Writes to `connection`, which belongs to this object from now on."""

    def __init__(self, connection: sqlite3.Connection, explain: Callable[[sqlite3.Error], Exception]) -> None:
        self._connection = connection
        self._explain = explain
        self._queue: SimpleQueue[tuple[Callable[[sqlite3.Connection], Any], Future[Any]] | None] = SimpleQueue()
        self._closing = Lock()
        self._closed = False
        self._thread = Thread(target=self._work, name="ledger", daemon=True)
        self._thread.start()

    def submit(self, operation: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Run `operation` in a transaction; what it raises undoes it alone and is the future's exception. It cannot be cancelled."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        with self._closing:
            if self._closed:
                raise self._explain(sqlite3.ProgrammingError("Cannot operate on a closed database."))
            self._queue.put((operation, future))
        return future

    def close(self) -> None:
        """Commit what waits, then close the connection. Closing twice does nothing."""
        with self._closing:
            closed, self._closed = self._closed, True
        if not closed:
            self._queue.put(None)
            self._thread.join()
            self._connection.close()

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, last = [first], False
            while len(batch) < MOST_PER_COMMIT and not last:
                try:
                    following = self._queue.get_nowait()
                except Empty:
                    break
                if following is None:
                    last = True
                else:
                    batch.append(following)
            self._commit(batch)
            if last:
                return

    def _commit(self, batch: list[tuple[Callable[[sqlite3.Connection], Any], Future[Any]]]) -> None:
        done: list[tuple[Future[Any], Any, Exception | None]] = []
        try:
            self._connection.execute("begin immediate")
            for operation, future in batch:
                done.append((future, *self._attempt(operation)))
            self._connection.execute("commit")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.rollback()
            done = [(future, None, self._explain(error)) for _, future in batch]
        for future, result, failure in done:
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)

    def _attempt(self, operation: Callable[[sqlite3.Connection], Any]) -> tuple[Any, Exception | None]:
        self._connection.execute("savepoint operation")
        try:
            outcome: tuple[Any, Exception | None] = operation(self._connection), None
        except sqlite3.Error as error:
            outcome = None, self._explain(error)
        except Exception as error:  # noqa: BLE001 - it is raised where the future is awaited
            outcome = None, error
        if outcome[1] is not None:
            self._connection.execute("rollback to operation")
        self._connection.execute("release operation")
        return outcome
