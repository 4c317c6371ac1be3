"""One other process that uses the warehouse, for test_processes: `python -m synth_assets_tests.warehouse.worker COMMAND PATH ...`.

It says what it has done in lines on stdout and waits for lines on stdin, so that no test needs to guess how long anything takes.
"""

import hashlib
import select
import sys
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from synth_assets.accounts import Outcome
from synth_assets.errors import WarehouseError
from synth_assets.warehouse import Warehouse
from synth_assets_tests.warehouse.rows import outcome_of, paid_call, stage_rows

ROWS = 40
"""Rows of every slice that `write` writes; each carries the number of its generation as topic, and so does one rejection."""
GENERATIONS = 3


def say(word: str) -> None:
    print(word, flush=True)


def wait() -> str:
    return sys.stdin.readline().strip()


def generation_of(domain: str, generation: int) -> Outcome:
    outcome = outcome_of(stage_rows("seeds", domain, ROWS, topic=str(generation)))
    outcome.planned += 1
    outcome.reject({"id": "r"}, str(generation))
    return outcome


def write(path: Path, domain: str) -> None:
    """Commit one generation of `domain` after the other."""
    warehouse = Warehouse(path)
    say("ready")
    wait()
    for n in range(GENERATIONS):
        warehouse.commit_stage("seeds", domain, generation_of(domain, n), run_id=f"run {n}", calls=[paid_call(f"{domain} {n}")])
    warehouse.mark_checked("seeds", domain, f"run {GENERATIONS - 1}", True)
    say("done")


def watch(path: Path) -> None:
    """Read all slices again and again until told to stop; each must be whole, of one generation, and never older than before."""
    warehouse = Warehouse(path)
    seen: dict[str, int] = {}
    say("ready")
    wait()
    while True:
        stop = bool(select.select([sys.stdin], [], [], 0)[0])
        topics = defaultdict(list)
        with warehouse.read():
            for row in warehouse.rows("seeds"):
                topics[row["domain"]].append(int(row["topic"]))
            rejected = {row["domain"]: int(row["rule"]) for row in warehouse.rows("rejections")}
        for domain, found in topics.items():
            assert len(found) == ROWS, f"{domain}: {len(found)} rows"
            assert set(found) == {rejected[domain]}, f"{domain}: generations {set(found)}, rejected by {rejected[domain]}"
            assert found[0] >= seen.get(domain, 0), f"{domain}: generation {found[0]} after {seen[domain]}"
            seen[domain] = found[0]
        if stop:
            break
    say("done")


def transaction(path: Path) -> None:
    """Stop inside a transaction that has replaced every row."""
    with Warehouse(path).transaction() as con:
        con.execute("delete from synth.seeds")
        con.execute("insert into synth.stage_accounts values ('math', 'filtered', 1, 1, 1, 0, 0)")
        say("inside")
        wait()


def exclusive(path: Path) -> None:
    """Hold the lock and nothing else."""
    with Warehouse(path).exclusive():
        say("inside")
        wait()


def foreign(path: Path) -> None:
    """Open the file past its lock, as DuckDB's own shell does, until told to close it."""
    with closing(duckdb.connect(path)):
        say("inside")
        wait()


def foreign_until_awaited(path: Path) -> None:
    """Open the file past its lock and close it when somebody holds the lock, so stands before the file."""
    lock = FileLock(f"{path}.lock")
    with closing(duckdb.connect(path)):
        say("inside")
        try:
            while True:
                with lock.acquire(timeout=0):
                    pass
        except Timeout:
            say("awaited")


def fill(path: Path) -> None:
    """Write more than the disk can hold, then read what was there before."""
    warehouse = Warehouse(path)
    warehouse.commit_stage("seeds", "math", generation_of("math", 1), run_id="r1")
    warehouse.mark_checked("seeds", "math", "r1", True)
    rows = stage_rows("seeds", "math", 20_000, topic="2")
    for row in rows:
        row["response"] = "".join(hashlib.sha512(f"{row['id']} {n}".encode()).hexdigest() for n in range(8))
    try:
        warehouse.commit_stage("seeds", "math", outcome_of(rows), run_id="r2")
    except WarehouseError as error:
        say(str(error))
    assert warehouse.read_passed("seeds", "math") == generation_of("math", 1).kept
    assert len(warehouse.rows("rejections")) == len(warehouse.rows("stage_history")) == 1
    say("done")


COMMANDS = {f.__name__: f for f in (write, watch, transaction, exclusive, foreign, foreign_until_awaited, fill)}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
