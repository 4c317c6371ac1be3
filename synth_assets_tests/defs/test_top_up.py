"""The sensor `top_up`, tick by tick, over real domain files and a real warehouse."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from synth_assets.accounts import Outcome
from synth_assets.defs.resources import DomainsResource, WarehouseResource
from synth_assets.defs.sensors import MOST_TRIES, SENSORS, top_up
from synth_assets.domain_files import load_domain
from synth_assets.teacher.choice import choose
from synth_assets.warehouse import Warehouse
from synth_assets.waves import plans
from synth_assets_tests.expectations.tables import good
from synth_assets_tests.graph.test_waves import write

pytestmark = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose one domain has 9 of 50 sft rows and 4 of 2 pairs accepted after one wave."""
    domains = write(tmp_path / "domains")
    settings = {"SYNTH_HOME": str(tmp_path / "home"), "SYNTH_DOMAINS": str(domains), "SYNTH_TEACHER": "test-model", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "home"


def run_once(home: Path, run: str = "run-1") -> plans.Plan:
    database, domain, profile = Warehouse(home / "warehouse.duckdb"), load_domain(home.parent / "domains", "zh_daily").config, choose().profile
    tables = good()
    for stage in ("evolved_instructions", "teacher_responses", "preference_pairs", "filtered"):
        rows = [row | {"domain": "zh_daily", "model": "test-model"} for row in tables[stage]]
        database.commit_stage(stage, "zh_daily", Outcome(planned=len(rows), kept=rows), run_id=run, metrics={"waves": 1})
    return plans.record(database, domain, plans.decide(database, domain, profile, 33))


def tick(instance: dg.DagsterInstance) -> tuple[list[dg.RunRequest], str]:
    resources: dict[str, Any] = {"warehouse": WarehouseResource(), "domains": DomainsResource()}
    result: Any = top_up(dg.build_sensor_context(instance=instance, resources=resources))
    reason = result.skip_reason
    return list(result.run_requests or []), str(reason.skip_message if isinstance(reason, dg.SkipReason) else reason)


def test_it_is_off_until_somebody_switches_it_on_and_says_what_it_does() -> None:
    assert top_up in SENSORS and top_up.default_status is dg.DefaultSensorStatus.STOPPED
    assert "short of its targets" in (top_up.description or "")


def test_a_short_domain_is_run_again_with_more_waves_until_that_fails_too_often(home: Path) -> None:
    instance = dg.DagsterInstance.ephemeral()
    assert tick(instance) == ([], "nothing was run yet")
    run_once(home)
    (request,), _ = tick(instance)
    waves = int(request.tags["synth/waves"])
    assert request.partition_key == "zh_daily" and waves > 1 and "sft 9 of 50 after 1 wave" in request.tags["synth/reason"]
    tags = {**request.tags, "dagster/partition": "zh_daily"}
    going = instance.create_run_for_job(_job(), tags=tags, status=dg.DagsterRunStatus.STARTED)
    assert tick(instance) == ([], f"zh_daily: a run with {waves} waves is under way")
    instance.report_run_canceled(going)
    (again,), _ = tick(instance)
    assert again.run_key != request.run_key
    for _ in range(MOST_TRIES - 1):
        instance.create_run_for_job(_job(), tags=tags, status=dg.DagsterRunStatus.FAILURE)
    requests, why = tick(instance)
    assert requests == [] and f"{MOST_TRIES} runs with {waves} waves did not reach the gates" in why


def test_the_budget_that_ended_it_stops_it_until_it_is_raised(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTH_BUDGET_USD", "1")
    plan = run_once(home)
    domain = load_domain(home.parent / "domains", "zh_daily").config
    plans.record(Warehouse(home / "warehouse.duckdb"), domain, plans.end_at(plan, 1, plans.BUDGET, "SYNTH_BUDGET_USD=1, budget_usd=none"))
    requests, why = tick(dg.DagsterInstance.ephemeral())
    assert requests == [] and "The budget ended wave 2 (SYNTH_BUDGET_USD=1, budget_usd=none): raise it" in why
    monkeypatch.setenv("SYNTH_BUDGET_USD", "5")
    assert [request.partition_key for request in tick(dg.DagsterInstance.ephemeral())[0]] == ["zh_daily"]


def _job() -> dg.JobDefinition:
    @dg.op
    def nothing() -> None:
        pass

    @dg.job
    def domain() -> None:
        nothing()

    return domain
