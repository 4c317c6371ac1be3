import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from synth_assets.errors import WarehouseBusy
from synth_assets.warehouse import Warehouse
from synth_assets_tests.warehouse.rows import outcome_of, stage_rows
from synth_assets_tests.warehouse.worker import GENERATIONS, ROWS

WORKER = (sys.executable, "-m", "synth_assets_tests.warehouse.worker")
ROOT = Path(__file__).parents[1]

pytest_plugins = ("synth_assets_tests.warehouse.fixtures",)


class Worker:
    """A process of worker, and the two pipes to it."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = subprocess.Popen([*WORKER, *map(str, arguments)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def hear(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"{word}\n"

    def tell(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go on\n")
        self.process.stdin.flush()

    def end(self) -> None:
        """Kill it, if it has not ended by itself."""
        self.process.kill()
        self.process.communicate()


class Workers(list[Worker]):
    def start(self, *arguments: str | Path) -> Worker:
        self.append(Worker(*arguments))
        return self[-1]


@pytest.fixture
def workers() -> Iterator[Workers]:
    started = Workers()
    yield started
    for worker in started:
        worker.end()


def test_eight_writers_and_two_readers_at_once(warehouse: Warehouse, workers: Workers) -> None:
    domains = [f"d{n}" for n in range(8)]
    writers = [workers.start("write", warehouse.path, domain) for domain in domains]
    readers = [workers.start("watch", warehouse.path) for _ in range(2)]
    for worker in workers:
        worker.hear("ready")
    for worker in workers:  # the file does not exist yet: its first users race for making it, too
        worker.tell()
    for worker in writers:
        worker.hear("done")
    for worker in readers:
        worker.tell()
        worker.hear("done")
    for worker in workers:
        assert worker.process.wait() == 0
    last = GENERATIONS - 1
    for domain in domains:
        assert warehouse.read_passed("seeds", domain) == stage_rows("seeds", domain, ROWS, topic=str(last))
        assert [r["rule"] for r in warehouse.rows("rejections", domain)] == [str(last)]
    history = [(r["domain"], r["run_id"], r["passed"]) for r in warehouse.rows("stage_history")]
    assert history == [(d, f"run {n}", True if n == last else None) for d in domains for n in range(GENERATIONS)]
    assert [r["key"] for r in warehouse.rows("teacher_calls")] == [f"{d} {n}" for d in domains for n in range(GENERATIONS)]


@pytest.mark.parametrize("command", ["transaction", "exclusive"])
def test_a_process_that_is_killed_leaves_the_old_rows_and_no_lock(checked: Warehouse, workers: Workers, command: str) -> None:
    worker = workers.start(command, checked.path)
    worker.hear("inside")
    worker.process.kill()
    worker.process.wait()
    assert checked.read_passed("seeds", "math") == stage_rows("seeds", "math", 3)
    assert [r["stage"] for r in checked.rows("stage_accounts")] == ["seeds"]
    checked.commit_stage("seeds", "math", outcome_of(stage_rows("seeds", "math", 5)), run_id="r2")
    assert len(checked.rows("seeds")) == 5


def test_a_program_that_opens_the_file_past_its_lock_is_named(checked: Warehouse, workers: Workers) -> None:
    worker = workers.start("foreign", checked.path)
    worker.hear("inside")
    with pytest.raises(WarehouseBusy, match=rf"warehouse\.duckdb was held by .*python.* \(PID {worker.process.pid}\) for 0.1 s\. Close that program"):
        Warehouse(checked.path, lock_timeout=0.1).rows("seeds")
    worker.tell()
    assert worker.process.wait() == 0
    assert len(checked.rows("seeds")) == 3


def test_work_goes_on_when_that_program_closes_the_file(checked: Warehouse, workers: Workers) -> None:
    worker = workers.start("foreign_until_awaited", checked.path)
    worker.hear("inside")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(checked.rows, "seeds")
        worker.hear("awaited")
        assert len(waiting.result()) == 3


def test_a_lock_that_is_held_too_long_is_named(checked: Warehouse, workers: Workers) -> None:
    worker = workers.start("exclusive", checked.path)
    worker.hear("inside")
    with pytest.raises(WarehouseBusy, match=r"warehouse\.duckdb\.lock was held by another synth_assets process for 0.1 s"):
        Warehouse(checked.path, lock_timeout=0.1).rows("seeds")


def test_who_holds_the_lock_may_ask_again_past_those_who_wait(checked: Warehouse, workers: Workers) -> None:
    worker = workers.start("write", checked.path, "code")
    worker.hear("ready")
    queue = FileLock(checked.path.with_name("warehouse.duckdb.queue"))
    with checked.exclusive():
        worker.tell()
        with pytest.raises(Timeout):  # as soon as the worker stands in the queue
            while True:
                with queue.acquire(timeout=0):
                    pass
        assert {row["domain"] for row in checked.rows("seeds")} == {"math"}
    worker.hear("done")
    assert len(checked.read_passed("seeds", "code")) == ROWS


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare to mount a small file system with")
def test_a_full_disk_leaves_the_old_rows(tmp_path: Path) -> None:
    mount = f"mount -t tmpfs -o size=12m none {shlex.quote(str(tmp_path))}"
    if subprocess.run(["unshare", "--map-root-user", "--mount", "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("no small file system can be mounted in a namespace of its own here")
    fill = shlex.join([*WORKER, "fill", str(tmp_path / "warehouse.duckdb")])
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", f"{mount} && exec {fill}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said, end = done.stdout.splitlines()
    assert "warehouse.duckdb: the disk is full. Nothing of this write was kept and the rows from before are intact" in said
    assert end == "done"
