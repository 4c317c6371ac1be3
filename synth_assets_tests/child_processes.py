"""Whether a process that somebody started is still there."""

import time
from pathlib import Path

__all__ = ["ends", "runs"]


def runs(pid: int) -> bool:
    """Whether it is there and no zombie; Linux only."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def ends(pid: int, seconds: float = 60) -> bool:
    """Whether it is gone before so much time has passed."""
    until = time.monotonic() + seconds
    while runs(pid) and time.monotonic() < until:
        time.sleep(0.1)
    return not runs(pid)
