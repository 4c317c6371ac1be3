"""How fast an endpoint is asked: one rate for all processes of this machine that use it, learned from what it answers.

The state is a record of a few numbers in a file of the machine's temporary folder, changed under a lock that is held for microseconds. A new
endpoint is approached with few calls at once; then nothing is held back until more than a share of answers are 429s. From there calls start at
a rate: cut to what was delivered (multiplicative decrease), raised by a step each second without 429s (additive increase), after Jain and Chiu 1989.
Where an endpoint tells what is left of its limits, the rate follows that (levels.py) and hardly meets a 429. A 429 now and then, which slowing
down does not cure, is told apart as noise. Invariant: the file is advice; without it, or with rubbish in it, calls go out.
"""

import fcntl
import math
import os
import random
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path

from synth_assets.home import shared_temporary
from synth_assets.identity import digest
from synth_assets.teacher.levels import RESOURCES, Level, Used, allowed, exhausted_s, note, scarce

__all__ = ["Pace", "pace_file"]

FIRST_AT_ONCE, MORE_PER_S, APPROACH_S = 32, 100, 3.0
"""Calls in flight that a new endpoint gets at first, and how many more each second, until it is known."""
MORE_PER_ANSWER = 8
"""How many more for each answer: an endpoint that is slow to answer is not known after a second either."""
WINDOW_S, WINDOW_CALLS, LONG_WINDOW_S = 1.0, 50, 2.0
"""A window is a second long, or longer while it has few calls."""
CONGESTED_SHARE, CONGESTED_CALLS = 0.2, 8
"""Share and number of 429s within a window from which the endpoint is taken to have a limit."""
DECREASE = 0.95
"""Of what the endpoint delivered: bucket-shaped limits deliver a little more than they sustain."""
INCREASE, NEAR_INCREASE, FIRST_INCREASE = 1.03, 1.005, 1.25
"""Of the rate, per window without 429s: on the way back to a limit that was met, near it and beyond, and from a first guess that was too low."""
NEAR = 0.98
DOUBT_S = 15.0
"""After so long what was taken for noise is put to the test again."""
MARGIN, FIRST_MARGIN = 0.02, 0.08
"""Share of 429s above the noise that means that the limit is met; a first guess is raised until that is plain."""
LONGEST_PAUSE_S = 60.0
FORGOTTEN_S = 600.0
"""After so long without a call nothing is known any more."""
HORIZON_S = 0.5
"""How far ahead a start is reserved: what waits longer comes again, so that a changed rate holds for it too."""
LOCK_S, BLOCKED_S = 0.2, 2.0
"""How long to try for the lock, which is held for microseconds unless its holder lost the processor; and how long to do without it then."""
BURST_S = 0.05
"""Calls may start so much before their time: a process that woke late catches up."""


@dataclass
class _State:
    """What is known; times are of the machine's monotonic clock, in seconds."""

    since: float = 0.0
    """When the endpoint was first asked."""
    used: float = 0.0
    """When it was last asked."""
    sent: float = 0.0
    done: float = 0.0
    rate: float = math.inf
    """Calls per second."""
    next_start: float = 0.0
    pause_until: float = 0.0
    window: float = 0.0
    """Begin of the window."""
    answered: float = 0.0
    limited: float = 0.0
    """429s in the window."""
    changed: float = 0.0
    """When the rate was last cut: what was sent before says nothing about it."""
    ceiling: float = 0.0
    """What was delivered when the rate last met its limit."""
    noise: float = 0.0
    """Share of 429s that stays, whatever the rate."""
    share_at_cut: float = 0.0
    """Share of 429s that led to the last cut, until its effect is seen."""
    looked: float = 0.0
    """When the levels were last looked at."""
    taken: float = 0.0
    """Calls that were answered since then."""
    levels: tuple[Level, ...] = field(default_factory=lambda: tuple(Level() for _ in RESOURCES))

    def numbers(self) -> list[float]:
        """All of it."""
        return [*(value for name, value in vars(self).items() if name != "levels"), *(number for level in self.levels for number in astuple(level))]

    @classmethod
    def of(cls, numbers: Sequence[float]) -> "_State":
        """The state that has these numbers."""
        state = cls(*numbers[:_SCALARS])  # type: ignore[arg-type]
        state.levels = tuple(Level(*numbers[start : start + _LEVEL]) for start in range(_SCALARS, len(numbers), _LEVEL))
        return state


_SCALARS, _LEVEL = len(vars(_State())) - 1, len(vars(Level()))
_RECORD = struct.Struct(f"<4sI{_SCALARS + _LEVEL * len(RESOURCES)}d")
_MARK, _VERSION = b"pace", 2


def pace_file(identity: str) -> Path:
    """Where this machine's processes meet about the endpoint `identity`."""
    return shared_temporary() / f"synth-assets-{os.getuid()}" / f"{digest(identity)[:20]}.pace"


