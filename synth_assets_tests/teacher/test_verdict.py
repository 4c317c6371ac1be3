"""When failing calls stop a plan."""

import pytest

from synth_assets.errors import StageFailed
from synth_assets.teacher.messages import Reply
from synth_assets.teacher.verdict import Failures


def good(number: int = 0) -> Reply:
    return Reply(f"good{number}", "yes", "end_turn", "m")


def bad(number: int = 0, evidence: str = "prompt is too long") -> Reply:
    return Reply(f"bad{number}", "", "failed", "m", failure="bad_request", evidence=evidence)


def test_first_calls_that_fail_alike_stop_it_and_are_named() -> None:
    failures = Failures(1.0)
    for number in range(4):
        failures.count(bad(number, f"req_01{number}: prompt is {number} tokens too long"))
    with pytest.raises(StageFailed, match=r"first calls fail alike: 5 of 5 calls failed.*bad_request: req_010: prompt is 0 tokens.*calls bad0, bad1, bad2"):
        failures.count(bad(4, "req_019: prompt is 9 tokens too long"))


def test_first_calls_that_fail_differently_or_late_do_not() -> None:
    failures = Failures(1.0)
    for reply in (bad(0), bad(1), good(), bad(2), bad(3), bad(4), bad(5)):
        failures.count(reply)
    failures.judge()
    other = Failures(1.0)
    for number in range(6):
        other.count(bad(number, "abcdef"[number]))


def test_a_share_stops_it_from_twenty_calls_on_and_at_the_end() -> None:
    failures = Failures(0.25)
    for number in range(14):
        failures.count(good(number))
    for number in range(5):
        failures.count(bad(number))
    with pytest.raises(StageFailed, match=r"share of 0.25 that max_failed_share allows: 6 of 20"):
        failures.count(bad(6))
    small = Failures(0.25)
    small.count(good())
    small.count(bad())
    with pytest.raises(StageFailed, match="1 of 2"):
        small.judge()
    Failures(0.0).judge()
