"""Patience with a teacher that is away for a while: the stage begins again, and finds in the ledger what was answered before.

A restart of the endpoint, or a minute without a network, should not cost a nightly run. How long is waited is SYNTH_PATIENCE_S.
"""

import os
import time
from collections.abc import Callable
from typing import TypeVar

from synth_assets import progress
from synth_assets.errors import SynthError, TeacherUnavailable

__all__ = ["PATIENCE_S", "patience_s", "patiently"]

PATIENCE_S = 180.0
"""Seconds from the first failure on, by default."""
FIRST_S, LONGEST_S = 1.0, 30.0

T = TypeVar("T")


def patience_s() -> float:
    """What SYNTH_PATIENCE_S says, or the default; raises SynthError where it says no number."""
    text = os.environ.get("SYNTH_PATIENCE_S", "").strip()
    try:
        seconds = float(text or PATIENCE_S)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise SynthError(f"SYNTH_PATIENCE_S={text!r}: write the seconds to wait for a teacher that does not answer, from 0 to 86400.")
    return seconds


def patiently(work: Callable[[], T], renew: Callable[[], None], stage: str, domain: str) -> T:
    """What `work` returns; it is called again while the teacher is away, `renew` before each time, with longer and longer pauses.

    Raises:
        TeacherUnavailable: it was away for too long.
    """
    patience, pause = patience_s(), FIRST_S
    deadline: float | None = None
    while True:
        try:
            return work()
        except TeacherUnavailable:
            now = time.monotonic()
            deadline = now + patience if deadline is None else deadline
            if now + pause > deadline:
                raise
            progress.say(f"{domain} {stage}: the teacher does not answer; asking again in {pause:.0f} s, for {deadline - now:.0f} s more")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_S)
            renew()
