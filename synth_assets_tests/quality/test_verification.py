"""Answers compared by real worker processes; whatever goes wrong has a name, and it is never "wrong"."""

import os
import signal
import threading
import time

import pytest

from synth_assets.quality import verification
from synth_assets.quality.verification import VERDICTS, verify_answers

TABLE = [
    ("24", "24", "correct"),
    ("24", "$24$", "correct"),
    ("1/2", r"$\frac{1}{2}$", "correct"),
    ("1/2", "0.5", "correct"),
    ("50%", "1/2", "correct"),
    ("1,000", "1000", "correct"),
    ("3", "x=3", "correct"),
    ("5", "2+3", "correct"),
    ("24", "25", "wrong"),
    ("1/2", "1/3", "wrong"),
    ("24", "apples", "unparsable_prediction"),
    ("24", "", "unparsable_prediction"),
    ("24", " \n", "unparsable_prediction"),
    ("24", "2" * 2001, "unparsable_prediction"),
    ("24", "\ud800", "unparsable_prediction"),
    ("24", "\x00", "unparsable_prediction"),
    ("24", "__import__('os')", "unparsable_prediction"),
    ("apples", "24", "unparsable_gold"),
    ("", "24", "unparsable_gold"),
]


def test_every_pair_gets_its_own_verdict_in_order() -> None:
    assert verify_answers([(gold, prediction) for gold, prediction, _ in TABLE]) == [verdict for _, _, verdict in TABLE]


def test_nothing_is_started_for_nothing() -> None:
    before = threading.active_count()
    assert verify_answers([]) == []
    assert verify_answers([("24", "")]) == ["unparsable_prediction"]
    assert threading.active_count() == before


def test_works_off_the_main_thread_where_signals_do_not() -> None:
    verdicts: list[str] = []
    thread = threading.Thread(target=lambda: verdicts.extend(verify_answers([("24", "24"), ("24", "25")])))
    thread.start()
    thread.join()
    assert verdicts == ["correct", "wrong"]


def test_one_that_died_while_it_waited_costs_no_verdict() -> None:
    assert verify_answers([("24", "24")]) == ["correct"]
    for worker in verification._waiting:
        os.kill(worker._process.pid, signal.SIGKILL)
        worker._process.wait()
    assert verify_answers([("24", "24"), ("24", "25")]) == ["correct", "wrong"]
    assert len(verification._waiting) == 1


@pytest.mark.slow
def test_an_expression_that_never_ends_costs_its_time_limit_and_nothing_else() -> None:
    start = time.monotonic()
    assert verify_answers([("24", "24"), ("24", "9**9**9**9**9"), ("24", "24")]) == ["correct", "timeout", "correct"]
    assert time.monotonic() - start < verification.SECONDS + verification.START_SECONDS


def test_the_verdicts_are_the_documented_ones() -> None:
    assert {verdict for _, _, verdict in TABLE} < set(VERDICTS)
