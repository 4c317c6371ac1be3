"""Which runs are started again with the next UI, by a real instance and the real jobs; the web server is in `graph/test_broken_off.py`."""

import socket
from collections.abc import Sequence
from functools import partial
from typing import Self

import dagster as dg
import pytest
from dagster import DagsterRun, DagsterRunStatus
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.storage.tags import PARENT_RUN_ID_TAG, ROOT_RUN_ID_TAG, TAGS_TO_MAYBE_OMIT_ON_RETRY
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from synth_assets.broken_off import BROKEN_OFF, Restarts, collect
from synth_assets.definitions import defs
from synth_assets.ui import ask

LOCATION = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name="synth_assets.definitions"), "synth_assets.definitions")
ASSETS = "__ASSET_JOB"
"""The job of "Materialize" on assets."""


def run(
    instance: dg.DagsterInstance, status: str, domain: str = "boats", job: str = "domain", assets: Sequence[str] = (), *, ui: bool = True, **more: object
) -> DagsterRun:
    """A run of the UI, or of `synth-assets run`, that stands so; `broken off` is what the next UI finds of one whose process is gone."""
    chosen = {dg.AssetKey(name) for name in assets} or None
    definition = defs.resolve_job_def(job).get_subset(asset_selection=chosen)
    made = instance.create_run_for_job(
        definition,
        status=DagsterRunStatus.STARTED if status == "broken off" else DagsterRunStatus[status],
        asset_selection=chosen,
        remote_job_origin=RemoteJobOrigin(RemoteRepositoryOrigin(LOCATION, "__repository__"), job) if ui else None,
        **{"tags": {"dagster/partition": domain} if domain else {}, **more},  # type: ignore[arg-type]
    )
    if status == "broken off":
        instance.report_run_failed(made, "killed")
    return made


def tags(instance: dg.DagsterInstance, run: DagsterRun) -> dict[str, str]:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return dict(found.tags)


def again(instance: dg.DagsterInstance, parent: DagsterRun, status: str) -> DagsterRun:
    """A re-execution, with the tags that Dagster gives it."""
    kept = {key: value for key, value in tags(instance, parent).items() if key not in TAGS_TO_MAYBE_OMIT_ON_RETRY}
    kept |= {PARENT_RUN_ID_TAG: parent.run_id, ROOT_RUN_ID_TAG: parent.run_id}
    return run(instance, status, tags=kept, parent_run_id=parent.run_id, root_run_id=parent.run_id)


def test_a_ui_that_ends_before_it_has_started_them_leaves_them_to_the_next(instance: dg.DagsterInstance) -> None:
    broken = run(instance, "broken off")
    assert collect(instance) == [broken.run_id]
    assert tags(instance, broken)["dagster/will_retry"] == "false", "the daemon would start it as well"
    assert collect(instance) == [broken.run_id]


def test_a_run_that_was_re_executed_is_not_started_a_second_time(instance: dg.DagsterInstance) -> None:
    broken = run(instance, "broken off")
    collect(instance)
    again(instance, broken, "QUEUED")
    assert collect(instance) == [] and tags(instance, broken)[BROKEN_OFF] != broken.run_id
    # One that the daemon would retry though somebody has done so by hand.
    other = run(instance, "broken off", "harbours")
    again(instance, other, "SUCCESS")
    assert collect(instance) == [] and tags(instance, other)["dagster/will_retry"] == "false"


def test_a_re_execution_that_fails_by_its_own_fault_is_not_taken_for_broken_off(instance: dg.DagsterInstance) -> None:
    broken = run(instance, "broken off")
    collect(instance)
    child = again(instance, broken, "FAILURE")
    assert BROKEN_OFF in child.tags
    assert collect(instance) == []


def test_a_re_execution_that_is_broken_off_itself_is_started_again(instance: dg.DagsterInstance) -> None:
    broken = run(instance, "broken off")
    collect(instance)
    child = again(instance, broken, "broken off")
    assert collect(instance) == [child.run_id]


