"""Which process a reservation belongs to, and whether that process still lives.

An owner is host, boot, process id and the process's start time, so that neither a reused id nor a reboot is mistaken for a living owner.
Invariant: an owner of this host and boot is called dead only when the operating system says so.
"""

import os
import platform
import subprocess
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

__all__ = ["current_owner", "is_alive"]

FOREIGN_GRACE = timedelta(hours=1)
"""An owner on another host cannot be looked at. A call lasts minutes at most, so one that was opened this long ago has nobody behind it."""

_PROC = Path("/proc")


def current_owner() -> str:
    """This process."""
    return _owner(os.getpid())


@cache
def _owner(pid: int) -> str:
    return "|".join([*_here(), str(pid), _started(pid) or ""])


@cache
def _here() -> tuple[str, str]:
    boot = _PROC / "sys/kernel/random/boot_id"
    return platform.node(), boot.read_text().strip() if boot.exists() else ""


def is_alive(owner: str, opened_at: datetime) -> bool:
    """Whether `owner`, a process and whatever follows a last `|`, who opened something at `opened_at` (UTC), may still be at work on it."""
    host, boot, pid, started, _ = owner.split("|")
    if host != _here()[0]:
        return datetime.now(UTC) - opened_at < FOREIGN_GRACE
    return boot == _here()[1] and _started(int(pid)) == started


def _started(pid: int) -> str | None:
    """When the process started, in the system's own words; None for a dead one."""
    if not (_PROC / "self").exists():
        # macOS and the BSDs: a second's resolution, which is enough to tell a reused id.
        done = subprocess.run(["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603 - a number
        return done.stdout.strip() or None
    try:
        # The command's name is in parentheses and may hold anything, parentheses included.
        state, *rest = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # A zombie is a process that was killed and that its parent has not asked after: it does nothing any more.
    return None if state in "ZX" else rest[18]
