"""The output folder: files are written beside their names and take them together at the end, the report last.

So a folder with a report holds a finished run, and whatever a killed one left ends in `.part`. Nothing that is not ours is ever replaced.
Invariant: the kept, rejected and bad lines of a folder belong to its report.
"""

from pathlib import Path
from types import TracebackType
from typing import IO, Self

from synth_assets.errors import ScreenError

__all__ = ["BAD", "FINDINGS", "KEPT", "REJECTED", "REPORT", "OutputFolder"]

KEPT, REJECTED, BAD, REPORT = "kept.jsonl", "rejected.jsonl", "bad_lines.jsonl", "report.json"
FINDINGS = "findings.jsonl"
"""What the first pass found, for the second one; not published."""

_PART = ".part"
_OURS = frozenset({KEPT, REJECTED, BAD, REPORT, *(f"{name}{_PART}" for name in (KEPT, REJECTED, BAD, REPORT, FINDINGS))})


class OutputFolder:
    """A folder to write one run into.

    Raises:
        ScreenError: it holds files already and `overwrite` is not said, or holds files that are no screening's, or is not a folder.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.path = path
        if path.exists() and not path.is_dir():
            raise ScreenError(f"--out {path}: a file, not a folder. Name a folder; it is made where there is none.")
        found = {entry.name for entry in path.iterdir()} if path.exists() else set()
        if found - _OURS:
            example = sorted(found - _OURS)[0]
            raise ScreenError(f"--out {path}: holds other files ({example!r}). Name a folder of its own for the output.")
        if found and not overwrite:
            what = "the output of an earlier run" if REPORT in found else "what a run left that did not finish"
            raise ScreenError(f"--out {path}: holds {what}. Say --overwrite to replace it, or name another folder.")
        try:
            path.mkdir(parents=True, exist_ok=True)
            # The report first: without it the rest is no finished run.
            for name in sorted(found, key=lambda name: name != REPORT):
                (path / name).unlink()
        except OSError as error:
            raise ScreenError(f"--out {path}: cannot be written ({error.strerror or error}).") from error
        self._open: dict[str, IO[bytes]] = {}

    def __enter__(self) -> Self:
        # From here on the folder shows that a run is at work in it.
        for name in (KEPT, REJECTED, BAD):
            self.file(name)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for file in self._open.values():
            file.close()

    def write(self, name: str, line: bytes) -> None:
        """Add one line to a file."""
        self.file(name).write(line + b"\n")

    def file(self, name: str) -> IO[bytes]:
        """The file under `name`, open for writing and reading; made when first asked for."""
        if name not in self._open:
            self._open[name] = (self.path / f"{name}{_PART}").open("w+b")
        return self._open[name]

    def publish(self) -> None:
        """Give every file its name; findings go, the report comes last."""
        for name in (KEPT, REJECTED, BAD, REPORT):
            self.file(name).close()
        if FINDINGS in self._open:
            self._open.pop(FINDINGS).close()
            (self.path / f"{FINDINGS}{_PART}").unlink()
        for name in (KEPT, REJECTED, BAD, REPORT):
            (self.path / f"{name}{_PART}").replace(self.path / name)
