"""What DuckDB's errors about the file itself mean, and what to do about them.

DuckDB has one exception class for a full disk, a foreign lock and a damaged block, so the message decides; those quoted here are of 1.5.5.
An error that is the statement's own (syntax, binding, constraints, another file that it reads) passes as it is.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from synth_assets.errors import WarehouseError, WarehouseVersion

__all__ = ["explained", "lock_holder"]

_LOCKED = re.compile(r"Could not set lock on file.*?(?:Conflicting lock is held in (.*?PID \d+\)?)|$)", re.DOTALL)
_FULL = re.compile(r"No space left on device|Disk quota exceeded|File too large")
_NEWER = re.compile(r"database file with version number (\d+), but we can only read versions between \d+ and (\d+)")
_DAMAGED = re.compile(r"not a valid DuckDB database file|Corrupt database file|replaying WAL|Could not read enough bytes")
_OTHER_CONFIGURATION = "with a different configuration"


def lock_holder(error: duckdb.Error) -> str | None:
    """Program and PID of the process that holds the file, as in `/usr/bin/duckdb (PID 71)`; None where a lock is not the trouble."""
    found = _LOCKED.search(str(error))
    return (found[1] or "another program") if found else None


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise WarehouseError or WarehouseVersion in the place of DuckDB's errors about the file `path`."""
    try:
        yield
    except duckdb.Error as error:
        if (better := _in_words(path, error)) is None:
            raise
        raise better from error


def _in_words(path: Path, error: duckdb.Error) -> WarehouseError | None:
    text = str(error)
    if _FULL.search(text):
        return WarehouseError(f"{path}: the disk is full. Nothing of this write was kept and the rows from before are intact: free some space, then run again.")
    if newer := _NEWER.search(text):
        return WarehouseVersion(
            f"{path} has DuckDB's storage version {newer[1]}, and the installed DuckDB {duckdb.__version__} reads versions up to {newer[2]}. "
            f"Install the DuckDB that wrote it."
        )
    if _DAMAGED.search(text):
        return WarehouseError(
            f"{path} is damaged: {_first_line(error)}. Move it and {path.name}.wal (if there is one) away and run again: all stages are built anew, "
            f"paid replies come from the ledger and verdicts from reviews.sqlite at no cost; only the history of earlier runs is lost."
        )
    if _OTHER_CONFIGURATION in text:
        return WarehouseError(f"{path} is already open in this process by a connection of its own. Close that one; read through Warehouse instead.")
    if isinstance(error, duckdb.IOException) and str(path) in text:
        return WarehouseError(f"{path} cannot be used: {_first_line(error)}. Check that it is a file on a local disk that this user may read and write.")
    return None


def _first_line(error: duckdb.Error) -> str:
    return str(error).splitlines()[0].rstrip("!. ")
