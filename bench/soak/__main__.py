"""A night in half an hour: `python -m bench.soak --minutes 30`. Eight domains, a tick a minute, random kills, a faulty teacher, changing domain files.

The real UI, daemon and runs, as a user starts them; the teacher is the tests' double in a process of its own. At the end the schedules stop, what is
queued ends, and everything must add up. It is a folder, so that `make bench` does not run it.
"""

import argparse
import json
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from synth_assets.health.machine import size_of
from synth_assets.processes import of_home
from synth_assets.warehouse import Warehouse
from synth_assets_tests.graph.dagster_ui import DagsterUi, kill
from synth_assets_tests.graph.test_run import BALANCE
from synth_assets_tests.graph.world import environment, synth_assets, write_domain
from synth_assets_tests.messages_api import Served

CHECKS = {"regression": {"diversity": None}}
"""Another seed makes other rows, so few that a regression gate takes what is a draw for a collapse."""
FAULTS = {"rate_limited": 0.04, "overloaded": 0.03, "server_error": 0.03, "dropped": 0.03, "malformed": 0.02, "faulty_attempts": 3}
DOMAINS = [f"boats-{n}" for n in range(1, 9)]
METHODS = {
    "self_instruct": {"target": 3, "batch": 3, "human_examples": 2, "machine_examples": 1},
    "evol_instruct": {"rounds": 1, "roots": 2},
    "reasoning": {"samples": 2},
    "constitutional": {"pairs": 2},
}
KILLED = {"run": "-c from multiprocessing.spawn", "daemon": "dagster._daemon", "web server": "dagster_webserver", "code server": "dagster api grpc"}
CHANGE_EVERY, LOOK_EVERY = 60.0, 5.0


