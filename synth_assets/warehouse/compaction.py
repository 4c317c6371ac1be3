"""A DuckDB file written anew, without the free blocks in which deleted rows would still stand.

Invariant: under its name the file is the old one or the new one, whole, whatever is killed on the way.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

__all__ = ["compact", "unfinished"]


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """A name beside `path` to write its successor under; what is left there by this or an earlier writer is removed."""
    fresh = path.with_name(path.name + ".new")
    remains = (fresh, fresh.with_name(fresh.name + ".wal"))
    for file in remains:
        file.unlink(missing_ok=True)
    try:
        yield fresh
    finally:
        for file in remains:
            file.unlink(missing_ok=True)


def compact(path: Path, connect: Callable[[Path], duckdb.DuckDBPyConnection]) -> None:
    """Write `path` anew; nobody else may have it open."""
    with unfinished(path) as fresh:
        with closing(connect(path)) as con:
            con.execute("checkpoint")
            (own,) = con.execute("select current_database()").fetchone() or ("",)
            con.execute(f"attach {_quoted(str(fresh), mark=_TEXT)} as fresh")
            con.execute(f"copy from database {_quoted(str(own), mark=_NAME)} to fresh")
            con.execute("detach fresh")
        fresh.replace(path)


_TEXT, _NAME = "'", '"'


def _quoted(text: str, mark: str) -> str:
    return mark + text.replace(mark, 2 * mark) + mark
