"""The lock beside a warehouse: who holds it is alone with the DuckDB file, among all processes and threads that ask.

A thread lock inside the process, then operating-system locks on files among processes, which the kernel releases when their holder dies.
Invariant: a process has one `Sidecar` per path, since a second lock object would wait for the first.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

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


class Sidecar:
    """The lock beside one warehouse, re-entrant within the thread that holds it."""

    _of_process: dict[Path, "Sidecar"] = {}  # noqa: RUF012 - shared on purpose

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection: duckdb.DuckDBPyConnection | None = None
        """What the holder has open, so that it reads inside its own transaction."""
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
        return cls._of_process.setdefault(path, cls(path))

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
