"""Dagster's event log with open connections: the same files as Dagster's own class, used by both at once and by several threads."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest
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
