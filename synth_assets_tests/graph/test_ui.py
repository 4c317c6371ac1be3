"""The UI as its user has it, in a real headless browser, with its daemon and runs in processes of their own: started, watched, cancelled, killed.

The tests are one story on one state folder, in this order. SYNTH_TEST_PICTURES names a folder for pictures of the pages.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from synth_assets.health.examination import examine
from synth_assets.home import Home
from synth_assets.warehouse import Warehouse
from synth_assets_tests.graph.conftest import Made
from synth_assets_tests.graph.dagster_ui import DagsterUi, kill
from synth_assets_tests.graph.test_run import BALANCE
from synth_assets_tests.graph.world import write_domain

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
PICTURES = os.environ.get("SYNTH_TEST_PICTURES")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path: install it with the system's package manager"),
]
ROOT = Path(__file__).parents[2]
METHODS = {
    "self_instruct": {"target": 3, "batch": 3, "human_examples": 2, "machine_examples": 1},
    "evol_instruct": {"rounds": 1, "roots": 2},
    "constitutional": {"pairs": 2},
}


@pytest.fixture(scope="module")
def world(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The prepared domain, one that is new, and one whose seeds do not pass."""
    copy = made.copy(tmp_path_factory.mktemp("ui"))
    write_domain(copy.domains, "harbours", methods=METHODS, targets={"sft": 20, "preference": 2}, schedule={"cron": "15 3 * * *", "timezone": "Europe/Berlin"})
    write_domain(copy.domains, "piers", methods=METHODS, targets={"sft": 20, "preference": 2}, gates={"quality": "block"})
    seeds = copy.domains / "piers" / "seeds.jsonl"
    rows = [json.loads(line) for line in seeds.read_text().splitlines()]
    seeds.write_text("".join(json.dumps(row) + "\n" for row in rows if row["topic"] != "oars" or "answer" in row))
    return copy


@pytest.fixture(scope="module")
def ui(world: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterUi]:
    with DagsterUi(world.env(), tmp_path_factory.mktemp("log") / "ui.log") as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.getuid() == 0 else [])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1700, "height": 1100})
    page = context.new_page()
    page.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    yield page
    context.close()


def of_backfill(ui: DagsterUi, backfill: str) -> list[dict[str, Any]]:
    return [run for run in ui.runs() if run["tags"].get("dagster/backfill") == backfill]


