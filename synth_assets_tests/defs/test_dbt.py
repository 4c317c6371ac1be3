"""The dbt project as Dagster has it: specs, the manifest's freshness, and whole runs on real warehouses."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from dagster_dbt import DbtCliInvocation, DbtCliResource, DbtProject

from synth_assets.defs.dbt import LocalDbt, dbt_resource, prepare, quality_models, standing_by
from synth_assets.defs.quality_report import quality_report
from synth_assets.defs.resources import WarehouseResource
from synth_assets.errors import SynthError, WarehouseBusy
from synth_assets.home import Home
from synth_assets.release.quality_report import MARTS
from synth_assets.warehouse import Warehouse
from synth_assets_tests.dbt_warehouse import fill

pytestmark = pytest.mark.filterwarnings("ignore:AssetExecutionContext.op is deprecated:DeprecationWarning")  # dagster-dbt's own call

REPORT = dg.AssetKey("quality_report")


def run(dbt: LocalDbt) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [quality_models, quality_report], resources={"dbt": dbt, "warehouse": WarehouseResource()}, instance=instance, raise_on_error=False
        )


def test_models_are_grouped_owned_and_described() -> None:
    specs = list(quality_models.specs)
    assert {spec.group_name for spec in specs} == {"quality"}
    assert {tuple(spec.owners) for spec in specs} == {("team:synth-assets",)}
    assert all(spec.description for spec in specs)
    assert {spec.key for spec in specs} >= {dg.AssetKey(["quality", mart]) for mart in MARTS}


@pytest.mark.parametrize(
    ("model", "upstream"), [("stg_seeds", "seeds"), ("stg_release", "release"), ("stg_benchmarks", "benchmarks"), ("funnel", "quality/stg_stage_accounts")]
)
def test_lineage_runs_through(model: str, upstream: str) -> None:
    assert dg.AssetKey.from_user_string(upstream) in quality_models.asset_deps[dg.AssetKey(["quality", model])]


def test_report_follows_its_marts_and_the_release() -> None:
    assert {key.to_user_string() for key in quality_report.asset_deps[REPORT]} == {"release", *(f"quality/{mart}" for mart in MARTS)}


def test_accounts_block() -> None:
    checks = {(spec.asset_key.to_user_string(), spec.name): spec.blocking for spec in quality_models.check_specs}
    assert checks["quality/funnel", "accounts_balance"]
    assert checks["quality/funnel", "accounts_match_rows"]
    assert checks["quality/teacher_cost", "teacher_cost_sums"]


def test_unit_tests_show_as_blocking_checks() -> None:
    checks = {(spec.asset_key.to_user_string(), spec.name): spec.blocking for spec in quality_models.check_specs}
    assert checks["quality/funnel", "funnel_yield"]
    assert checks["quality/gate_results", "gate_results_newest"]


def test_what_is_left_out_of_the_base_class_is_still_there() -> None:
    assert hasattr(DbtCliResource, "_cli_version")
    assert hasattr(DbtCliResource, "_initialize_dbt_core_adapter")


class Watching(LocalDbt):
    """Tries, as dbt starts, to read the warehouse from another thread."""

    def cli(self, *arguments: Any, **options: Any) -> Any:
        with ThreadPoolExecutor(1) as threads, pytest.raises(WarehouseBusy):
            threads.submit(Warehouse(Home.from_env().warehouse, lock_timeout=0).query, "select 1").result()
        return super().cli(*arguments, **options)


@pytest.mark.slow
def test_empty_warehouse() -> None:
    base = dbt_resource()
    result = run(Watching(project_dir=base.project_dir, profiles_dir=base.profiles_dir, dbt_executable=base.dbt_executable))
    assert result.success
    checks = result.get_asset_check_evaluations()
    assert {c.check_name for c in checks} == {s.name for s in quality_models.check_specs}
    assert all(c.passed for c in checks)
    assert "The warehouse is empty." in (Home.from_env().reports / "quality_report.html").read_text(encoding="utf-8")
    (made,) = (event for event in result.get_asset_materialization_events() if event.asset_key == REPORT)
    assert made.materialization.metadata["mixed_rows"].value == 0
    assert made.materialization.metadata["path"].value == str(Home.from_env().reports / "quality_report.html")


@pytest.mark.slow
def test_a_dbt_that_stands_by_makes_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DbtCliInvocation, "run", None)  # which starts another one
    with standing_by(Home.from_env().warehouse):
        result = run(dbt_resource())
    assert result.success
    assert {c.check_name for c in result.get_asset_check_evaluations()} == {s.name for s in quality_models.check_specs}


@pytest.mark.slow
def test_a_row_that_disappeared_stops_the_report() -> None:
    home = Home.from_env()
    fill(Warehouse(home.warehouse))
    with closing(duckdb.connect(home.warehouse)) as con:
        con.execute("delete from synth.rejections where row_id = 'one'")
    result = run(dbt_resource())
    assert not result.success
    failed = {(c.asset_key.to_user_string(), c.check_name) for c in result.get_asset_check_evaluations() if not c.passed}
    assert failed == {("quality/funnel", "accounts_match_rows")}
    assert not home.reports.joinpath("quality_report.html").exists()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[DbtProject]:
    """A project of one model."""
    for folder in ("models", "macros", "tests"):
        (tmp_path / folder).mkdir()
    (tmp_path / "dbt_project.yml").write_text("{name: tiny, profile: tiny, flags: {send_anonymous_usage_stats: false}}")
    (tmp_path / "profiles.yml").write_text("{tiny: {target: t, outputs: {t: {type: duckdb, path: \"{{ env_var('SYNTH_WAREHOUSE') }}\"}}}}")
    (tmp_path / "models" / "first.sql").write_text("select 1 as one")
    yield DbtProject(tmp_path)


def models_in(manifest: Path) -> set[str]:
    return {node["name"] for node in json.loads(manifest.read_text(encoding="utf-8"))["nodes"].values()}


@pytest.mark.slow
def test_manifest_follows_the_project(project: DbtProject) -> None:
    second = project.project_dir / "models" / "second.sql"
    second.write_text("select 2 as two")
    manifest = prepare(project)
    assert models_in(manifest) == {"first", "second"}
    made = manifest.stat().st_mtime_ns
    assert prepare(project).stat().st_mtime_ns == made
    second.unlink()
    assert models_in(prepare(project)) == {"first"}


@pytest.mark.slow
def test_a_broken_project_says_what_dbt_said(project: DbtProject) -> None:
    (project.project_dir / "models" / "broken.sql").write_text("select * from {{ ref('nowhere') }}")
    with pytest.raises(SynthError, match="nowhere"):
        prepare(project)
    assert not project.manifest_path.exists()


def test_a_current_manifest_is_not_made_again(project: DbtProject) -> None:
    manifest = project.manifest_path
    manifest.parent.mkdir()
    manifest.write_text("{}")
    newest = max(path.stat().st_mtime for path in project.project_dir.rglob("*.*"))
    os.utime(manifest, (newest + 60, newest + 60))
    assert prepare(project).read_text() == "{}"
