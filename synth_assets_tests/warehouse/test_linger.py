"""A process that comes back soon finds the file open, and nobody else is kept out for it."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock, Timeout

from synth_assets.warehouse import Warehouse
from synth_assets_tests.warehouse.rows import outcome_of, stage_rows

pytest_plugins = ("synth_assets_tests.warehouse.fixtures",)

LONG = 600.0
"""Seconds to linger that no test waits for."""


@pytest.fixture
def lingering(checked: Warehouse) -> Warehouse:
    warehouse = Warehouse(checked.path, linger=LONG)
    assert len(warehouse.rows("seeds")) == 3
    return warehouse


@pytest.fixture(autouse=True)
def nothing_is_left(checked: Warehouse) -> object:
    yield
    with checked.exclusive():
        pass


def is_shut(warehouse: Warehouse) -> bool:
    """Whether the lock can be had by somebody else: another lock object is one."""
    try:
        with FileLock(f"{warehouse.path}.lock").acquire(timeout=0):
            return True
    except Timeout:
        return False


def test_the_next_access_finds_the_file_open(lingering: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_shut(lingering)
    monkeypatch.setattr(duckdb, "connect", None)
    lingering.commit_stage("seeds", "math", outcome_of(stage_rows("seeds", "math", 5)), run_id="r2")
    assert len(lingering.rows("seeds")) == 5
    with ThreadPoolExecutor(1) as other_thread:
        assert len(other_thread.submit(Warehouse(lingering.path, linger=LONG).rows, "seeds").result()) == 5


def test_who_does_not_linger_closes_it(lingering: Warehouse, checked: Warehouse) -> None:
    assert len(checked.rows("seeds")) == 3
    assert is_shut(checked)


def test_it_is_closed_when_the_time_is_over(checked: Warehouse) -> None:
    assert len(Warehouse(checked.path, linger=0.05).rows("seeds")) == 3
    with FileLock(f"{checked.path}.lock").acquire(timeout=30), duckdb.connect(checked.path) as con:
        assert con.execute("select count(*) from synth.seeds").fetchone() == (3,)


def test_it_is_closed_for_who_waits(lingering: Warehouse) -> None:
    queue = FileLock(lingering.path.with_name("warehouse.duckdb.queue"))
    with queue.acquire(timeout=30), FileLock(f"{lingering.path}.lock").acquire(timeout=30):  # as a process does that waits
        duckdb.connect(lingering.path).close()


def test_it_is_not_left_open_before_who_waits(lingering: Warehouse) -> None:
    queue = FileLock(lingering.path.with_name("warehouse.duckdb.queue"))
    with lingering.read():
        queue.acquire(timeout=30)
    assert is_shut(lingering)
    queue.release()


def test_it_is_closed_for_another_program(lingering: Warehouse) -> None:
    with lingering.exclusive():
        duckdb.connect(lingering.path).close()
        assert len(lingering.rows("seeds")) == 3
        duckdb.connect(lingering.path).close()  # a second configuration of a file that is open is refused


def test_a_failed_access_leaves_nothing(lingering: Warehouse) -> None:
    with pytest.raises(duckdb.CatalogException, match="no_such_table"):
        lingering.query("select * from no_such_table")
    assert is_shut(lingering)


def test_another_file_in_its_place_is_opened(lingering: Warehouse, tmp_path: Path) -> None:
    with lingering.exclusive():
        shutil.copy(lingering.path, tmp_path / "copy")
    lingering.commit_stage("seeds", "math", outcome_of(stage_rows("seeds", "math", 5)), run_id="r2")
    (tmp_path / "copy").replace(lingering.path)
    lingering.path.with_name("warehouse.duckdb.wal").unlink()
    assert len(lingering.rows("seeds")) == 3


def test_a_folder_that_is_gone_is_let_go(checked: Warehouse) -> None:
    warehouse = Warehouse(checked.path, linger=0.2)
    assert len(warehouse.rows("seeds")) == 3
    shutil.rmtree(checked.path.parent)
    with ThreadPoolExecutor(1) as other_thread:  # the watcher comes to its end, and the next access to a new file
        assert other_thread.submit(warehouse.rows, "seeds").result() == []


def test_a_process_does_not_stay_for_it(checked: Warehouse) -> None:
    program = f"""
from pathlib import Path
from synth_assets.warehouse import Warehouse
print(Warehouse(Path({str(checked.path)!r}), linger={LONG}).rows("seeds")[0]["id"])
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stderr == ""
    assert ended.stdout.strip() == checked.rows("seeds")[0]["id"]
