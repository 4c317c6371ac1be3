"""A process beside this one says of every defect what this one says, and costs no verdict when it is gone."""

import os
import signal
import subprocess
import sys

import pytest

from synth_assets.expectations import aside
from synth_assets.expectations.catalogue import CATALOGUE
from synth_assets.expectations.validation import CheckResult, validate
from synth_assets_tests.child_processes import ends, runs
from synth_assets_tests.expectations.tables import DOMAIN, frames, good
from synth_assets_tests.expectations.test_defects import DEFECTS, Defect

pytestmark = pytest.mark.slow  # the library is imported twice

ALONE = """
import sys
from synth_assets.expectations import aside
from synth_assets.expectations.validation import validate
from synth_assets_tests.expectations.tables import DOMAIN, frames, good
facts = frames(good())
with aside.standing_by():
    assert all(result.passed for result in validate("filtered", facts["filtered"], DOMAIN, facts))
    print("great_expectations" in sys.modules, aside._present._process.pid)
"""

KILLED = """
import os, signal
from synth_assets.expectations import aside
with aside.standing_by():
    print(aside._present._process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def found(defect: Defect) -> list[CheckResult]:
    tables = good()
    defect.plant(tables)
    facts = frames(tables)
    return validate(defect.stage, facts[defect.stage], DOMAIN, facts)


def test_it_says_what_this_process_says() -> None:
    here = [found(defect) for defect in DEFECTS[::3]]
    with aside.standing_by():
        there = [found(defect) for defect in DEFECTS[::3]]
        assert aside._present is not None and aside._present._usable and aside._present._process.poll() is None
    assert sum(not result.passed for results in here for result in results) >= len(here)
    assert there == here


def test_what_no_pipe_can_carry_is_evaluated_here() -> None:
    facts = frames(good())
    seeds = facts["seeds"][[*facts["seeds"].columns, "id"]]
    here = validate("seeds", seeds, DOMAIN, facts)
    with aside.standing_by():
        assert validate("seeds", seeds, DOMAIN, facts) == here


def test_one_that_dies_costs_no_verdict() -> None:
    facts = frames(good())
    with aside.standing_by():
        assert aside._present is not None
        for stage in CATALOGUE:
            if stage == "teacher_responses":
                os.kill(aside._present._process.pid, signal.SIGKILL)
            assert all(result.passed for result in validate(stage, facts[stage], DOMAIN, facts))


def test_a_frame_that_arrow_has_no_type_for_is_evaluated_here() -> None:
    facts = frames(good())
    seeds = facts["seeds"].assign(id=2**70)
    here = validate("seeds", seeds, DOMAIN, facts)
    assert "ids_unique" in [result.name for result in here if not result.passed]
    with aside.standing_by():
        assert validate("seeds", seeds, DOMAIN, facts) == here


def test_a_run_goes_on_without_it_where_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    facts = frames(good())
    with aside.standing_by():
        assert aside._present is None
        assert all(result.passed for result in validate("seeds", facts["seeds"], DOMAIN, facts))


def test_the_library_is_loaded_there_alone_and_nothing_is_left() -> None:
    told = subprocess.run([sys.executable, "-c", ALONE], check=True, capture_output=True, text=True).stdout.split()
    assert told[0] == "False"
    assert not runs(int(told[1]))


@pytest.mark.skipif(sys.platform != "linux", reason="the state of a process is read from /proc")
def test_it_ends_with_the_process_that_started_it() -> None:
    started = subprocess.run([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True, check=False)
    assert started.returncode == -signal.SIGKILL
    assert ends(int(started.stdout))