class Soak:
    """One soak in `folder`."""

    def __init__(self, folder: Path, minutes: float, kill_every: float, seed: int) -> None:
        self.folder, self.minutes, self.kill_every, self.random = folder, minutes, kill_every, random.Random(seed)
        self.home = folder / "home"
        self.kills: Counter[str] = Counter()
        self.memory: list[tuple[float, float]] = []
        self.disk: list[tuple[float, float]] = []
        self.faults: list[str] = []
        self.statuses: Counter[str] = Counter()

    def run(self) -> int:
        for place, name in enumerate(DOMAINS):
            self.write(name, seed=place)
        mix = self.folder / "faults.json"
        mix.write_text(json.dumps(FAULTS), encoding="utf-8")
        (self.folder / "tmp").mkdir()
        with Served("--script", "synth_assets_tests.graph.world:teacher", "--faults", str(mix), "--latency-ms", "20") as teacher:
            env = environment(self.home, self.folder / "domains", teacher.url, TMPDIR=str(self.folder / "tmp"), SYNTH_CONCURRENCY="8")
            ui = DagsterUi(env, self.folder / "ui.log")
            ui.start()
            try:
                self.switch_on(ui)
                self.night(ui)
                self.morning(ui)
            finally:
                ui.stop()
            time.sleep(3)
            self.settle(env)
            self.account(teacher)
        self.left_behind()
        return self.told()

    def write(self, name: str, **changes: Any) -> None:
        """A domain file as an editor saves it: whole, at once."""
        made = write_domain(
            self.folder / "unsaved", name, methods=METHODS, targets={"sft": 20, "preference": 2}, schedule={"cron": "* * * * *"}, checks=CHECKS,
            **{"seed": 0, **changes},
        )  # fmt: skip
        shutil.copytree(made / name, self.folder / "domains" / name, dirs_exist_ok=True)
        (made / f"{name}.yaml").replace(self.folder / "domains" / f"{name}.yaml")

    def switch_on(self, ui: DagsterUi) -> None:
        for name, state in ui.instigators().items():
            if state["status"] != "RUNNING" and name != "message_batches":
                ui.switch_on(name)

    def night(self, ui: DagsterUi) -> None:
        begin = time.monotonic()
        next_kill, next_change = begin + self.kill_every, begin + CHANGE_EVERY
        while (now := time.monotonic()) < begin + 60 * self.minutes:
            time.sleep(LOOK_EVERY)
            self.measure(now - begin)
            if now >= next_change:
                self.write(self.random.choice(DOMAINS), seed=self.random.randrange(40), gates={"quality": "warn", "reward": {"floor": 0.05}})
                next_change = now + CHANGE_EVERY
            if now >= next_kill:
                self.kill(ui)
                next_kill = now + self.random.uniform(0.5, 1.5) * self.kill_every

    def kill(self, ui: DagsterUi) -> None:
        what = self.random.choice(["run", "run", "run", "run", "daemon", "web server", "code server", "front"])
        if what == "front":
            ui.kill()
        else:
            pids = ui.parts(KILLED[what])
            if not pids:
                return
            kill(self.random.choice(pids))
        self.kills[what] += 1
        if what in {"front", "daemon", "web server"}:
            try:
                ui.gone(60)
            except AssertionError as error:
                self.faults.append(f"after the {what} was killed: {error}")
            ui.start()

    def measure(self, at: float) -> None:
        working = of_home(self.home)
        self.memory.append((at, sum(_resident(process.pid) for process in working) / 2**20))
        self.disk.append((at, size_of(self.home) / 2**20))

    def morning(self, ui: DagsterUi) -> None:
        """No more ticks and kills; what is queued ends by itself."""
        # The last kill may have been a moment ago: a web server whose code server starts again answers with an error.
        ui.wait(ui.answers, 300, "the UI to answer after the last kill")
        for name in [name for name in ui.instigators() if name.startswith("nightly_")]:
            ui.switch_off(name)
        deadline = time.monotonic() + 900
        while ui.runs(statuses=["QUEUED", "STARTING", "STARTED", "CANCELING"]) and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY)
            self.measure(60 * self.minutes + 900 - (deadline - time.monotonic()))
        runs = ui.runs(limit=5000)
        self.statuses = Counter(run["status"] for run in runs)
        unfinished = [run["runId"][:8] for run in runs if run["status"] not in {"SUCCESS", "FAILURE", "CANCELED"}]
        if unfinished:
            self.faults.append(f"runs that never ended: {', '.join(unfinished)}")

    def settle(self, env: dict[str, str]) -> None:
        """What a person does in the morning: a domain by hand, twice, of which the second time asks nothing."""
        asking = ("run", "--domain", DOMAINS[0], "--to", "preference_pairs")
        first, again = synth_assets(env, *asking), synth_assets(env, *asking)
        for what, done in (("first", first), ("second", again)):
            if done.returncode:
                self.faults.append(f"the {what} run by hand ended with {done.returncode}: {done.stdout[-600:]} {done.stderr[-300:]}")
        if "Teacher calls in this run: 0." not in again.stdout:
            self.faults.append("the second run by hand asked the teacher again")
        doctor = synth_assets(env, "doctor")
        self.faults += [line for line in doctor.stdout.splitlines() if line.startswith("FAULT")]

    def account(self, teacher: Served) -> None:
        warehouse = Warehouse(self.home / "warehouse.duckdb")
        self.faults += [f"account of {row['stage']} of {row['domain']} does not balance" for row in warehouse.query(BALANCE)]
        recorded = {(row["key"], row["attempt"]) for row in warehouse.rows("teacher_calls")}
        with closing(sqlite3.connect(self.home / "ledger.sqlite")) as con:
            replies = {(key, attempt): failure for key, attempt, failure in con.execute("select key, attempt, failure from replies")}
            unknown = {(key, attempt) for key, attempt in con.execute("select key, attempt from reservations where state = 'unknown'")}
            still_open = con.execute("select count(*) from reservations where state = 'open'").fetchone()[0]
        answered = teacher.stats(keys=False)["answered"]
        good = sum(not failure for failure in replies.values())
        self.paid = f"{answered} answered by the teacher, {good} good replies in the ledger, {len(unknown)} unknown, {len(recorded)} calls in the warehouse"
        if not good <= answered <= good + len(unknown):
            self.faults.append(f"calls paid are not calls recorded: {self.paid}")
        if stray := recorded - replies.keys() - unknown:
            self.faults.append(f"{len(stray)} calls of the warehouse are not in the ledger")
        if still_open:
            self.faults.append(f"{still_open} reservations are open, and nobody is at work")

    def left_behind(self) -> None:
        if processes := of_home(self.home):
            self.faults.append(f"processes left behind: {', '.join(map(str, processes))}")
        for path in (self.home / "warehouse.duckdb.lock", self.home / "release" / ".lock"):
            try:
                with FileLock(path, timeout=0):
                    pass
            except Timeout:
                self.faults.append(f"{path.name} is held")
        for pattern in ("warehouse.duckdb.new*", "warehouse.duckdb.wal", "*.part", "release/.unfinished-*", ".doctor-*"):
            self.faults += [f"left behind: {path.name}" for path in self.home.glob(pattern)]
        self.temporary = len(list((self.folder / "tmp").iterdir()))
        if self.temporary > 20:
            self.faults.append(f"{self.temporary} temporary files")

    def told(self) -> int:
        rows = [
            ("minutes", f"{self.minutes:g}"),
            ("kills", ", ".join(f"{n} {what}" for what, n in self.kills.most_common())),
            ("runs", ", ".join(f"{n} {status.lower()}" for status, n in self.statuses.most_common())),
            ("calls", getattr(self, "paid", "")),
            ("memory, MB", _course(self.memory)),
            ("disk, MB", _course(self.disk)),
            ("temporary files", str(getattr(self, "temporary", ""))),
            ("faults", "none" if not self.faults else f"{len(self.faults)}"),
        ]
        for name, value in rows:
            print(f"{name:16} {value}")
        for fault in self.faults:
            print(f"FAULT {fault}")
        return bool(self.faults)


def _course(samples: list[tuple[float, float]]) -> str:
    """The median of each third, and the most."""
    values = [value for _, value in samples]
    thirds = [sorted(values[part * len(values) // 3 : (part + 1) * len(values) // 3]) for part in range(3)]
    return "thirds " + ", ".join(f"{third[len(third) // 2]:.0f}" for third in thirds if third) + f"; most {max(values, default=0):.0f}"


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]) * 4096
    except OSError:
        return 0


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    options.add_argument("--minutes", type=float, default=30.0)
    options.add_argument("--kill-every", type=float, default=40.0, help="seconds between two kills, on average; longer than a run takes on this machine")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--keep", type=Path, help="a new folder to keep everything in")
    given = options.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return Soak(folder, given.minutes, given.kill_every, given.seed).run()
    finally:
        if given.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
