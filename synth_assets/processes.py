"""Processes of this machine, as the operating system tells of them: who holds a lock on a file, and who works on a state folder.

Read from /proc, so that on other systems nothing is found and nothing is claimed.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Process", "lock_holders", "of_home"]

_PROC = Path("/proc")
_LOCK = re.compile(r"^\d+: (?:FLOCK|POSIX|OFDLCK)\s+\S+\s+WRITE\s+(-?\d+)\s+([0-9a-f]+):([0-9a-f]+):(\d+)\s", re.MULTILINE)


@dataclass(frozen=True)
class Process:
    """One that is alive."""

    pid: int
    command: str
    """As it was started, at most 120 characters, nothing but printable ones."""
    parent: int

    def __str__(self) -> str:
        return f"{self.command} (PID {self.pid})"


def lock_holders(path: Path) -> list[Process]:
    """Processes that hold a write lock on the file `path`."""
    try:
        status = path.stat()
        table = (_PROC / "locks").read_text(encoding="utf-8")
    except OSError:
        return []
    wanted = (os.major(status.st_dev), os.minor(status.st_dev), status.st_ino)
    pids = {int(pid) for pid, major, minor, inode in _LOCK.findall(table) if (int(major, 16), int(minor, 16), int(inode)) == wanted}
    return [found for pid in sorted(pids) if (found := _process(pid))]


def of_home(root: Path) -> list[Process]:
    """Processes that work on the state folder `root`, this one and its parents left out; those of other users are not seen."""
    ours = set(_lineage(os.getpid()))
    wanted = f"SYNTH_HOME={root}".encode()
    found = []
    for folder in _PROC.glob("[0-9]*"):
        try:
            if int(folder.name) not in ours and wanted in (folder / "environ").read_bytes().split(b"\0") and (process := _process(int(folder.name))):
                found.append(process)
        except OSError:
            continue
    return sorted(found, key=lambda process: process.pid)


def _lineage(pid: int) -> Iterator[int]:
    while pid > 1:
        yield pid
        process = _process(pid)
        pid = process.parent if process else 0


def _process(pid: int) -> Process | None:
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace").replace("\0", " ").strip()
        state, parent, *_ = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    if state in "ZX":
        return None
    printable = "".join(c if c.isprintable() else "?" for c in words)
    return Process(pid, printable if len(printable) <= 120 else printable[:119] + "…", int(parent))
