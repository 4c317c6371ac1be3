"""`synth-assets ui` in a process of its own, and what a person does in it, by the GraphQL that its pages use."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from synth_assets.processes import Process, of_home
from synth_assets_tests.graph.world import command

LOCATION = {"repositoryName": "__repository__", "repositoryLocationName": "synth_assets.definitions"}
_START_SCHEDULE = "mutation($s: ScheduleSelector!) { startSchedule(scheduleSelector: $s) { __typename ... on PythonError { message } } }"
_STOP_SCHEDULE = "mutation($id: String!) { stopRunningSchedule(id: $id) { __typename ... on PythonError { message } } }"
_START_SENSOR = "mutation($s: SensorSelector!) { startSensor(sensorSelector: $s) { __typename ... on PythonError { message } } }"
_BACKFILL = (
    "mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p)"
    " { __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"
)
_RUNS = "query($f: RunsFilter, $n: Int) { runsOrError(filter: $f, limit: $n) { ... on Runs { results { runId status jobName tags { key value } } } } }"
_LAUNCH = (
    "mutation($p: ExecutionParams!) { launchPipelineExecution(executionParams: $p)"
    " { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"
)
_TERMINATE = "mutation($id: String!) { terminateRun(runId: $id) { __typename ... on PythonError { message } } }"
_REEXECUTE = (
    "mutation($p: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $p)"
    " { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"
)
_INSTIGATORS = (
    "query($r: RepositorySelector!) { schedulesOrError(repositorySelector: $r) { ... on Schedules"
    " { results { name description scheduleState { id status } } } }"
    " sensorsOrError(repositorySelector: $r) { ... on Sensors { results { name description sensorState { id status } } } } }"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class DagsterUi:
    """The UI on a state folder until the end of the block; then nothing of it is left."""

    def __init__(self, env: Mapping[str, str], log: Path | None = None) -> None:
        self.env, self.port, self._log = dict(env), free_port(), log
        self.root = Path(self.env["SYNTH_HOME"])
        self._before: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        if self._before is not None:
            self._before.wait(60)
        log = self._log.open("ab") if self._log else None
        self._before = self.process = subprocess.Popen(
            command("ui", "--port", str(self.port)), env=self.env, stdout=log or subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
        if log:
            log.close()
        self.wait(self.answers, 180, "the UI to answer")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def kill(self) -> None:
        """`kill -9` of the front alone."""
        self.process.kill()
        self.process.wait()

    def working(self) -> list[Process]:
        """Processes on this state folder."""
        return of_home(self.root)

    def parts(self, word: str) -> list[int]:
        """Ids of the processes whose command has `word`."""
        return [process.pid for process in self.working() if word in process.command]

    def gone(self, seconds: float = 40) -> None:
        self.wait(lambda: not self.working(), seconds, lambda: f"these to end: {', '.join(map(str, self.working()))}")

    @staticmethod
    def wait(ready: Callable[[], Any], seconds: float, what: str | Callable[[], str]) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := ready()):
            assert time.monotonic() < deadline, f"waited {seconds:g} s for {what if isinstance(what, str) else what()}"
            time.sleep(0.3)
        return found

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)
        assert "errors" not in found, found["errors"]
        data: dict[str, Any] = found["data"]
        for value in data.values():
            assert not isinstance(value, dict) or "message" not in value, value
        return data

    def answers(self) -> bool:
        """Whether the web server and the code server behind it are there."""
        assert self.process.poll() is None, f"the UI ended with {self.process.returncode}"
        try:
            return bool(self.ask(_INSTIGATORS, r=LOCATION)["schedulesOrError"].get("results"))
        except (urllib.error.URLError, OSError, AssertionError):
            return False

    def instigators(self) -> dict[str, dict[str, str]]:
        """Schedules and sensors as they are listed: description, status and id by name."""
        data = self.ask(_INSTIGATORS, r=LOCATION)
        states = [(one, one["scheduleState"]) for one in data["schedulesOrError"]["results"]]
        states += [(one, one["sensorState"]) for one in data["sensorsOrError"]["results"]]
        return {one["name"]: {"description": one["description"], **state} for one, state in states}

    def switch_on(self, name: str) -> None:
        kind, query = ("schedule", _START_SCHEDULE) if name.startswith("nightly_") else ("sensor", _START_SENSOR)
        self.ask(query, s={**LOCATION, f"{kind}Name": name})

    def switch_off(self, name: str) -> None:
        self.ask(_STOP_SCHEDULE, id=self.instigators()[name]["id"])

    def backfill(self, partitions: list[str]) -> str:
        """As "Materialize" on the job's partitions."""
        selector = {"partitionSetName": "domain_partition_set", "repositorySelector": LOCATION}
        found = self.ask(_BACKFILL, p={"selector": selector, "partitionNames": partitions, "fromFailure": False})
        return str(found["launchPartitionBackfill"]["backfillId"])

    def launch(self, domain: str, assets: list[str] | None = None) -> str:
        """One run of a domain, or of some of its assets."""
        selector = {**LOCATION, "jobName": "domain"}
        if assets is not None:
            selector["assetSelection"] = [{"path": asset.split("/")} for asset in assets]  # type: ignore[assignment]
        tags = [{"key": "dagster/partition", "value": domain}]
        found = self.ask(_LAUNCH, p={"selector": selector, "runConfigData": {}, "executionMetadata": {"tags": tags}})
        return str(found["launchPipelineExecution"]["run"]["runId"])

    def again(self, run_id: str) -> str:
        """Re-execution from failure."""
        found = self.ask(_REEXECUTE, p={"parentRunId": run_id, "strategy": "FROM_FAILURE"})
        return str(found["launchRunReexecution"]["run"]["runId"])

    def cancel(self, run_id: str) -> None:
        self.ask(_TERMINATE, id=run_id)

    def runs(self, limit: int = 200, **filters: Any) -> list[dict[str, Any]]:
        found = self.ask(_RUNS, f=filters, n=limit)["runsOrError"]["results"]
        return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def ended(self, run_id: str, seconds: float = 200) -> str:
        """The run's status when it has ended."""

        def status() -> str | None:
            found = self.runs(runIds=[run_id])
            return found[0]["status"] if found and found[0]["status"] in {"SUCCESS", "FAILURE", "CANCELED"} else None

        return str(self.wait(status, seconds, f"run {run_id} to end"))


def kill(*pids: int) -> None:
    """`kill -9`."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
