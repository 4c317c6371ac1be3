"""Faults with real processes: what was killed goes on, what is full or damaged says what to do, and the doctor knows each of them."""

import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from synth_assets.health.examination import examine
from synth_assets.health.findings import Finding
from synth_assets.home import Home
from synth_assets.warehouse import Warehouse
from synth_assets_tests.graph.conftest import Made
from synth_assets_tests.graph.orchestra import ORDER, Orchestra
from synth_assets_tests.graph.test_run import BALANCE
from synth_assets_tests.graph.world import command, environment, stored, synth_assets, teacher, write_domain
from synth_assets_tests.messages_api import MessagesApi

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]


def findings(made: Made, monkeypatch: pytest.MonkeyPatch, **env: str) -> dict[str, Finding]:
    """The doctor's faults and notes by subject; the first of each."""
    for name, value in made.env(**env).items():
        if name.startswith(("SYNTH_", "ANTHROPIC_")):
            monkeypatch.setenv(name, value)
    found: dict[str, Finding] = {}
    for finding in examine(Home(made.home)):
        if finding.level != "well":
            found.setdefault(finding.subject, finding)
    return found


def test_killed_in_each_stage_it_goes_on_from_there_and_asks_nothing_twice(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    # The vectors of the same texts: what is tried here is not the embedding model.
    shutil.copy(made.home / "embeddings.sqlite", home)
    before = len(made.api.calls)
    with Orchestra(environment(home, made.domains, made.api.url)) as orchestra:
        # The same answers under the same keys: what stands in the ledger at the end is what was asked.
        passed: set[str] = set()
        for stage in ORDER[1:]:
            now = set(orchestra.call("killed_in", "boats", stage))
            assert passed <= now and stage not in now, f"killed in {stage}: {now}"
            passed = now
        assert "started" in findings(Made(home, made.domains, made.api, made.first), monkeypatch)["runs"].what
        rest = orchestra.call("rest", "boats")
    assert rest["success"] and rest["dead"] == len(ORDER) - 1 and rest["made"] == ["mixed"], rest
    ours, theirs = stored(home), stored(made.home)
    for table in ORDER[1:-2]:
        assert [row | {"call_keys": []} for row in ours[table]] == [row | {"call_keys": []} for row in theirs[table]], table
    assert Warehouse(home / "warehouse.duckdb").query(BALANCE) == []
    # Every call is booked, and only what was out at the moment of a kill was asked again: it is booked as unknown.
    asked = sum(not call.path.endswith("apply-template") for call in made.api.calls[before:])
    unknown = sum(row["stop_reason"] == "unknown" for row in ours["teacher_calls"])
    assert asked <= len(ours["teacher_calls"])
    assert len(ours["teacher_calls"]) - len({row["key"] for row in ours["teacher_calls"]}) <= unknown
    assert {row["key"] for row in ours["teacher_calls"]} == {row["key"] for row in theirs["teacher_calls"]}


def test_a_shell_that_holds_the_warehouse_is_named_and_waited_for(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = made.copy(tmp_path)
    code = "import duckdb, sys\nwith duckdb.connect(sys.argv[1]):\n    print('open', flush=True)\n    sys.stdin.readline()\n"
    shell = subprocess.Popen(
        [sys.executable, "-c", code, str(copy.home / "warehouse.duckdb")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert shell.stdin and shell.stdout and shell.stdout.readline() == "open\n"
    told = findings(copy, monkeypatch)
    assert f"PID {shell.pid}" in told["locks"].what and "close that program" in told["locks"].remedy
    assert f"PID {shell.pid}" in told["warehouse"].what
    run = subprocess.Popen(command("run", "--to", "seeds"), env=copy.env(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    heard: list[str] = []
    waiting = threading.Event()

    def listen() -> None:
        assert run.stdout
        for line in run.stdout:
            heard.append(line)
            if "waiting for warehouse.duckdb" in line:
                waiting.set()

    listener = threading.Thread(target=listen)
    listener.start()
    assert waiting.wait(240), heard
    shell.communicate()
    listener.join(240)
    run.communicate()
    assert run.returncode == 0 and shell.returncode == 0
    assert f"PID {shell.pid}" in next(line for line in heard if "waiting for" in line)


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare to mount a small file system with")
def test_a_full_disk_at_every_write(tmp_path: Path) -> None:
    mount = f"mount -t tmpfs -o size=60m none {shlex.quote(str(tmp_path))}"
    if subprocess.run(["unshare", "--map-root-user", "--mount", "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("no small file system can be mounted in a namespace of its own here")
    worker = shlex.join([sys.executable, "-m", "synth_assets_tests.graph.disk_worker", str(tmp_path / "home")])
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", f"{mount} && exec {worker}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    assert done.stdout.endswith("all written\n")
    assert said["warehouse"].endswith("free some space, then run again.") and "the disk is full" in said["warehouse"]
    assert "See that the disk is not full" in said["ledger"]
    assert "reviews.sqlite cannot be used" in said["verdicts"]
    assert "check the disk" in said["embeddings"]
    assert "Make room there" in said["release"] and "make room" in said["report"]
    assert "No space left" in said["doctor disk"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def turn_bits(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100:] = bytes(255 - b for b in data[100:])
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "spoil", "subject", "remedy"),
    [
        ("home/warehouse.duckdb", cut, "warehouse", "Move it and warehouse.duckdb.wal"),
        ("home/ledger.sqlite", turn_bits, "ledger", "recover"),
        ("home/reviews.sqlite", turn_bits, "reviews.sqlite", "people's work"),
        ("home/embeddings.sqlite", turn_bits, "embeddings.sqlite", "delete it"),
        ("home/dagster/history/runs.db", turn_bits, "runs.db", "only the history of runs is lost"),
        ("domains/boats.yaml", lambda path: path.write_text("title: ["), "domains", "boats.yaml:1"),
    ],
    ids=["warehouse", "ledger", "verdicts", "embeddings", "dagster", "domain file"],
)
def test_what_is_damaged_is_named_with_its_remedy(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, spoil: Callable[[Path], object], subject: str, remedy: str
) -> None:
    copy = made.copy(tmp_path)
    if name.endswith("reviews.sqlite"):
        from synth_assets.review.verdicts import Verdicts

        Verdicts(copy.home / "reviews.sqlite").close()
    spoil(tmp_path / name)
    found = findings(copy, monkeypatch)[subject]
    assert found.level == "fault" and remedy in f"{found.what} {found.remedy}"


def test_a_damaged_warehouse_or_ledger_is_moved_away_and_built_again(made: Made, tmp_path: Path) -> None:
    copy = made.copy(tmp_path)
    cut(copy.home / "warehouse.duckdb")
    asked = len(copy.api.calls)
    refused = synth_assets(copy.env(), "run", "--to", "evolved_instructions")
    assert refused.returncode == 2 and "is damaged" in refused.stderr and "Traceback" not in refused.stdout + refused.stderr
    # As the message says.
    (copy.home / "warehouse.duckdb").unlink()
    built = synth_assets(copy.env(), "run", "--to", "evolved_instructions")
    assert built.returncode == 0, built.stdout
    assert len(copy.api.calls) == asked
    ours, theirs = stored(copy.home), stored(made.home)
    assert ours["evolved_instructions"] == theirs["evolved_instructions"]


def test_a_clock_that_was_ahead_changes_no_rows_and_is_noticed(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = made.copy(tmp_path)
    with closing(duckdb.connect(copy.home / "warehouse.duckdb")) as con:
        con.execute("update synth.stage_history set materialized_at = '2099' || substr(materialized_at, 5)")
    assert "2099" in findings(copy, monkeypatch)["clock"].what
    before = stored(copy.home)
    done = synth_assets(copy.env(), "run", "--to", "spot_check")
    assert done.returncode == 0, done.stdout
    after = stored(copy.home)
    assert {table: after[table] for table in after if table != "release"} == {table: before[table] for table in before if table != "release"}
    newest = Warehouse(copy.home / "warehouse.duckdb").latest("filtered", "boats")
    assert newest is not None and newest["passed"] and newest["materialized_at"].startswith("2099")


def test_a_teacher_that_is_away_for_a_while_is_waited_for(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    methods = {"self_instruct": {"style": "inline", "target": 3, "batch": 2}}
    home, domains = tmp_path / "home", write_domain(tmp_path / "domains", methods=methods, targets={"sft": 9})
    with MessagesApi(teacher) as api:
        port, url = int(api.url.rpartition(":")[2]), api.url
    away = Made(home, domains, api, made.first)
    home.mkdir()
    assert "nothing answers" in findings(away, monkeypatch, ANTHROPIC_BASE_URL=url)["teacher"].what
    env = environment(home, domains, url)
    # Without patience the run stops, with what to do; nothing is lost.
    stopped = synth_assets(env, "run", "--to", "generated_instructions")
    assert stopped.returncode == 1 and "Traceback" not in stopped.stdout + stopped.stderr
    assert len(Warehouse(home / "warehouse.duckdb").read_passed("seeds", "boats")) == 12
    # With patience it goes on when the teacher is back.
    run = subprocess.Popen(
        command("run", "--to", "generated_instructions"), env=env | {"SYNTH_PATIENCE_S": "60"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert run.stdout
    heard = ""
    while "does not answer" not in heard:
        line = run.stdout.readline()
        assert line, heard
        heard += line
    with MessagesApi(teacher, port=port):
        heard += run.communicate(timeout=120)[0]
    assert run.returncode == 0, heard
    assert len(Warehouse(home / "warehouse.duckdb").read_passed("generated_instructions", "boats")) == 3


def test_a_run_that_was_killed_holds_nothing(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = made.copy(tmp_path)
    run = subprocess.Popen(command("run", "--to", "mixed"), env=copy.env(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert run.stdout
    heard = ""
    while "seeds" not in heard:
        line = run.stdout.readline()
        assert line, heard
        heard += line
    os.kill(run.pid, 9)
    run.communicate()
    found = findings(copy, monkeypatch)
    assert "its process was killed" in found["runs"].what and "locks" not in found and "processes" not in found
    again = synth_assets(copy.env(), "run", "--to", "seeds")
    assert again.returncode == 0
    assert "runs" not in findings(copy, monkeypatch)