@pytest.mark.parametrize("job", ["domain", ASSETS])
@pytest.mark.parametrize("marked", [False, True])
def test_what_the_command_line_has_completed_since_is_not_started(instance: dg.DagsterInstance, job: str, marked: bool) -> None:
    broken = run(instance, "broken off", job=job, assets=["seeds", "filtered"] if job == ASSETS else ())
    assert not marked or collect(instance) == [broken.run_id]
    run(instance, "SUCCESS", ui=False)
    assert collect(instance) == []
    assert tags(instance, broken)["dagster/will_retry"] == "false"


def test_a_part_of_it_or_another_domain_completes_nothing(instance: dg.DagsterInstance) -> None:
    broken = run(instance, "broken off")
    run(instance, "SUCCESS", assets=["seeds"], ui=False)
    run(instance, "SUCCESS", "harbours", ui=False)
    run(instance, "SUCCESS", "", "release_all")
    assert collect(instance) == [broken.run_id]


def test_runs_of_the_command_line_are_left_to_it_and_hide_none_of_the_ui(instance: dg.DagsterInstance) -> None:
    broken = run(instance, "broken off")
    killed = run(instance, "broken off", ui=False)
    run(instance, "FAILURE", ui=False)
    assert collect(instance) == [broken.run_id]
    assert BROKEN_OFF not in tags(instance, killed)


@pytest.mark.parametrize("status", ["QUEUED", "STARTED", "FAILURE", "broken off"])
def test_of_two_runs_of_a_domain_only_the_later_counts(instance: dg.DagsterInstance, status: str) -> None:
    earlier = run(instance, "broken off")
    later = run(instance, status)
    assert collect(instance) == ([later.run_id] if status == "broken off" else [])
    assert tags(instance, earlier)["dagster/will_retry"] == "false"


def test_runs_of_no_domain_are_told_apart_by_what_they_do(instance: dg.DagsterInstance) -> None:
    release, report = run(instance, "broken off", "", "release_all"), run(instance, "broken off", "", "quality")
    assert set(collect(instance)) == {release.run_id, report.run_id}


class Silent:
    """A server on a port of its own that takes every request and answers none."""

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def asked(self) -> int:
        """How often, since this was read last."""
        self._socket.setblocking(False)
        found = 0
        while True:
            try:
                self._socket.accept()[0].close()
            except BlockingIOError:
                return found
            found += 1


def test_what_cannot_be_started_in_time_is_told_once_and_stays_marked(instance: dg.DagsterInstance, capsys: pytest.CaptureFixture[str]) -> None:
    with Silent() as server:
        nobody = server.port
    broken = run(instance, "broken off")
    restarts = Restarts(collect(instance), partial(ask, nobody), seconds=0)
    restarts.go_on()
    restarts.go_on()
    told = capsys.readouterr().err
    assert told.count(broken.run_id[:8]) == 1 and "of boats" in told and "`synth-assets run --domain boats`" in told
    assert collect(instance) == [broken.run_id]


def test_a_run_that_was_deleted_or_re_executed_meanwhile_is_dropped_without_asking(instance: dg.DagsterInstance, capsys: pytest.CaptureFixture[str]) -> None:
    deleted, by_hand = run(instance, "broken off"), run(instance, "broken off", "harbours")
    with Silent() as server:
        restarts = Restarts(collect(instance), partial(ask, server.port, seconds=1), seconds=0)
        instance.delete_run(deleted.run_id)
        again(instance, by_hand, "STARTED")
        restarts.go_on()
        assert server.asked() == 0
    assert capsys.readouterr().err == ""
    assert collect(instance) == []


def test_a_web_server_that_does_not_answer_is_not_asked_twice_for_one_run(instance: dg.DagsterInstance) -> None:
    broken = run(instance, "broken off")
    with Silent() as server:
        restarts = Restarts(collect(instance), partial(ask, server.port, seconds=1))
        restarts.go_on()
        assert server.asked() == 1
        restarts.go_on()
        assert server.asked() == 0
        # It had been at work on it.
        again(instance, broken, "QUEUED")
        restarts.go_on()
        assert server.asked() == 0
    assert collect(instance) == [] and tags(instance, broken)[BROKEN_OFF] != broken.run_id
