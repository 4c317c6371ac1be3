"""Runs that end with their UI and are started again with the next one: real UIs, killed at the moments that matter, one story on one state folder."""

import subprocess
import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from synth_assets_tests.graph.dagster_ui import DagsterUi, kill
from synth_assets_tests.graph.world import command, environment, teacher, write_domain
from synth_assets_tests.messages_api import MessagesApi

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterUi]:
    folder = tmp_path_factory.mktemp("broken-off")
    with MessagesApi(teacher) as api:
        env = environment(folder / "home", write_domain(folder / "domains"), api.url)
        with DagsterUi(env, folder / "ui.log") as found:
            yield found


@pytest.fixture(autouse=True)
def same_home(ui: DagsterUi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(ui.root / "dagster"))


def stored(run_id: str) -> dg.DagsterRun:
    with dg.DagsterInstance.get() as instance:
        found = instance.get_run_by_id(run_id)
    assert found is not None
    return found


def children(ui: DagsterUi, run_id: str) -> list[dict[str, Any]]:
    return [run for run in ui.runs() if run["tags"].get("dagster/parent_run_id") == run_id]


def at_work(ui: DagsterUi, run_id: str) -> bool:
    return str(ui.runs(runIds=[run_id])[0]["tags"].get("synth/process", "")).endswith(run_id)


def power_cut(ui: DagsterUi) -> None:
    """Everything at once."""
    kill(ui.process.pid, *(process.pid for process in ui.working()))
    ui.process.wait()
    ui.gone(60)


def test_a_run_is_started_again_even_if_the_ui_after_it_ended_before_it_could_answer(ui: DagsterUi) -> None:
    run = ui.launch("boats")
    ui.wait(lambda: at_work(ui, run), 300, "the run to have a process")
    power_cut(ui)
    assert stored(run).status is dg.DagsterRunStatus.STARTED

    short = subprocess.Popen(command("ui", "--port", str(ui.port)), env=ui.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ui.wait(lambda: stored(run).tags.get("dagster/will_retry") == "false", 120, "the second UI to take the run from the daemon")
    ui.wait(lambda: ui.parts("dagster dev"), 60, "Dagster to start")
    time.sleep(0.5)
    kill(short.pid, *(process.pid for process in ui.working()))
    short.wait()
    ui.gone(60)
    assert stored(run).status is dg.DagsterRunStatus.FAILURE

    ui.start()
    (child,) = ui.wait(lambda: children(ui, run), 120, "the run to be started again")
    ui.wait(lambda: at_work(ui, child["runId"]), 300, "its re-execution to have a process")
    assert stored(run).tags["synth/broken_off"] == "no"


def test_a_re_execution_that_is_broken_off_too_is_started_again_and_the_first_run_is_not(ui: DagsterUi) -> None:
    first = min(ui.runs(), key=lambda run: "dagster/parent_run_id" in run["tags"])["runId"]
    (child,) = children(ui, first)
    power_cut(ui)
    ui.start()
    (grandchild,) = ui.wait(lambda: children(ui, child["runId"]), 120, "the re-execution to be started again")
    ui.wait(lambda: at_work(ui, grandchild["runId"]), 300, "it to have a process")
    assert len(ui.runs()) == 3
    ui.cancel(grandchild["runId"])


def test_an_answer_is_known_by_its_type_and_not_by_its_wording(ui: DagsterUi) -> None:
    from synth_assets.ui import ask

    reload = "mutation($location: String!) { reloadRepositoryLocation(repositoryLocationName: $location) { __typename } }"
    assert ask(ui.port, reload, location="nowhere") == {"__typename": "RepositoryLocationNotFound"}
    assert ask(ui.port, reload, location="synth_assets.definitions") == {"__typename": "WorkspaceLocationEntry"}
    assert ask(ui.port, "mutation { noSuchField { __typename } }") == {}
    ui.stop()
    assert ask(ui.port, reload, location="synth_assets.definitions") == {}
    ui.gone(60)
