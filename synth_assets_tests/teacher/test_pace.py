"""The shared pace: what a limit does to it, what noise does not, and what it makes of rubbish."""

import math
import os
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from synth_assets.teacher.levels import Used
from synth_assets.teacher.pace import Pace, pace_file
from synth_assets_tests.messages_api.limits import RateLimit


class Clock:
    """The machine's monotonic clock, moved by the test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def nothing_told() -> Mapping[str, str]:
    return {}


def simulate(
    paces: list[Pace],
    clock: Clock,
    seconds: float,
    turned_away: Callable[[float], bool],
    *,
    at_once: int = 16,
    latency: float = 0.05,
    told: Callable[[], Mapping[str, str]] = nothing_told,
    used: Used = (1.0, 10.0, 100.0),
) -> list[tuple[float, int, bool]]:
    """Callers that always want the next answer; (time, process, whether a 429) of every call, `latency` after it went out."""
    end = clock.now + seconds
    waiting: list[tuple[float, int, str, float]] = [(clock.now, process, "ask", 0.0) for process in range(len(paces)) for _ in range(at_once)]
    levels: dict[tuple[float, int], Mapping[str, str]] = {}
    done: list[tuple[float, int, bool]] = []
    while waiting:
        waiting.sort()
        clock.now, process, what, started = waiting.pop(0)
        if clock.now > end:
            break
        if what == "ask":
            wait, again = paces[process].start()
            waiting.append((clock.now + wait, process, "ask" if again else "arrive", 0.0))
        elif what == "arrive":
            limited = turned_away(clock.now)
            levels[clock.now, process] = told()
            waiting.append((clock.now + latency, process, "429" if limited else "200", clock.now))
        else:
            limited = what == "429"
            paces[process].answered(started, limited=limited, headers=levels[started, process], used=(0.0, 0.0, 0.0) if limited else used)
            done.append((clock.now, process, what == "429"))
            waiting.append((clock.now + (random.Random(len(done)).uniform(0, 0.2) if what == "429" else 0.0), process, "ask", 0.0))
    return done


def bucket(clock: Clock, per_second: float, burst: float) -> Callable[[float], bool]:
    tokens, last = burst, clock.now

    def turned_away(now: float) -> bool:
        nonlocal tokens, last
        tokens, last = min(burst, tokens + (now - last) * per_second), now
        if tokens < 1:
            return True
        tokens -= 1
        return False

    return turned_away


@pytest.mark.parametrize(("per_second", "burst", "most"), [(50.0, 50.0, 0.02), (200.0, 200.0, 0.02), (50.0, 5.0, 0.05)])
def test_eight_processes_respect_one_limit_and_use_it(per_second: float, burst: float, most: float, clock: Clock, tmp_path: Path) -> None:
    paces = [Pace(tmp_path / "pace") for _ in range(8)]
    done = simulate(paces, clock, 60.0, bucket(clock, per_second, burst))
    limited = sum(was for *_, was in done)
    assert limited / len(done) < most
    assert (len(done) - limited) / 60.0 > 0.7 * per_second
    shares = [sum(process == number for _, process, _ in done) / len(done) for number in range(8)]
    assert min(shares) > 0.8 / 8


@pytest.mark.parametrize(("requests", "tokens", "burst_s"), [(50.0, None, 1.0), (50.0, None, 60.0), (None, 500.0, 10.0)])
def test_what_an_endpoint_tells_of_its_limits_is_used_up_without_429s(
    requests: float | None, tokens: float | None, burst_s: float, clock: Clock, tmp_path: Path
) -> None:
    limit = RateLimit(requests, tokens, burst_s)
    paces = [Pace(tmp_path / "pace") for _ in range(8)]
    done = simulate(paces, clock, 60.0, lambda now: limit.take(now, 10) is not None, told=limit.headers)
    limited = sum(was for *_, was in done)
    assert limited / len(done) < 0.005
    assert (len(done) - limited) / 60.0 > 0.9 * (requests or 50.0)
    shares = [sum(process == number for _, process, _ in done) / len(done) for number in range(8)]
    assert min(shares) > 0.6 / 8


@pytest.mark.parametrize("value", ["", "soon", "-1", "nan", "1e999", "0"])
def test_rubbish_in_the_headers_limits_nothing(value: str, clock: Clock, tmp_path: Path) -> None:
    headers = {f"anthropic-ratelimit-{name}-{what}": value for name in ("requests", "input-tokens") for what in ("limit", "remaining", "reset")}
    done = simulate([Pace(tmp_path / "pace")], clock, 4.0, lambda now: False, at_once=64, told=lambda: headers)
    assert len(done) > 0.95 * 4 * 64 / 0.05


def test_now_and_then_a_429_slows_nothing_down(clock: Clock, tmp_path: Path) -> None:
    source = random.Random(1)
    done = simulate([Pace(tmp_path / "pace")], clock, 30.0, lambda now: source.random() < 0.05, at_once=64)
    assert len(done) / 30.0 > 0.8 * 64 / 0.05


def test_noise_on_top_of_a_limit_does_not_bring_it_to_a_halt(clock: Clock, tmp_path: Path) -> None:
    source, limit = random.Random(1), bucket(clock, 100.0, 20.0)
    done = simulate([Pace(tmp_path / "pace")], clock, 60.0, lambda now: source.random() < 0.05 or limit(now), at_once=64)
    late = [was for moment, _, was in done if moment > clock.now - 30]
    assert late.count(False) / 30 > 12


def test_an_endpoint_without_limits_is_soon_asked_without_any(clock: Clock, tmp_path: Path) -> None:
    done = simulate([Pace(tmp_path / "pace")], clock, 10.0, lambda now: False, at_once=64)
    assert len(done) > 0.97 * 10 * 64 / 0.05


def test_a_limit_that_is_used_up_is_waited_for(clock: Clock, tmp_path: Path) -> None:
    pace = Pace(tmp_path / "pace")
    pace.start()
    reset = datetime.fromtimestamp(time.time() + 5, UTC).isoformat()
    pace.answered(clock.now, limited=False, headers={"anthropic-ratelimit-input-tokens-remaining": "0", "anthropic-ratelimit-input-tokens-reset": reset})
    wait, again = Pace(tmp_path / "pace").start()
    assert again
    assert 3 < wait <= 5
    pace.answered(clock.now, limited=False, headers={"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "soon"})


@pytest.mark.parametrize("content", [b"", b"x", os.urandom(116), b"pace" + b"\xff" * 108, b"pace" + b"\0" * 108])
def test_rubbish_in_the_file_is_no_advice(content: bytes, clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "pace").write_bytes(content)
    pace = Pace(tmp_path / "pace")
    assert pace.start() == (0.0, False)
    pace.answered(clock.now, limited=True, headers={})


def test_without_a_file_calls_go_out(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file where a folder should be")
    pace = Pace(tmp_path / "blocked" / "pace")
    assert pace.start() == (0.0, False)
    pace.close()


def test_a_clock_that_jumps_does_not_stop_it(clock: Clock, tmp_path: Path) -> None:
    pace = Pace(tmp_path / "pace")
    simulate([pace], clock, 5.0, bucket(clock, 5.0, 1.0))
    for jump in (-900.0, 90_000.0, -math.pi):
        clock.now += jump
        wait, _ = pace.start()
        assert wait < 61


def test_every_endpoint_has_a_file_of_its_own_and_no_name_in_it() -> None:
    assert pace_file("https://a.example model") != pace_file("https://b.example model")
    assert "example" not in str(pace_file("https://a.example model"))
