"""The lock file beside a warehouse: who holds it is alone with the DuckDB file, among all processes and threads that ask.

Two locks in a row: a thread lock inside the process, then an operating-system lock on `<path>.lock` among processes, which the kernel
releases when its holder dies. Invariant: a process has one `Sidecar` per path, since a second lock object would wait for the first.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

import duckdb
from filelock import FileLock, Timeout

from synth_assets.errors import WarehouseBusy, WarehouseError

__all__ = ["Sidecar"]

POLL_SECONDS = 0.02
"""Between two looks at a lock that another process holds; a write takes about twice as long."""


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
        self._file = FileLock(path, thread_local=False, poll_interval=POLL_SECONDS)

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
            self._acquire_file(max(0.0, deadline - time.monotonic()), timeout)
            try:
                yield
            finally:
                self._file.release()
        finally:
            self._thread.release()

    def _acquire_file(self, remaining: float, timeout: float) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file.acquire(timeout=remaining)
        except Timeout:
            raise WarehouseBusy(
                f"{self.path} was held by another synth_assets process for {timeout:g} s. Let its run or dbt build end, or stop it; then try again. "
                f"Do not delete the file: the lock ends with its holder."
            ) from None
        except OSError as error:
            raise WarehouseError(f"{self.path} cannot be made: {error.strerror or error}. Give this user a folder on a local disk to write to.") from error
