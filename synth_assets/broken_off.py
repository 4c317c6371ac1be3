"""Runs that ended with an earlier UI, and starting them again with this one.

Each is marked in Dagster's storage before anything else is done, and the mark is taken away when its successor is there: a UI that ends in between,
however it ends, leaves the rest to the next one. The daemon is told to leave them alone.

Invariant: a run that was re-executed already, or all of whose steps belong to a later run, is not started.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import dagster as dg
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.storage.tags import PARENT_RUN_ID_TAG, PARTITION_NAME_TAG, WILL_RETRY_TAG
from sqlalchemy.exc import SQLAlchemyError

from synth_assets.run_workers import fail_dead_runs

__all__ = ["BROKEN_OFF", "Restarts", "collect"]

BROKEN_OFF = "synth/broken_off"
"""The tag: the run's own id while it waits to be started again. A re-execution begins with the tags of the run before it: another run's id says nothing."""
LOOKED_AT = 500
"""Newest runs among which those are that were broken off."""
AGAIN_SECONDS = 300.0
"""In which they must have been started again; of one that cannot be, since its domain is gone, the user is told then."""
_AGAIN = "mutation($p: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $p) { __typename ... on Error { message } } }"


def collect(instance: DagsterInstance) -> list[str]:
    """Fail the runs whose processes are gone, and mark what is to be started again; returns the ids of all that are marked."""
    fail_dead_runs(instance)
    later: dict[str | None, list[DagsterRun]] = defaultdict(list)
    parents: set[str | None] = set()
    marked = []
    for run in instance.get_runs(limit=LOOKED_AT):  # the newest first
        others = later[run.tags.get(PARTITION_NAME_TAG)]
        # A run of `synth-assets run` has no origin: the web server cannot start it, and nobody starts it again when it has failed.
        if run.remote_job_origin is not None and _waits(run):
            if run.run_id in parents or any(_takes_over(instance, other, run) for other in others):
                _settle(instance, run.run_id)
            else:
                instance.add_run_tags(run.run_id, {WILL_RETRY_TAG: "false", BROKEN_OFF: run.run_id})
                marked.append(run.run_id)
        if run.remote_job_origin is not None or run.status is DagsterRunStatus.SUCCESS:
            others.append(run)
        parents.add(run.parent_run_id)
    return marked


def _waits(run: DagsterRun) -> bool:
    return bool(run.is_complete_and_waiting_to_retry) or run.tags.get(BROKEN_OFF) == run.run_id


def _takes_over(instance: DagsterInstance, later: DagsterRun, run: DagsterRun) -> bool:
    """Whether `later`, of the same partition, does all that `run` was to do; a run up to `seeds` takes nothing over from one up to `mixed`."""
    wanted = _steps(instance, run)
    return bool(wanted) and wanted <= _steps(instance, later)


def _steps(instance: DagsterInstance, run: DagsterRun) -> frozenset[str]:
    if run.execution_plan_snapshot_id is None:
        return frozenset()
    return frozenset(instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id).step_keys_to_execute)


def _settle(instance: DagsterInstance, run_id: str) -> None:
    """Nobody is to start this run any more, neither we nor the daemon."""
    instance.add_run_tags(run_id, {WILL_RETRY_TAG: "false", BROKEN_OFF: "no"})


class Restarts:
    """Starts the marked runs again as soon as the web server can, once each.

    `ask` sends it a mutation and returns the answer with its `__typename`, nothing where it cannot be reached, and raises TimeoutError where the answer
    does not come.
    """

    def __init__(self, run_ids: Iterable[str], ask: Callable[..., Mapping[str, Any]], seconds: float = AGAIN_SECONDS) -> None:
        self._waiting = dict.fromkeys(run_ids, "the web server was not there in time")
        self._unanswered: set[str] = set()
        self._ask = ask
        self._give_up = time.monotonic() + seconds

    def go_on(self) -> None:
        """Start what can be started by now; when the time is over, say once what was given up."""
        if not self._waiting:
            return
        over = time.monotonic() >= self._give_up
        try:
            with dg.DagsterInstance.get() as instance:
                self._waiting = {run_id: why for run_id in self._waiting if (why := self._start(instance, run_id))}
                if over:
                    for run_id, why in self._waiting.items():
                        _tell(instance.get_run_by_id(run_id), why)
                    self._waiting = {}
        except SQLAlchemyError:
            # Storage that is locked or full for now does not end the UI; the mark stands there.
            return

    def _start(self, instance: DagsterInstance, run_id: str) -> str:
        """Have the run started where nobody has done so yet; returns why that was not possible."""
        if instance.get_run_by_id(run_id) is None:
            return ""
        if not instance.get_runs_count(dg.RunsFilter(tags={PARENT_RUN_ID_TAG: run_id})):
            if run_id not in self._unanswered:
                try:
                    answer = self._ask(_AGAIN, p={"parentRunId": run_id, "strategy": "FROM_FAILURE"})
                except TimeoutError:
                    # It may be at work on it still: asked again, it could start the run twice.
                    self._unanswered.add(run_id)
                    answer = {}
            if run_id in self._unanswered:
                return "the web server took too long to answer"
            if answer.get("__typename") != "LaunchRunSuccess":
                return _reason(answer) or self._waiting[run_id]
        _settle(instance, run_id)
        return ""


def _reason(answer: Mapping[str, Any]) -> str:
    lines = str(answer.get("message") or answer.get("__typename", "")).strip().splitlines()
    return lines[0][:300] if lines else ""


def _tell(run: DagsterRun | None, why: str) -> None:
    if run is None:
        return
    partition = run.tags.get(PARTITION_NAME_TAG)
    of, option = (f" of {partition}", f" --domain {partition}") if partition else ("", "")
    print(
        f"Not started again, though it was broken off with an earlier UI: run {run.run_id[:8]} ({run.job_name}{of}): {why}. Re-execute it under Runs "
        f"in the UI, or say `synth-assets run{option}`; what was paid is not asked again. The next UI tries it again, unless the run was deleted under Runs.",
        file=sys.stderr,
        flush=True,
    )