class Pace:
    """The pace of one endpoint; for one event loop, beside any number of other processes."""

    def __init__(self, path: Path) -> None:
        self._descriptor = _open(path)
        self._last = _State()
        self._blocked_until = 0.0

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def start(self) -> tuple[float, bool]:
        """(seconds to wait, whether to ask again then): when the next call may go out. One that is told a time has it reserved."""
        with self._state() as state:
            # Under the lock: a moment ago, another process may have written a later time.
            now = time.monotonic()
            if not -WINDOW_S <= now - state.used <= FORGOTTEN_S:
                _reset(state, now)
            state.used = now
            if state.pause_until > now:
                return min(state.pause_until - now, LONGEST_PAUSE_S), True
            if math.isinf(state.rate):
                age = now - state.since
                if age < APPROACH_S and state.sent - state.done >= FIRST_AT_ONCE + min(MORE_PER_S * age, FIRST_AT_ONCE + MORE_PER_ANSWER * state.done):
                    return 1 / MORE_PER_S, True
                state.sent += 1
                return 0.0, False
            starts = max(state.next_start, now - BURST_S)
            if starts > now + HORIZON_S:
                return random.uniform(HORIZON_S / 2, HORIZON_S), True  # noqa: S311 - jitter
            state.next_start = starts + 1 / state.rate
            return max(0.0, starts - now), False

    def answered(self, started: float, *, limited: bool, headers: Mapping[str, str], used: Used = (0.0, 0.0, 0.0)) -> None:
        """Note what came of a call that went out at `started` (monotonic): whether it was a 429, what the endpoint says of its limits, what it took."""
        with self._state() as state:
            now = time.monotonic()
            state.done += 1
            exhausted = exhausted_s(state.levels, headers)
            if exhausted:
                state.pause_until = max(state.pause_until, now + min(exhausted, LONGEST_PAUSE_S))
            note(state.levels, headers, used)
            state.taken += not limited
            if started < state.changed:
                return
            state.answered += 1
            state.limited += limited
            share = state.limited / state.answered
            if math.isinf(state.rate):
                known = scarce(state.levels, state.taken, state.sent - state.done)
                if known < math.inf or (state.limited >= CONGESTED_CALLS and share > CONGESTED_SHARE):
                    delivered = (state.answered - state.limited) / max(now - state.window, WINDOW_S)
                    _cut(state, now, max(1.0, known if known < math.inf else delivered))
                elif now - state.window > WINDOW_S:
                    state.rate = _look(state, now)
                    _next_window(state, now)
            elif now - state.window > (WINDOW_S if state.answered >= WINDOW_CALLS else LONG_WINDOW_S):
                _steer(state, now, share)

    @contextmanager
    def _state(self) -> Iterator[_State]:
        """The shared state, written back afterwards; where the file cannot be had, what was last read of it."""
        if self._descriptor is None or not self._locked(self._descriptor):
            yield self._last
            return
        try:
            state = self._last = _read(self._descriptor)
            yield state
            os.pwrite(self._descriptor, _RECORD.pack(_MARK, _VERSION, *state.numbers()), 0)
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _locked(self, descriptor: int) -> bool:
        """Whether the lock was had in time: a process that was stopped in the middle must not stop all others."""
        if time.monotonic() < self._blocked_until:
            return False
        deadline = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if time.monotonic() > deadline:
                    self._blocked_until = time.monotonic() + BLOCKED_S
                    return False
                time.sleep(0.0002)


def _cut(state: _State, now: float, delivered: float) -> None:
    """Slow down to what was delivered. What has its start reserved, at the old rate, says nothing about the new one."""
    state.changed = now + (0.0 if math.isinf(state.rate) else HORIZON_S)
    state.rate = max(0.2, delivered * DECREASE)
    state.next_start = max(state.next_start, now) + 1 / state.rate
    _next_window(state, state.changed)


def _steer(state: _State, now: float, share: float) -> None:
    if state.share_at_cut:
        # Slower does not help against 429s that do not come from speed: what is left after a cut is noise.
        state.noise += 0.7 * (min(share, state.share_at_cut) - state.noise)
        state.share_at_cut = 0.0
    margin = MARGIN if state.ceiling else FIRST_MARGIN
    plain = share > state.noise + margin + 2 * math.sqrt(state.noise * (1 - state.noise) / state.answered)
    if plain or (share > margin and now - state.changed > DOUBT_S):
        state.ceiling, state.share_at_cut = state.rate * (1 - share) / (1 - state.noise), share
        _cut(state, now, min(state.rate, state.ceiling))
        return
    if not state.limited:
        state.noise *= 0.8
    if any(level.size for level in state.levels):
        state.rate = min(_look(state, now), 2 * state.rate)
    # An endpoint that is asked less than it may be says nothing about its limit.
    elif state.answered / (now - state.window) > 0.8 * state.rate:
        state.rate *= FIRST_INCREASE if not state.ceiling else INCREASE if state.rate < NEAR * state.ceiling else NEAR_INCREASE
    _next_window(state, now)


def _look(state: _State, now: float) -> float:
    """The rate that the endpoint's levels allow."""
    rate = allowed(state.levels, state.taken, now - state.looked)
    state.looked, state.taken = now, 0.0
    return rate


def _next_window(state: _State, now: float) -> None:
    state.window, state.answered, state.limited = now, 0.0, 0.0


def _reset(state: _State, now: float) -> None:
    fresh = _State(since=now, used=now, window=now, looked=now)
    vars(state).update(vars(fresh))


def _open(path: Path) -> int | None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.parent.stat().st_uid != os.getuid():
            return None
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return None


def _read(descriptor: int) -> _State:
    try:
        mark, version, *values = _RECORD.unpack(os.pread(descriptor, _RECORD.size, 0))
    except struct.error:
        return _State(used=-math.inf)
    sound = (mark, version) == (_MARK, _VERSION) and not any(math.isnan(value) for value in values) and values[4] > 0
    return _State.of(values) if sound else _State(used=-math.inf)
