"""The double in a process of its own: its processor time is not the client's, and it outlives a client that is killed."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Collection
from pathlib import Path
from typing import Any, Self

__all__ = ["Served"]


class Served:
    """`python -m synth_assets_tests.messages_api` with these arguments, until the end of the block."""

    def __init__(self, *arguments: str) -> None:
        self._command = [sys.executable, "-m", "synth_assets_tests.messages_api", "--port", "0", *arguments]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError(f"the double did not start: exit {self._process.wait()}")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    def stats(self, *, keys: bool = True) -> dict[str, Any]:
        """What it counted; with `keys`, content by content."""
        return dict(self._asked(urllib.request.Request(f"{self.url}/_stats?keys={int(keys)}")))

    def wait_for(self, calls: int, timeout: float = 30.0) -> None:
        """Return when so many calls have come in."""
        self._asked(urllib.request.Request(f"{self.url}/_wait?calls={calls}"), timeout)

    def finish(self, batch_id: str, expired: Collection[str] = ()) -> None:
        """End a batch."""
        self._asked(urllib.request.Request(f"{self.url}/_finish", json.dumps({"id": batch_id, "expired": list(expired)}).encode()))

    def _asked(self, request: urllib.request.Request, timeout: float = 30.0) -> Any:
        with urllib.request.urlopen(request, timeout=timeout) as reply:
            return json.load(reply)
