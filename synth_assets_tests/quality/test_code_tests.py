"""Answers that are code: what passes, what fails, and what a run cannot do to the machine."""

import socket
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_assets.quality.code_tests import Limits, code_of, is_tests, run_tests, verify_code
from synth_assets.quality.verification import VERDICTS, verify_all

TESTS = "assert double(2) == 4\nassert double(-1) == -2"
GOOD = "It adds n to itself.\n\n```python\ndef double(n):\n    return n + n\n```\n"
QUICK = Limits(cpu_s=1, wall_s=6.0, memory_mib=256)


def block(code: str) -> str:
    return f"```python\n{code}\n```\n"


@pytest.mark.parametrize(
    ("response", "verdict"),
    [
        (GOOD, "correct"),
        ("def double(n): return 2 * n", "correct"),
        (block("def double(n):\n    return n * n"), "wrong"),
        (block("def triple(n):\n    return 3 * n"), "wrong"),
        (block("raise SystemExit(0)"), "wrong"),
        (block("import os\nos._exit(0)"), "wrong"),
        (block("print('passed')\nraise SystemExit(0)"), "wrong"),
        (block("import numpy\ndef double(n):\n    return 2 * n"), "wrong"),
        ("Double it, of course.", "unparsable_prediction"),
        ("```python\ndef double(n:\n```", "unparsable_prediction"),
        ("", "unparsable_prediction"),
    ],
)
def test_an_answer_passes_its_tests_or_does_not(response: str, verdict: str) -> None:
    assert run_tests(TESTS, response, QUICK) == verdict


@pytest.mark.parametrize("tests", ["", "4", "double(2)", "assert double(", "x = 'assert'"])
def test_what_is_no_test_is_no_fault_of_the_answer(tests: str) -> None:
    assert not is_tests(tests) and run_tests(tests, GOOD, QUICK) == "unparsable_gold"


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("while True:\n    pass", "timeout"),
        ("x = 'a' * (1 << 30)\ndef double(n):\n    return 2 * n", "wrong"),
        ("while True:\n    print('x' * 1000)", "wrong"),
        ("open('big', 'w').write('x' * (4 << 20))\ndef double(n):\n    return 2 * n", "wrong"),
        ("import subprocess\nsubprocess.run(['true'])\ndef double(n):\n    return 2 * n", "wrong"),
        ("import os\nos.fork()\ndef double(n):\n    return 2 * n", "wrong"),
        ("import os\nassert 'SECRET' not in os.environ\ndef double(n):\n    return 2 * n", "correct"),
    ],
)
def test_a_run_is_held_to_its_limits(code: str, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of ours")
    assert run_tests(TESTS, block(code), QUICK) == verdict


def test_sleeping_is_no_way_around_the_limit_of_time() -> None:
    started = time.monotonic()
    assert run_tests(TESTS, block("import time\ntime.sleep(600)"), Limits(wall_s=1.5)) == "timeout"
    assert time.monotonic() - started < 10


def test_there_is_no_network_not_even_this_machine() -> None:
    ways = ("import socket\nsocket.create_connection(('127.0.0.1', {}), 1)", "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{}')")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        for way in ways:
            assert run_tests(TESTS, block(f"{way.format(server.getsockname()[1])}\ndef double(n):\n    return 2 * n"), QUICK) == "wrong"
        with pytest.raises(BlockingIOError):
            server.accept()


def test_nothing_is_left_in_the_folder_of_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_tests(TESTS, block("open('left', 'w').write('x')\ndef double(n):\n    return 2 * n"), QUICK) == "correct"
    assert list(tmp_path.iterdir()) == []


def test_both_kinds_of_answers_are_verified_in_order() -> None:
    pairs = [("4", "8/2"), (TESTS, GOOD), ("4", "5"), (TESTS, block("double = 3"))]
    assert verify_all(pairs) == ["correct", "correct", "wrong", "wrong"]
    assert verify_code([]) == []


@given(st.text(max_size=60))
def test_any_text_at_all_is_code_or_none(text: str) -> None:
    code = code_of(text)
    assert code is None or compile(code, "x", "exec") is not None


def test_verdicts_are_those_of_the_other_verifier() -> None:
    assert {run_tests(TESTS, GOOD, QUICK), run_tests("", GOOD), run_tests(TESTS, "")} <= set(VERDICTS)
