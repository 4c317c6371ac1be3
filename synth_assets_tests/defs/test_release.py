"""The release asset over a real warehouse, its accounts and its checks."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from synth_assets.accounts import Outcome, Row
from synth_assets.defs.partitions import DOMAINS
from synth_assets.defs.release import release, release_checks
from synth_assets.defs.resources import WarehouseResource
from synth_assets.domain_files import shipped_folder
from synth_assets.errors import StageFailed
from synth_assets.expectations.release import of_folder
from synth_assets.release import export
from synth_assets.release.selection import select
from synth_assets.warehouse import Warehouse
from synth_assets_tests.release.mixed_rows import mixed_row, mixed_rows
from synth_assets_tests.release.test_export import rewrite
from synth_assets_tests.warehouse.rows import full_row, paid_call

# Dagster 1.13 asks pydantic for `__fields__` whenever a resource is made.
pytestmark = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")

PLAIN = {"ops": {"release": {"config": {"with_report": False}}}}
"""The report needs dbt: the tests of the whole graph have it."""

SHARED = "How many eggs are left when nine of two dozen were broken?"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a folder with the shipped domains and a broken one."""
    shutil.copytree(shipped_folder(), tmp_path / "domains")
    (tmp_path / "domains" / "broken.yaml").write_text("title: [\n")
    monkeypatch.setenv("SYNTH_DOMAINS", str(tmp_path / "domains"))
    monkeypatch.setenv("SYNTH_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def mix(home: Path, domain: str, rows: list[Row], passed: bool = True) -> Warehouse:
    warehouse = Warehouse(home / "warehouse.duckdb")
    makers = [full_row("filtered", id=row["source_id"], domain=domain, model="tiny|teacher") for row in rows]
    outcome = Outcome(planned=len(rows), kept=makers, call_uses=[(f"{domain} call", row["id"]) for row in makers])
    warehouse.commit_stage("filtered", domain, outcome, run_id="before", calls=[paid_call(f"{domain} call", cost_usd=None)])
    warehouse.commit_stage("mixed", domain, Outcome(planned=len(rows), kept=rows), run_id="before")
    warehouse.mark_checked("mixed", domain, "before", passed)
    return warehouse


def job() -> dg.JobDefinition:
    definitions = dg.Definitions(
        assets=[release, dg.AssetSpec("mixed", partitions_def=DOMAINS)],
        asset_checks=[release_checks],
        jobs=[dg.define_asset_job("release_all", selection=dg.AssetSelection.assets("release"))],
        resources={"warehouse": WarehouseResource()},
        executor=dg.in_process_executor,
    )
    return definitions.resolve_job_def("release_all")


def run() -> dict[str, bool]:
    """Passed, by check."""
    result = job().execute_in_process(raise_on_error=False, run_config=PLAIN)
    assert result.success
    return {e.check_name: e.passed for e in result.get_asset_check_evaluations()}


def test_release_of_what_passed(home: Path) -> None:
    math = [*mixed_rows("math", 25), *mixed_rows("math", 4, "preference"), mixed_row("math", "shared", prompt=SHARED)]
    mix(home, "math", math)
    mix(home, "science", [*mixed_rows("science", 3), mixed_row("science", "shared", prompt=SHARED)])
    warehouse = mix(home, "writing", mixed_rows("writing", 3), passed=False)
    assert run() == {"release_not_empty": True, "splits_disjoint": True, "checksums_match": True, "every_domain_released": False}
    version = export.latest(home / "release")
    assert version is not None
    folder = home / "release" / version
    assert export.verify(folder) == []
    rows = warehouse.read_passed("release")
    assert {(r["id"], r["split"]) for r in rows} == {(r["id"], r["split"]) for r in export.read(folder)}
    assert {r["version"] for r in rows} == {version}
    accounts = {a["domain"]: a for a in warehouse.rows("stage_accounts") if a["stage"] == "release"}
    assert {d: (a["planned"], a["kept"], a["rejected"]) for d, a in accounts.items()} == {"math": (30, 30, 0), "science": (4, 3, 1)}
    assert [(r["domain"], r["rule"]) for r in warehouse.rows("rejections") if r["stage"] == "release"] == [("science", "near_duplicate_across_domains")]
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert r"| tiny\|teacher | 33 |" in card
    assert "The cost is unknown for 2 of 2 calls." in card
    assert "- **writing**: mixed of writing: blocking checks failed in run before." in card
    assert "- **broken**: broken.yaml:" in card
    assert str(home.parent) not in card + (folder / "release.json").read_text(encoding="utf-8")


def test_release_again_changes_nothing_and_a_lost_domain_loses_its_account(home: Path) -> None:
    mix(home, "math", mixed_rows("math", 3))
    warehouse = mix(home, "science", mixed_rows("science", 3))
    run()
    folder = home / "release" / str(export.latest(home / "release"))
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    run()
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before
    warehouse.mark_checked("mixed", "science", "before", False)
    run()
    assert export.latest(home / "release") != folder.name
    assert {r["domain"] for r in warehouse.rows("release")} == {"math"}
    assert [a["domain"] for a in warehouse.rows("stage_accounts") if a["stage"] == "release"] == ["math"]


def test_nothing_to_release(home: Path) -> None:
    mix(home, "math", mixed_rows("math", 3), passed=False)
    mix(home, "science", [])
    with pytest.raises(StageFailed, match=r"(?s)broken: .*math: .*blocking checks failed.*science: its mix has no rows.*writing: .*never materialized"):
        job().execute_in_process(run_config=PLAIN)
    assert not (home / "release").exists()


def test_checks_read_the_disk(home: Path) -> None:
    warehouse = mix(home, "math", mixed_rows("math", 3))
    run()
    folder = home / "release" / str(export.latest(home / "release"))
    rewrite(folder / "sft" / "train-00000.parquet")
    results = release_checks(dg.build_asset_check_context(), WarehouseResource())
    assert isinstance(results, Iterator)
    found = {r.check_name: r.passed for r in results}
    assert found == {"release_not_empty": False, "splits_disjoint": True, "checksums_match": False, "every_domain_released": False}
    newest = warehouse.latest("release")
    assert newest is not None
    assert newest["passed"] is False
    stored = {row["check_name"]: row for row in warehouse.rows("check_results")}
    assert stored["checksums_match"]["seen"].startswith("1 files differ: ")


def test_a_release_that_cannot_be_read_fails_every_check_and_says_so(home: Path) -> None:
    results = release_checks(dg.build_asset_check_context(), WarehouseResource())
    assert isinstance(results, Iterator)
    said = {(r.passed, str(r.description)) for r in results}
    assert said == {(False, "Could not be checked: StageFailed: there is no release to check: materialize `release` first.")}


@pytest.mark.parametrize(
    ("split", "root", "check"),
    [("test", "same", "splits_disjoint"), ("validation", None, "release_not_empty")],
)
def test_a_defect_of_a_release_fails_exactly_its_check(split: str, root: str | None, check: str, tmp_path: Path) -> None:
    kept = select({"math": mixed_rows("math", 4)})["math"].kept
    rows = [row | {"split": "train", "root_id": root or row["id"]} for row in kept]
    for row in rows[1:] if root else rows:
        row["split"] = split
    folder = export.write(tmp_path, "r-1", rows, {})
    assert [r.name for r in of_folder(folder, {"math"}) if not r.passed] == [check]
