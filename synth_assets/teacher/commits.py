"""One thread that writes to one SQLite file, for all threads and coroutines of the process: whatever waits is committed together.

A durable commit costs a sync of the disk; with one for all that wait, sixteen concurrent calls pay for about one, and no event loop waits.
Invariant: a future has its result only after the commit that holds its operation is on disk.
"""

import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

__all__ = ["CommitThread"]

T = TypeVar("T")
_Operation = Callable[[sqlite3.Connection], Any]
_Waiting = tuple[_Operation, Future[Any]]

MOST_PER_COMMIT = 256
"""So that the write lock, for which other processes wait, is held for milliseconds."""


class CommitThread:
    """Writes to `connection`, which belongs to this object from now on."""

    def __init__(self, connection: sqlite3.Connection, explain: Callable[[sqlite3.Error], Exception]) -> None:
        self._connection = connection
        self._explain = explain
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._closing = Lock()
        self._closed = False
        self._thread = Thread(target=self._work, name="ledger", daemon=True)
        self._thread.start()

    def submit(self, operation: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Run `operation` in a transaction; what it raises is the future's exception. It cannot be cancelled, and may run twice.

        An operation checks first and writes last: one that raises after its first change fails as an IntegrityError.
        """
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

    def _commit(self, batch: Sequence[_Waiting]) -> None:
        done: list[tuple[Future[Any], Any, Exception | None]] = []
        try:
            self._connection.execute("begin immediate")
            for operation, future in batch:
                done.append((future, *_attempt(operation, self._connection)))
            self._connection.execute("commit")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.rollback()
            if len(batch) > 1:
                # One of them is at fault, or the disk is: each by itself tells.
                for waiting in batch:
                    self._commit([waiting])
                return
            done = [(batch[0][1], None, self._explain(error))]
        for future, result, failure in done:
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)


def _attempt(operation: _Operation, connection: sqlite3.Connection) -> tuple[Any, Exception | None]:
    changes = connection.total_changes
    try:
        return operation(connection), None
    except sqlite3.Error:
        raise
    except Exception as error:
        if connection.total_changes != changes:
            raise sqlite3.IntegrityError(f"an operation failed half way: {error!r}") from error
        return None, error
