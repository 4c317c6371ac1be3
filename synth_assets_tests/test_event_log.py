"""Dagster's event log with open connections: the same files as Dagster's own class, used by both at once and by several threads."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._check import CheckError
from dagster._core.events import ASSET_CHECK_EVENTS
from dagster._core.storage.event_log import SqliteEventLogStorage

from synth_assets import event_log
from synth_assets.event_log import OpenEventLog
from synth_assets.home import Home


@dg.asset
def counted() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": 3})


@dg.asset_check(asset=counted)
def enough() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["boats"]))
def sliced() -> None: ...


@dg.multi_asset_check(specs=[dg.AssetCheckSpec(f"check_{n}", asset=sliced) for n in range(9)])
def many() -> Iterator[dg.AssetCheckResult]:
    for n in range(9):
        yield dg.AssetCheckResult(asset_key="sliced", check_name=f"check_{n}", passed=True)


def materialize(instance: dg.DagsterInstance) -> str:
    done = dg.materialize([counted, enough], instance=instance)
    assert done.success
    return str(done.run_id)


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    Home(tmp_path).prepare()
    with dg.DagsterInstance.get() as found:
        yield found


def test_a_home_has_it_and_dagsters_own_class_reads_the_same(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    assert isinstance(instance.event_log_storage, OpenEventLog)
    run = materialize(instance)
    event = instance.get_latest_materialization_event(dg.AssetKey("counted"))
    assert event is not None and event.run_id == run
    theirs = SqliteEventLogStorage(str(tmp_path / "dagster" / "history" / "runs"))
    assert [e.message for e in theirs.get_logs_for_run(run)] == [e.message for e in instance.all_logs(run)]


def test_more_runs_than_connections_and_many_threads(instance: dg.DagsterInstance) -> None:
    runs = [materialize(instance) for _ in range(3)]
    log = instance.event_log_storage
    with ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(lambda n: len(log.get_logs_for_run(runs[n % 3])), range(60)))
    assert len(set(counts)) == 1 and counts[0] > 5
    shards = [f"shard-{n}" for n in range(2 * event_log.KEPT)]
    assert [len(log.get_logs_for_run(shard)) for shard in shards] == [0] * len(shards)
    assert len(log.get_logs_for_run(runs[0])) == counts[0]


def test_what_was_deleted_is_gone_and_what_comes_after_is_kept(instance: dg.DagsterInstance) -> None:
    run = materialize(instance)
    instance.delete_run(run)
    assert instance.event_log_storage.get_logs_for_run(run) == []
    instance.event_log_storage.wipe()
    assert instance.get_latest_materialization_event(dg.AssetKey("counted")) is None
    materialize(instance)
    assert instance.get_latest_materialization_event(dg.AssetKey("counted")) is not None


def test_the_last_materialization_is_read_once_and_again_after_every_change(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    fetch = SqliteEventLogStorage.fetch_materializations

    def counting(*arguments: Any, **named: Any) -> Any:
        read.append(arguments)
        return fetch(*arguments, **named)

    monkeypatch.setattr(SqliteEventLogStorage, "fetch_materializations", counting)

    def last() -> str:
        (found,) = instance.fetch_materializations(dg.AssetKey("counted"), limit=1).records
        return str(found.run_id)

    run = materialize(instance)
    read.clear()
    assert [last() for _ in range(3)] == [run] * 3 and len(read) == 1
    # By this process: results of checks change nothing, a materialization does.
    read.clear()
    assert dg.materialize([sliced, many], instance=instance, partition_key="boats").success
    assert len(read) == 1
    second = materialize(instance)
    assert last() == second
    # By another connection, as another process has.
    theirs = SqliteEventLogStorage(str(tmp_path / "dagster" / "history" / "runs"))
    theirs.delete_events(second)
    assert last() == run
    theirs.dispose()
    # By what deletes, also right after the result of a check.
    assert dg.materialize([sliced, many], instance=instance, partition_key="boats").success and last() == run
    instance.wipe_assets([dg.AssetKey("counted")])
    assert instance.fetch_materializations(dg.AssetKey("counted"), limit=1).records == []


def test_many_threads_never_see_an_old_materialization(instance: dg.DagsterInstance) -> None:
    stop: list[bool] = []
    stale: list[tuple[str, str]] = []
    newest = [materialize(instance)]

    def look() -> None:
        while not stop:
            known = newest[-1]
            (found,) = instance.fetch_materializations(dg.AssetKey("counted"), limit=1).records
            # A newer one may have come meanwhile; an older one than was known before the question may not.
            if found.run_id != known and found.run_id in newest[: newest.index(known)]:
                stale.append((found.run_id, known))

    with ThreadPoolExecutor(3) as threads:
        looks = [threads.submit(look) for _ in range(3)]
        for _ in range(8):
            newest.append(materialize(instance))
        stop.append(True)
        for one in looks:
            one.result()
    assert stale == []


def test_every_runs_file_has_the_tables_of_the_first(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    first, second = materialize(instance), materialize(instance)
    instance.event_log_storage.dispose()

    def made(run: str) -> list[Any]:
        with closing(sqlite3.connect(tmp_path / "dagster" / "history" / "runs" / f"{run}.db")) as file:
            tables = file.execute("select type, name, tbl_name, sql from sqlite_master order by 1, 2").fetchall()
            return [tables, *file.execute("select * from alembic_version"), *file.execute("pragma journal_mode")]

    assert made(first) == made(second)
    # Dagster's own class has nothing to add.
    SqliteEventLogStorage(str(tmp_path / "dagster" / "history" / "runs")).get_logs_for_run(second)
    assert made(first) == made(second)


def test_events_that_come_together_are_stored_together_or_not_at_all(instance: dg.DagsterInstance) -> None:
    run = materialize(instance)
    log = instance.event_log_storage
    planned = [
        entry for entry in instance.all_logs(run) if entry.dagster_event_type in {*ASSET_CHECK_EVENTS, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED}
    ]
    assert len(planned) >= 2
    moved = [entry._replace(run_id="another") for entry in planned]
    with pytest.raises(CheckError):
        log.store_event_batch([*moved, "no event"])  # type: ignore[list-item]
    assert log.get_logs_for_run("another") == []
    log.store_event_batch(moved)
    assert [entry.dagster_event_type for entry in log.get_logs_for_run("another")] == [entry.dagster_event_type for entry in planned]
