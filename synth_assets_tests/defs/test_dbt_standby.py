"""A dbt that stands by begins when it is told to, once, and outlives nobody."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from synth_assets.defs.dbt_standby import Standby
from synth_assets_tests.child_processes import ends, runs

pytestmark = pytest.mark.slow  # loading dbt takes 3 s

PROGRAM = """
import os, signal
from pathlib import Path
from synth_assets.defs.dbt_standby import Standby
print(Standby(["--help"], Path.cwd(), os.environ)._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_begins_once(tmp_path: Path) -> None:
    standby = Standby(["--help"], tmp_path, os.environ)
    process = standby.begin()
    assert process is not None
    assert standby.begin() is None
    standby.close()  # somebody has it
    assert b"Usage: dbt" in process.communicate()[0]
    assert process.returncode == 0


def test_one_that_is_not_needed_is_ended(tmp_path: Path) -> None:
    standby = Standby(["--help"], tmp_path, os.environ)
    standby.close()
    assert not runs(standby._process.pid)
    assert standby.begin() is None


def test_one_that_died_does_not_begin(tmp_path: Path) -> None:
    standby = Standby(["--help"], tmp_path, os.environ)
    os.kill(standby._process.pid, signal.SIGKILL)
    standby._process.wait()
    assert standby.begin() is None
    standby.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the state of a process is read from /proc")
def test_it_ends_with_the_process_that_started_it() -> None:
    started = subprocess.run([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, check=False)
    assert started.returncode == -signal.SIGKILL
    assert ends(int(started.stdout))
