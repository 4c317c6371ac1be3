"""Dagster's UI and daemon on the state folder, listening on loopback only, and nothing of them left when this ends, however it ends.

`dagster dev` starts a web server, a daemon and a code server, and they outlive it when it is killed. So all of them stand in one process group, which is
ended with its leader; and a guard, a process that does nothing but wait for this one, ends the group when this one is killed itself. Runs that were
going on end with it, show as failed at the next start, and are started again from there: what the teacher answered is in the ledger. Dagster's own
retry would not do: it gives up where the backfill of a run has ended, and a backfill whose runs have all been broken off ends first. See `broken_off`.

While it runs, the code location is loaded anew when domain files come or go, or change the time of their schedule: partitions and schedules are read
when it loads. The sockets by which Dagster's processes speak stand in a folder that goes when this ends, however it ends: whoever is killed leaves
its own behind.

The location is loaded anew as well when the process that holds it has died, as by the kernel for want of memory: Dagster tells of that, and starts no other.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from types import FrameType
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from synth_assets.domain_files import domains_folder, list_domain_names, load_settings
from synth_assets.errors import ConfigError, SynthError
from synth_assets.home import SHARED_TEMPORARY, Home

if TYPE_CHECKING:
    from synth_assets.broken_off import Restarts

__all__ = ["ask", "check_port", "serve"]

HOST = "127.0.0.1"
LOOK_SECONDS = 1.0
LOOKS = 5
"""Looks at the domain files for one at the code location, which costs the web server an answer."""
PATIENCE_SECONDS = 20.0
"""For an orderly end; then the group is killed."""
FOLDER_LENGTH = 90
"""Characters of a folder that leave room for a socket's name: its path has 107 at most."""
LOCATION = "synth_assets.definitions"
_RELOAD = "mutation($location: String!) { reloadRepositoryLocation(repositoryLocationName: $location) { __typename } }"
_STATE = "query { workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { ... on PythonError { message } } } } } }"
_UNREACHABLE = "DagsterUserCodeUnreachableError"


def serve(port: int) -> int:
    """Serve until interrupted or until Dagster ends by itself; returns the exit status."""
    check_port(port)
    home = Home.from_env()
    home.prepare()
    restarts = _restarts(port)
    env = os.environ | {"SYNTH_HOME": str(home.root), "DAGSTER_DISABLE_TELEMETRY": "1", SHARED_TEMPORARY: gettempdir()}
    dagster = Path(sys.executable).with_name("dagster")
    arguments = [str(dagster), "dev", "--host", HOST, "--port", str(port), "--module-name", LOCATION]
    with TemporaryDirectory(prefix="synth-ui-", ignore_cleanup_errors=True) as folder:
        # Where its name is too long for a socket in it, they stand where they stood.
        return _supervise(arguments, env | ({"TMPDIR": folder} if len(folder) <= FOLDER_LENGTH else {}), port, restarts, Path(folder))


def _restarts(port: int) -> "Restarts":
    import dagster as dg

    from synth_assets.broken_off import Restarts, collect

    with dg.DagsterInstance.get() as instance:
        return Restarts(collect(instance), partial(ask, port))


def _supervise(arguments: Sequence[str], env: Mapping[str, str], port: int, restarts: "Restarts", temporary: Path) -> int:
    process = subprocess.Popen(arguments, env=env, start_new_session=True)  # noqa: S603 - the interpreter's own neighbour, no shell
    release_guard = _guard(process.pid, temporary)
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    seen = _partitions()
    looks = 0
    try:
        while not stopping and process.poll() is None:
            time.sleep(LOOK_SECONDS)
            looks += 1
            restarts.go_on()
            lost = looks % LOOKS == 0 and _lost(port)
            if lost:
                print("The process that held the definitions has ended; another one is started.", file=sys.stderr, flush=True)
            if ((now := _partitions()) != seen or lost) and _reloaded(port):
                seen = now
    finally:
        _end(process)
        release_guard()
    return 0 if stopping else process.returncode or 1


def _guard(group: int, temporary: Path) -> "_Release":
    """Start the process that ends `group`, and deletes its folder, when this one is gone; returns what lets it go in peace."""
    # Not a fork: this process may have threads. The pipe's other end closes with this process, whatever ends it.
    reading, writing = os.pipe()
    code = (
        "import os, shutil, signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "if os.read(int(sys.argv[1]), 1) == b'':\n"
        "    for number, seconds in ((signal.SIGTERM, 5), (signal.SIGKILL, 0)):\n"
        "        try:\n"
        "            os.killpg(int(sys.argv[2]), number)\n"
        "        except ProcessLookupError:\n"
        "            break\n"
        "        time.sleep(seconds)\n"
        "    shutil.rmtree(sys.argv[3], ignore_errors=True)\n"
    )
    guard = subprocess.Popen([sys.executable, "-I", "-c", code, str(reading), str(group), str(temporary)], pass_fds=[reading], start_new_session=True)  # noqa: S603 - own code
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


def _reloaded(port: int) -> bool:
    """Have the code location loaded anew; False where the web server cannot be reached yet, or does not know it yet."""
    try:
        return ask(port, _RELOAD, location=LOCATION).get("__typename") == "WorkspaceLocationEntry"
    except TimeoutError:
        return False


def _lost(port: int) -> bool:
    """Whether the code location cannot be reached any more; one that cannot be loaded is another matter."""
    try:
        entries = ask(port, _STATE).get("locationEntries") or []
    except TimeoutError:
        return False
    return any(_UNREACHABLE in str(entry["locationOrLoadError"]) for entry in entries)


def ask(port: int, query: str, seconds: float = 60, **variables: object) -> dict[str, Any]:
    """What the web server answers to a query or mutation of one field; nothing where it cannot be reached, or cannot answer.

    Raises:
        TimeoutError: it was sent, and no answer came in so many seconds.
    """
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = Request(f"http://{HOST}:{port}/graphql", body, {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=seconds) as answer:  # noqa: S310 - as above
            (found,) = (json.load(answer).get("data") or {}).values()
    except TimeoutError:
        raise
    except (OSError, HTTPException, ValueError):
        return {}
    return found or {}


def check_port(port: int) -> None:
    """Raise SynthError where somebody else listens on `port`: Dagster would choose another one without a word."""
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise SynthError(f"port {port} of {HOST} is taken ({error.strerror}): end the other program, or say --port with another number.") from error
