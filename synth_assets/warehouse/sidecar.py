"""The lock beside a warehouse: who holds it is alone with the DuckDB file, among all processes and threads that ask.

A thread lock inside the process, then operating-system locks on files among processes, which the kernel releases when their holder dies.
Who will soon come back may leave its connection here, and with it the lock, for a moment that ends when another process asks for it.
Invariants: a process has one `Sidecar` per path, since a second lock object would wait for the first; what was left is closed before the lock is let go.
"""

import atexit
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock, Thread
from typing import NamedTuple

import duckdb
from filelock import FileLock, Timeout

from synth_assets import progress
from synth_assets.errors import WarehouseBusy, WarehouseError
from synth_assets.processes import lock_holders

__all__ = ["Sidecar", "tell_waiting"]

LOGGER = logging.getLogger("synth_assets")
LOGGER.addHandler(logging.NullHandler())

POLL_SECONDS = 0.02
"""Between two looks at a lock that another process holds; the shortest access takes about as long."""


def tell_waiting(text: str) -> None:
    """Say for whom or what this process waits: to the terminal that watches, and in the log of a Dagster run."""
    LOGGER.warning(text)
    progress.say(text)


class _Left(NamedTuple):
    connection: duckdb.DuckDBPyConnection
    identity: tuple[int, int] | None
    """Of the file that it has open."""


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Sidecar:
    """The lock beside one warehouse, re-entrant within the thread that holds it."""

    _of_process: dict[Path, "Sidecar"] = {}  # noqa: RUF012 - shared on purpose

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection: duckdb.DuckDBPyConnection | None = None
        """What the holder has open, so that it reads inside its own transaction."""
        self._left: _Left | None = None
        self._shut = 0
        self._thread = RLock()
        # filelock counts its holds per thread (thread_local=True: each thread opens the file for itself and polls) or per object (False: a
        # second thread is let in as if it were the first). With the thread lock before it, only one thread ever reaches it: False, so that
        # threads wait without polling.
        self._file = FileLock(path, thread_local=False, poll_interval=POLL_SECONDS / 4)
        # Who waits holds the queue, so a process that releases the lock cannot take it again before the next one had it. Without, 8 writers
        # that worked one after the other without pause waited up to 9 s for each other on two cores; with it up to 5 s, at the same throughput.
        self._queue = FileLock(path.with_suffix(".queue"), thread_local=False, poll_interval=POLL_SECONDS)

    @classmethod
    def beside(cls, warehouse: Path) -> "Sidecar":
        """This process's lock for the resolved path `warehouse`."""
        path = warehouse.with_name(warehouse.name + ".lock")
        if (found := cls._of_process.get(path)) is None:
            found = cls._of_process.setdefault(path, cls(path))
            atexit.register(found._settle)
        return found

    @contextmanager
    def held(self, timeout: float) -> Iterator[None]:
        """Hold the lock; waits up to `timeout` seconds for it.

        Raises:
            WarehouseBusy: somebody else held it all that time.
            WarehouseError: the lock file cannot be made.
        """
        deadline = time.monotonic() + timeout
        if not self._thread.acquire(timeout=timeout):
            raise WarehouseBusy(f"{self.path} was held by another thread of this process for {timeout:g} s. Let its work end, then try again.")
        try:
            self._acquire_file(deadline, timeout)
            try:
                yield
            finally:
                self._file.release()
        finally:
            self._thread.release()

    @contextmanager
    def shut(self) -> Iterator[None]:
        """The holder keeps the file closed between its own accesses: nothing is left open in the block."""
        self.close_left()
        self._shut += 1
        try:
            yield
        finally:
            self._shut -= 1

    def leave(self, connection: duckdb.DuckDBPyConnection, warehouse: Path, seconds: float) -> None:
        """The holder's access is over: its connection stays open for `seconds` or until another process waits; none does if the file is to be shut."""
        if self._shut or self._waited_for():
            connection.close()
            return
        self._file.acquire()  # once more, for what is left
        self._left = _Left(connection, _identity(warehouse))
        Thread(target=self._watch, args=(self._left, time.monotonic() + seconds), name="warehouse", daemon=True).start()

    def take(self, warehouse: Path) -> duckdb.DuckDBPyConnection | None:
        """The holder takes up what was left; None where nothing was, or another file has its place since."""
        if self._left is None:
            return None
        if self._left.identity != _identity(warehouse):
            self.close_left()
            return None
        left, self._left = self._left, None
        self._file.release()
        return left.connection

    def close_left(self) -> None:
        """The holder closes what was left."""
        if self._left is not None:
            left, self._left = self._left, None
            left.connection.close()
            self._file.release()

    def _watch(self, left: _Left, deadline: float) -> None:
        while self._left is left:
            if time.monotonic() >= deadline or self._waited_for():
                with self._thread:
                    if self._left is left:
                        self.close_left()
            time.sleep(POLL_SECONDS)

    def _settle(self) -> None:
        with self._thread:
            self.close_left()

    def _waited_for(self) -> bool:
        """Whether another process stands in the queue. Who has left something does not, and looks with a lock object of its own."""
        try:
            with FileLock(self._queue.lock_file, thread_local=False).acquire(timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # the folder is gone: nobody waits there
            return False

    def _acquire_file(self, deadline: float, timeout: float) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self._file.is_locked:
                self._file.acquire()  # by this thread: it would wait in the queue behind those who wait for it
            else:
                with self._queue.acquire(timeout=max(0.0, deadline - time.monotonic())):
                    self._file.acquire(timeout=max(0.0, deadline - time.monotonic()))
        except Timeout:
            holders = [str(holder) for holder in lock_holders(self.path)]
            by = f": {', '.join(holders)}" if holders else ""
            raise WarehouseBusy(
                f"{self.path} was held by another synth_assets process for {timeout:g} s{by}. Let its run or dbt build end, or stop it; then try again. "
                f"Do not delete the file: the lock ends with its holder."
            ) from None
        except OSError as error:
            raise WarehouseError(f"{self.path} cannot be made: {error.strerror or error}. Give this user a folder on a local disk to write to.") from error
