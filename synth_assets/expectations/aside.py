"""Great Expectations in a process beside this one, which loads it while this one is at something else.

The library takes 4 to 5 s to import, and everything here takes about as long: with two cores a run has the one for nothing. A block that stands by has
its expectations evaluated there, any other code in its own process; the answers are the same. Pipes carry a line of JSON and Arrow's stream format
to it, of each frame the columns that are looked at, and a line of JSON back. Invariants: nothing that comes over a pipe is executed; a process that
fails or ends costs time, never a verdict, for what it did not answer is evaluated here; it ends with the one that started it, however that ends.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, BinaryIO

from synth_assets.expectations.forms import Expectation
from synth_assets.expectations.verdict import Verdict

if TYPE_CHECKING:
    import pandas

__all__ = ["evaluate", "serve", "standing_by"]

Work = tuple["pandas.DataFrame", Mapping[str, Expectation]]
"""A frame, and what is expected of it by the name of the check."""

_PROGRAM = "from synth_assets.expectations.aside import serve; serve()"


class _Aside:
    """The process; of no use after its first fault."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - no outside input
            [sys.executable, "-P", "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._one_at_a_time = Lock()
        self._usable = True

    def evaluate(self, work: tuple[Work, ...]) -> dict[str, Verdict] | None:
        """Its verdicts; None where it has none to give."""
        try:  # not every frame makes a table: with two columns of one name, say, or a number that Arrow has no type for
            tables = [_table(frame, expected) for frame, expected in work]
            asked = [[[name, expectation.type, dict(expectation.given)] for name, expectation in expected.items()] for _, expected in work]
            line = json.dumps({"asked": asked, "bytes": [len(table) for table in tables]}).encode()
        except Exception:  # noqa: BLE001 - evaluated in this process it says what is wrong
            return None
        with self._one_at_a_time:
            if not self._usable:
                return None
            self._usable = False  # unless it answers
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            try:
                self._process.stdin.write(b"\n".join([line, b"".join(tables)]))
                self._process.stdin.flush()
                answer = json.loads(self._process.stdout.readline())
            except (OSError, ValueError):
                return None
            self._usable = True
        return {name: Verdict(**{**verdict, "row_ids": tuple(verdict["row_ids"])}) for name, verdict in answer.items()}

    def close(self) -> None:
        """End it, at once: it has nothing to finish, and may be loading still."""
        self._process.kill()
        with suppress(BrokenPipeError):
            self._process.communicate()


_present: _Aside | None = None


@contextmanager
def standing_by() -> Iterator[None]:
    """What is evaluated in the block is evaluated in a process of its own, which begins to load at once."""
    global _present
    outer = _present
    with suppress(OSError):  # no memory or no number for a process: this one does without
        _present = _Aside()
    try:
        yield
    finally:
        ended, _present = _present, outer
        if ended is not None and ended is not outer:
            ended.close()


def evaluate(*work: Work) -> dict[str, Verdict]:
    """A verdict per expectation, by its name here, over pairs of a frame and its expectations.

    Names differ across all frames. An expectation that cannot be evaluated has a verdict with an error; nothing is raised for it.
    """
    verdicts = _present.evaluate(work) if _present is not None else None
    if verdicts is None:
        from synth_assets.expectations import engine

        verdicts = engine.evaluate(*work)
    return verdicts


def _table(frame: "pandas.DataFrame", expected: Mapping[str, Expectation]) -> bytes:
    """The frame in Arrow's stream format: the columns that are looked at, and nulls for those of which only the name is asked."""
    import pyarrow as pa
    import pyarrow.ipc

    looked_at = {"id"}.union(*(expectation.columns for expectation in expected.values()))
    table = pa.Table.from_pandas(frame[[column for column in frame.columns if column in looked_at]], preserve_index=False)
    for column in frame.columns:
        if column not in looked_at:
            table = table.append_column(column, pa.nulls(len(frame)))
    sink = pa.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def serve() -> None:
    """The process's side, until its input ends; it then ends at once, be it loading or evaluating."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal, which means the process that asks
    # What the library prints must not come between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    asked: SimpleQueue[tuple[dict[str, Any], list[bytes]]] = SimpleQueue()
    Thread(target=_listen, args=(sys.stdin.buffer, asked), daemon=True).start()
    from synth_assets.expectations import engine

    engine.load()
    while True:
        request, tables = asked.get()
        expected = [{name: Expectation(kind, given) for name, kind, given in wanted} for wanted in request["asked"]]
        verdicts = engine.evaluate(*zip(map(_frame, tables), expected, strict=True))
        answers.write(json.dumps({name: asdict(verdict) for name, verdict in verdicts.items()}).encode() + b"\n")
        answers.flush()


def _listen(source: BinaryIO, asked: "SimpleQueue[tuple[dict[str, Any], list[bytes]]]") -> None:
    while line := source.readline():
        request = json.loads(line)
        asked.put((request, [source.read(length) for length in request["bytes"]]))
    os._exit(0)


def _frame(table: bytes) -> "pandas.DataFrame":
    import pyarrow.ipc

    with pyarrow.ipc.open_stream(table) as stream:
        frame: pandas.DataFrame = stream.read_pandas()
    return frame
