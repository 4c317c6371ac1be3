"""Prompts and replies of past calls, read from the ledger without opening it for writing.

The one query here is all that provenance knows of the ledger's tables. Invariant: nothing is made, locked or changed; where there is no ledger,
there are no replies.
"""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from synth_assets.errors import LedgerError

__all__ = ["said"]

_SAID = "select key, attempt, request, text, thinking, stop_reason, failure, evidence from replies where key in ({marks}) order by key, attempt"
_SLICE = 500
"""Keys in one query: SQLite takes at least 999 parameters."""


def said(path: Path, keys: Sequence[str]) -> dict[tuple[str, int], dict[str, Any]]:
    """What was asked (`request`: the call's body) and answered (`text`, `thinking`, `stop_reason`, `failure`, `evidence`) by (key, attempt).

    Raises:
        LedgerError: the file is there and cannot be read.
    """
    if not path.is_file():
        return {}
    found: dict[tuple[str, int], dict[str, Any]] = {}
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=60)) as connection:
            connection.row_factory = sqlite3.Row
            for start in range(0, len(keys), _SLICE):
                some = list(keys[start : start + _SLICE])
                for row in connection.execute(_SAID.format(marks=", ".join("?" * len(some))), some):
                    call = dict(row)
                    found[call.pop("key"), call.pop("attempt")] = call | {"request": json.loads(call["request"])}
    except (sqlite3.Error, ValueError) as error:
        raise LedgerError(f"{path}: {error}. If the file is damaged, move it away: the tree is then shown without prompts and replies.") from error
    return found
