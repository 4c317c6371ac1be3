"""A dbt that is loaded while something else is at work, and waits to be told to begin.

Loading dbt takes 3 s, its project 2 s and ending its interpreter 1 s, of a build of 11 (two cores): who knows that a build will come lets the first two
pass meanwhile, and the last not at all. Invariant: one that is never told to begin has opened no warehouse, and ends with the process that started
it, however that ends.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["Standby"]

_PROGRAM = """
import gc, os, sys, threading
told = threading.Event()
def listen():
    told.set() if sys.stdin.readline() else os._exit(0)
threading.Thread(target=listen, daemon=True).start()
from dbt.cli.main import cli, dbtRunner
parsed = dbtRunner().invoke(["--log-level=none", "--log-level-file=none", "--no-write-json", "parse"])
told.wait()
try:
    cli(prog_name="dbt", obj={"manifest": parsed.result, "callbacks": []} if parsed.success else None)
finally:
    gc.freeze()
"""


class Standby:
    """One invocation of dbt, of this virtual environment."""

    def __init__(self, arguments: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - no outside input
            [sys.executable, "-c", _PROGRAM, *arguments],
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._begun = False

    def begin(self) -> subprocess.Popen[bytes] | None:
        """Let it begin, and hand it over; None where that was done before, or it has died."""
        if self._begun or self._process.poll() is not None or self._process.stdin is None:
            return None
        self._begun = True
        try:
            self._process.stdin.write(b"begin\n")
            self._process.stdin.close()
            self._process.stdin = None
        except BrokenPipeError:
            return None
        return self._process

    def close(self) -> None:
        """End it, if nobody has it."""
        if not self._begun:
            self._process.kill()
            self._process.communicate()
