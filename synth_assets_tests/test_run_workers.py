"""Whether a run's process lives, by a real instance and real processes."""

import subprocess
import sys

import dagster as dg
from dagster import DagsterRun, DagsterRunStatus
from dagster._core.storage.tags import TAGS_TO_MAYBE_OMIT_ON_RETRY

from synth_assets.run_workers import OWNER, claim, dead_runs, fail_dead_runs

CLAIM = (
    "import sys, dagster as dg\n"
    "from synth_assets.run_workers import claim\n"
    "with dg.DagsterInstance.get() as instance:\n"
    "    claim(instance, instance.get_run_by_id(sys.argv[1]))\n"
    "print('claimed', flush=True)\n"
    "sys.stdin.readline()\n"
)


def started(instance: dg.DagsterInstance, **more: object) -> DagsterRun:
    return instance.add_run(DagsterRun(job_name="domain", status=DagsterRunStatus.STARTED, **more))  # type: ignore[arg-type]


def killed_at_work(instance: dg.DagsterInstance, run: DagsterRun) -> DagsterRun:
    """The run as it stands when the process that claimed it was killed."""
    worker = subprocess.Popen([sys.executable, "-c", CLAIM, run.run_id], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None and worker.stdout.readline() == "claimed\n"
    assert dead_runs(instance) == []
    worker.kill()
    worker.communicate()
    return now(instance, run)


def now(instance: dg.DagsterInstance, run: DagsterRun) -> DagsterRun:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found


def again(instance: dg.DagsterInstance, parent: DagsterRun) -> DagsterRun:
    """A re-execution that nobody works on yet, with the tags that Dagster gives it, be it started by the daemon or by hand."""
    tags = {key: value for key, value in parent.tags.items() if key not in TAGS_TO_MAYBE_OMIT_ON_RETRY}
    return started(instance, tags=tags, parent_run_id=parent.run_id, root_run_id=parent.run_id)


def test_a_run_is_dead_when_its_process_is(instance: dg.DagsterInstance) -> None:
    run = killed_at_work(instance, started(instance))
    assert [dead.run_id for dead in fail_dead_runs(instance)] == [run.run_id]
    assert now(instance, run).status is DagsterRunStatus.FAILURE


def test_a_re_execution_is_not_taken_for_dead_because_the_run_before_it_is(instance: dg.DagsterInstance) -> None:
    parent = killed_at_work(instance, started(instance))
    fail_dead_runs(instance)
    child = again(instance, now(instance, parent))
    assert child.tags[OWNER] == parent.tags[OWNER]
    assert fail_dead_runs(instance) == [] and now(instance, child).status is DagsterRunStatus.STARTED
    claim(instance, child)
    assert dead_runs(instance) == []


def test_a_re_execution_whose_own_process_is_killed_is_dead(instance: dg.DagsterInstance) -> None:
    parent = killed_at_work(instance, started(instance))
    fail_dead_runs(instance)
    child = killed_at_work(instance, again(instance, now(instance, parent)))
    assert [dead.run_id for dead in dead_runs(instance)] == [child.run_id]


def test_of_a_run_that_nobody_has_claimed_its_log_names_the_process(instance: dg.DagsterInstance) -> None:
    worker = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    parent = killed_at_work(instance, started(instance))
    fail_dead_runs(instance)
    child = again(instance, now(instance, parent))
    instance.report_engine_event(f"Started process for run (pid: {worker.pid}).", child)
    assert dead_runs(instance) == []
    worker.kill()
    worker.communicate()
    assert [dead.run_id for dead in dead_runs(instance)] == [child.run_id]
