"""Which process works on a Dagster run, and whether it still lives.

Dagster's own launcher never asks, so a run whose process was killed would show as started, and take one of the places in the queue, for ever. Here
every run is tagged with its process as soon as it opens a resource; before that its log names the process. A re-execution begins with the tags of the
run before it, so the tag says whose it is, and that of another run says nothing. The launcher below tells the daemon, which fails the run and, by
`run_retries`, starts it again from the failure; `synth-assets run` looks by itself when it begins.

Invariant: a run is called dead only when the operating system says that its process is.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus

from synth_assets.teacher.owners import current_owner, is_alive

__all__ = ["OWNER", "WatchedRunLauncher", "claim", "dead_runs", "fail_dead_runs"]

OWNER = "synth/process"
"""The tag: host, boot, process id and its start time, and the run that the process works on."""

_WORKING = (DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING)
_PID = re.compile(r"\(pid: (\d+)\)")
_KILLED = (
    "The process of this run is gone: it was killed, or the machine was restarted. What the teacher answered is in the ledger; run it again from the failure."
)


def claim(instance: DagsterInstance, run: DagsterRun) -> None:
    """Tag `run` with this process."""
    if run.tags.get(OWNER) != (owner := f"{current_owner()}|{run.run_id}"):
        instance.add_run_tags(run.run_id, {OWNER: owner})


def dead_runs(instance: DagsterInstance) -> list[DagsterRun]:
    """Runs that show as started and have no process any more."""
    return [run for run in instance.get_runs(dg.RunsFilter(statuses=list(_WORKING))) if _is_dead(instance, run)]


def fail_dead_runs(instance: DagsterInstance) -> list[DagsterRun]:
    """Mark the dead runs as failed, so that they hold no place in the queue and can be run again; returns them."""
    found = dead_runs(instance)
    for run in found:
        instance.report_run_failed(run, _KILLED)
    return found


def _is_dead(instance: DagsterInstance, run: DagsterRun) -> bool:
    owner = run.tags.get(OWNER, "")
    if owner.endswith(f"|{run.run_id}"):
        return not is_alive(owner, datetime.now(UTC))
    pids = list(_named_pids(instance, run))
    return bool(pids) and not Path(f"/proc/{pids[-1]}").exists() and Path("/proc/self").exists()


def _named_pids(instance: DagsterInstance, run: DagsterRun) -> Iterator[int]:
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        if entry.dagster_event is not None and (found := _PID.search(entry.dagster_event.message or "")):
            yield int(found[1])


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's launcher of runs in processes of the code server, which also says whether they live."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """True: run monitoring may ask."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """FAILED where the run's process is gone."""
        if _is_dead(self._instance, run):
            return CheckRunHealthResult(WorkerStatus.FAILED, _KILLED)
        return CheckRunHealthResult(WorkerStatus.RUNNING)