def temporary(pid: int) -> list[Path]:
    """The process's temporary folder, if it is the UI's own."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    except OSError:  # it has ended meanwhile
        return []
    return [Path(value) for variable in variables for name, _, value in [variable.partition("=")] if name == "TMPDIR" and "synth-ui-" in value]


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.wait_for_timeout(1500)
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))


def test_the_lineage_shows_every_stage(ui: DagsterUi, page: Page) -> None:
    page.goto(f"{ui.url}/asset-groups")
    for group in ("generation", "selection", "release", "settings"):
        expect(page.get_by_text(group, exact=True).first).to_be_visible()
    picture(page, "lineage-groups")
    page.keyboard.press("Alt+e")
    for stage in ("teacher_responses", "filtered"):
        expect(page.get_by_text(stage, exact=True).first).to_be_visible()
    picture(page, "lineage")


def test_a_schedule_is_switched_on(ui: DagsterUi, page: Page) -> None:
    assert all(one["status"] != "RUNNING" and one["description"] for one in ui.instigators().values())
    page.goto(f"{ui.url}/automation")
    expect(page.get_by_text("nightly_harbours").first).to_be_visible()
    picture(page, "automation-before")

    def on() -> bool:
        return ui.instigators()["nightly_harbours"]["status"] == "RUNNING"

    def switched() -> bool:
        # The first box of a row selects it, the second is the switch. A click while the page still loads is lost: as a person would, try again.
        page.reload()
        row = page.get_by_text("nightly_harbours").first.locator("xpath=ancestor::*[count(.//input[@type='checkbox']) = 2][1]")
        expect(row).to_be_visible()
        page.wait_for_timeout(2000)
        row.locator("input[type=checkbox]").nth(1).evaluate("box => box.click()")
        for _ in range(20):
            if on():
                return True
            page.wait_for_timeout(500)
        return False

    ui.wait(lambda: on() or switched(), 120, "the schedule to be on")
    page.reload()
    expect(page.get_by_text("nightly_harbours").first).to_be_visible()
    picture(page, "automation-after")


def test_a_backfill_whose_worst_domain_stops_no_other(ui: DagsterUi, world: Made, page: Page) -> None:
    asked = len(world.api.calls)
    backfill = ui.backfill(["boats", "harbours", "piers"])
    page.goto(f"{ui.url}/runs/b/{backfill}")
    runs = ui.wait(lambda: len(found := of_backfill(ui, backfill)) == 3 and found, 300, "three runs")
    picture(page, "backfill-started")
    ended = {run["tags"]["dagster/partition"]: ui.ended(run["runId"], 900) for run in runs}
    assert ended == {"boats": "SUCCESS", "harbours": "SUCCESS", "piers": "FAILURE"}
    page.reload()
    expect(page.get_by_text("Partitions targeted").first).to_be_visible()
    picture(page, "backfill-finished")
    warehouse = Warehouse(world.home / "warehouse.duckdb")
    assert warehouse.query(BALANCE) == []
    passed = warehouse.passed_slices()
    assert {("mixed", "boats"), ("mixed", "harbours")} <= passed and not any(domain == "piers" for _, domain in passed - {("real_data", "piers")})
    # What the ledger had was not asked again.
    assert not [call for call in world.api.calls[asked:] if "piers" in call.text]
    failed = next(run["runId"] for run in runs if run["tags"]["dagster/partition"] == "piers")
    page.goto(f"{ui.url}/runs/{failed}")
    expect(page.get_by_text(re.compile("Failure", re.IGNORECASE)).first).to_be_visible()
    picture(page, "blocked-run")
    page.goto(f"{ui.url}/assets/seeds?view=checks&partition=piers")
    expect(page.get_by_text("topics_covered").first).to_be_visible()
    picture(page, "failed-check")
    # Mended and tried again alone, from the failure.
    write_domain(world.domains, "piers", methods=METHODS, targets={"sft": 20, "preference": 2})
    before = len(ui.runs())
    again = ui.launch("piers")
    assert ui.ended(again, 900) == "SUCCESS" and len(ui.runs()) == before + 1
    assert ("mixed", "piers") in warehouse.passed_slices()


def test_a_backfill_from_the_command_line(ui: DagsterUi, world: Made) -> None:
    before = {run["runId"] for run in ui.runs()}
    asked = len(world.api.calls)
    command = [str(Path(sys.executable).with_name("dagster")), "job", "backfill", "--job", "domain", "--partitions", "boats,harbours,piers", "--noprompt"]
    said = subprocess.run(command, cwd=ROOT, env=world.env() | {"DAGSTER_HOME": str(world.home / "dagster")}, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    runs = ui.wait(lambda: len(found := [run for run in ui.runs() if run["runId"] not in before]) == 3 and found, 300, "three runs")
    assert {run["tags"]["dagster/partition"]: ui.ended(run["runId"], 900) for run in runs} == dict.fromkeys(("boats", "harbours", "piers"), "SUCCESS")
    assert Warehouse(world.home / "warehouse.duckdb").query(BALANCE) == [] and len(world.api.calls) == asked


def test_a_run_that_is_cancelled_leaves_no_process(ui: DagsterUi) -> None:
    run = ui.launch("harbours")
    ui.wait(lambda: ui.runs(runIds=[run])[0]["status"] == "STARTED", 300, "the run to start")
    ui.cancel(run)
    assert ui.ended(run, 300) == "CANCELED"
    ui.wait(lambda: not ui.parts("multiprocessing.spawn"), 60, "the run's process to end")


def test_a_run_whose_process_is_killed_goes_on_by_itself(ui: DagsterUi, world: Made) -> None:
    run = ui.launch("harbours")
    ui.wait(lambda: ui.runs(runIds=[run])[0]["tags"].get("synth/process"), 300, "the run to have a process")
    asked = len(world.api.calls)
    kill(*ui.parts("multiprocessing.spawn"))
    assert ui.ended(run, 300) == "FAILURE"
    again = ui.wait(lambda: [one for one in ui.runs() if one["tags"].get("dagster/parent_run_id") == run], 300, "its retry")[0]
    assert ui.ended(again["runId"], 900) == "SUCCESS"
    assert len(world.api.calls) == asked


def test_daemon_and_web_server_are_killed_in_a_backfill_and_nothing_is_lost(ui: DagsterUi, world: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    ui.backfill(["harbours", "piers"])
    ui.wait(lambda: ui.runs(statuses=["STARTED"]), 300, "a run")
    kill(*ui.parts("dagster._daemon"), *ui.parts("dagster_webserver"))
    ui.gone(60)
    for name, value in world.env().items():
        if name.startswith(("SYNTH_", "ANTHROPIC_")):
            monkeypatch.setenv(name, value)
    # What could end in order has ended in order; of a run that could not, the doctor tells.
    told = {finding.subject: finding for finding in examine(Home(world.home)) if finding.level == "fault"}
    assert set(told) <= {"runs"}, told
    ui.start()

    # Those that were killed failed, and are started again, though the backfill that they belong to may have ended meanwhile.
    def newest() -> dict[str | None, str]:
        return {run["tags"].get("dagster/partition"): run["status"] for run in reversed(ui.runs())}

    ui.wait(
        lambda: {newest().get(domain) for domain in ("harbours", "piers")} == {"SUCCESS"}, 1000, lambda: f"both domains to end well; they stand so: {newest()}"
    )
    assert Warehouse(world.home / "warehouse.duckdb").query(BALANCE) == []


def test_the_code_server_is_killed_in_a_run_and_another_one_takes_its_place(ui: DagsterUi) -> None:
    """As by the kernel for want of memory. Dagster alone tells that it cannot be reached, for as long as it runs."""
    run = ui.launch("harbours")
    ui.wait(lambda: ui.runs(runIds=[run])[0]["tags"].get("synth/process"), 300, "the run to have a process")
    kill(*ui.parts("dagster api grpc"))
    ui.wait(lambda: not ui.answers(), 60, "the web server to notice")
    ui.wait(ui.answers, 180, "another code server")

    # The run ends well, or the one that takes its place.
    def ended() -> bool:
        mine = [one for one in ui.runs() if run in {one["runId"], one["tags"].get("dagster/root_run_id")}]
        return any(one["status"] == "SUCCESS" for one in mine)

    ui.wait(ended, 600, "the run, or its retry, to end well")


def test_the_front_alone_is_killed_and_nothing_stays_behind(ui: DagsterUi) -> None:
    # Of the processes that were killed before this one, their sockets are left.
    (folder,) = {folder for process in ui.working() for folder in temporary(process.pid)}
    assert any(entry.is_socket() for entry in folder.iterdir())
    ui.kill()
    ui.gone(60)
    ui.wait(lambda: not folder.exists(), 10, f"{folder} to be deleted")
    ui.start()
