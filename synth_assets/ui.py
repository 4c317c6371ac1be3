"""Dagster's UI and daemon on the state folder, listening on loopback only, and nothing of them left when this ends, however it ends.

`dagster dev` starts a web server, a daemon and a code server, and they outlive it when it is killed. So all of them stand in one process group, which is
ended with its leader; and a guard, a process that does nothing but wait for this one, ends the group when this one is killed itself. Runs that were
going on end with it, show as failed at the next start, and are started again from there: what the teacher answered is in the ledger. Dagster's own
retry would not do: it gives up where the backfill of a run has ended, and a backfill whose runs have all been broken off ends first.

While it runs, the code location is loaded anew when domain files come or go, or change the time of their schedule: partitions and schedules are read
when it loads.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from urllib.error import URLError
from urllib.request import Request, urlopen

from synth_assets.domain_files import domains_folder, list_domain_names, load_settings
from synth_assets.errors import ConfigError, SynthError
from synth_assets.home import Home

__all__ = ["check_port", "serve"]

HOST = "127.0.0.1"
LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 20.0
"""For an orderly end; then the group is killed."""
AGAIN_SECONDS = 300.0
"""In which the runs that were broken off must have been started again; one that cannot be, since its domain is gone, is left alone then."""
LOCATION = "synth_assets.definitions"
WILL_RETRY_TAG, PARTITION_NAME_TAG = "dagster/will_retry", "dagster/partition"
LOOKED_AT = 500
"""Newest runs among which those are that were broken off."""
_RELOAD = "mutation($location: String!) { reloadRepositoryLocation(repositoryLocationName: $location) { __typename } }"
_AGAIN = "mutation($p: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $p) { __typename } }"


def serve(port: int) -> int:
    """Serve until interrupted or until Dagster ends by itself; returns the exit status."""
    check_port(port)
    home = Home.from_env()
    home.prepare()
    broken_off = _broken_off()
    env = os.environ | {"SYNTH_HOME": str(home.root), "DAGSTER_DISABLE_TELEMETRY": "1"}
    dagster = Path(sys.executable).with_name("dagster")
    arguments = [str(dagster), "dev", "--host", HOST, "--port", str(port), "--module-name", LOCATION]
    return _supervise(arguments, env, port, broken_off)


def _broken_off() -> list[str]:
    """Fail the runs of an earlier UI whose processes are gone; returns the ids of all that were broken off and that nobody has started again yet.

    The daemon leaves them to us.
    """
    import dagster as dg

    from synth_assets.run_workers import fail_dead_runs

    with dg.DagsterInstance.get() as instance:
        fail_dead_runs(instance)
        seen: set[tuple[str, str | None]] = set()
        ours = []
        for run in instance.get_runs(limit=LOOKED_AT):  # the newest first
            of = run.job_name, run.tags.get(PARTITION_NAME_TAG)
            if run.is_complete_and_waiting_to_retry and of not in seen:
                instance.add_run_tags(run.run_id, {WILL_RETRY_TAG: "false"})
                ours.append(run.run_id)
            seen.add(of)
    return ours


def _supervise(arguments: Sequence[str], env: Mapping[str, str], port: int, broken_off: Sequence[str]) -> int:
    process = subprocess.Popen(arguments, env=env, start_new_session=True)  # noqa: S603 - the interpreter's own neighbour, no shell
    release_guard = _guard(process.pid)
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    seen, waiting, give_up = _partitions(), list(broken_off), time.monotonic() + AGAIN_SECONDS
    try:
        while not stopping and process.poll() is None:
            time.sleep(LOOK_SECONDS)
            if waiting and time.monotonic() < give_up:
                waiting = [run for run in waiting if not _done(port, _AGAIN, p={"parentRunId": run, "strategy": "FROM_FAILURE"})]
            if (now := _partitions()) != seen and _done(port, _RELOAD, location=LOCATION):
                seen = now
    finally:
        _end(process)
        release_guard()
    return 0 if stopping else process.returncode or 1


def _guard(group: int) -> "_Release":
    """Start the process that ends `group` when this one is gone; returns what lets it go in peace."""
    # Not a fork: this process may have threads. The pipe's other end closes with this process, whatever ends it.
    reading, writing = os.pipe()
    code = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "if os.read(int(sys.argv[1]), 1) == b'':\n"
        "    for number, seconds in ((signal.SIGTERM, 5), (signal.SIGKILL, 0)):\n"
        "        try:\n"
        "            os.killpg(int(sys.argv[2]), number)\n"
        "        except ProcessLookupError:\n"
        "            break\n"
        "        time.sleep(seconds)\n"
    )
    guard = subprocess.Popen([sys.executable, "-I", "-c", code, str(reading), str(group)], pass_fds=[reading], start_new_session=True)  # noqa: S603 - own code
    os.close(reading)
    return _Release(guard, writing)


class _Release:
    """Lets the guard end without ending anything."""

    def __init__(self, guard: "subprocess.Popen[bytes]", pipe: int) -> None:
        self._guard, self._pipe = guard, pipe

    def __call__(self) -> None:
        os.write(self._pipe, b"x")
        os.close(self._pipe)
        self._guard.wait()


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the leader in order, then whatever is left of its group."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):
            break
        time.sleep(2)
    process.wait()


def _partitions() -> object:
    """What the code location reads once: names of domains and their schedules."""
    try:
        folder = domains_folder()
        return {name: _schedule(folder, name) for name in list_domain_names(folder)}
    except ConfigError as error:
        return str(error)


def _schedule(folder: Path, name: str) -> object:
    try:
        return load_settings(folder, name).schedule.model_dump()
    except ConfigError:
        return None


def _done(port: int, mutation: str, **variables: object) -> bool:
    """Ask the web server for this; False where it cannot be reached yet, or does not know the code location yet."""
    body = json.dumps({"query": mutation, "variables": variables}).encode()
    request = Request(f"http://{HOST}:{port}/graphql", body, {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
            return b"Error" not in answer.read()
    except (URLError, OSError):
        return False


def check_port(port: int) -> None:
    """Raise SynthError where somebody else listens on `port`: Dagster would choose another one without a word."""
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise SynthError(f"port {port} of {HOST} is taken ({error.strerror}): end the other program, or say --port with another number.") from error
