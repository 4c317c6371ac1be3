"""The bridge at work: real runs in process, a real warehouse, real domain files; the asset is as small as can be."""

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from synth_assets.accounts import Outcome, Row
from synth_assets.defs.checks import stage_checks
from synth_assets.defs.resources import DomainsResource, WarehouseResource
from synth_assets.expectations.catalogue import CATALOGUE
from synth_assets.home import Home
from synth_assets.warehouse import Warehouse
from synth_assets_tests.expectations.tables import DOMAIN, SEEDS, good

PARTITIONS = dg.StaticPartitionsDefinition(["lenient", "strict"])
"""Two domains that differ in `gates.quality`: warn and block."""

CHECKS = stage_checks("seeds", PARTITIONS)

pytestmark = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated:DeprecationWarning")
"""Dagster 1.13 asks pydantic for it whenever a resource is made."""


DEFECTS: dict[str, Row] = {"": {}, "quality": {"topic": "knots"}, "structure": {"topic": "winds"}}
"""What is wrong with the first seed: its topic has too few others, or is not declared."""


@dg.asset(partitions_def=PARTITIONS)
def seeds(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> None:
    rows: list[Row] = [row | {"domain": context.partition_key, "id": f"{context.partition_key}-{row['id']}"} for row in good()["seeds"]]
    spare = rows[2] | {"id": f"{context.partition_key}-spare", "instruction": "What drives the tides of a lake?"}
    defect = context.run.tags.get("defect", "")
    rows = [rows[0] | DEFECTS[defect], *rows[1:], *([spare] if defect == "structure" else [])]
    warehouse.open().commit_stage("seeds", context.partition_key, Outcome(planned=len(rows), kept=rows), run_id=context.run.run_id)


@dg.asset(partitions_def=PARTITIONS, deps=[seeds])
def after_seeds() -> None: ...


@pytest.fixture(autouse=True)
def domain_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both domains, with the files that they name."""
    for name, quality in (("lenient", "warn"), ("strict", "block")):
        settings = DOMAIN.model_dump(mode="json", exclude={"name"}, exclude_unset=True) | {"gates": {"quality": quality}, "benchmarks": []}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    records = [{"topic": topic, "instruction": asked, "response": told, "answer": "12"} for topic, asked, told in SEEDS]
    pair = {"topic": "knots", "instruction": "How do I store a rope?", "chosen": "Dry it.", "rejected": "Leave it wet."}
    for file, lines in {"seeds": records, "real": [{k: v for k, v in r.items() if k != "answer"} for r in records], "pairs": [pair]}.items():
        (tmp_path / f"{file}.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    monkeypatch.setenv("SYNTH_DOMAINS", str(tmp_path))
    return tmp_path


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


ALL = dg.AssetSelection.all()
ALONE = dg.AssetSelection.checks(CHECKS)


def run(instance: dg.DagsterInstance, domain: str, defect: str = "", selection: dg.AssetSelection = ALL) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [seeds, after_seeds, CHECKS],
        # As `partition_key` does, which Dagster 1.13 refuses for a run of checks alone.
        tags={"dagster/partition": domain, "defect": defect},
        resources={"warehouse": WarehouseResource(), "domains": DomainsResource()},
        instance=instance,
        selection=selection,
        raise_on_error=False,
    )


def failing(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckSeverity]:
    return {e.check_name: e.severity for e in result.get_asset_check_evaluations() if not e.passed}


def made(result: dg.ExecuteInProcessResult) -> list[str]:
    return [event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key]


def newest(domain: str) -> Row | None:
    return Warehouse(Home.from_env().warehouse).latest("seeds", domain)


def passed(domain: str) -> bool | None:
    row = newest(domain)
    assert row is not None
    return row["passed"]  # type: ignore[no-any-return]


def test_every_check_of_the_catalogue_is_a_blocking_asset_check() -> None:
    for stage, suite in CATALOGUE.items():
        specs = list(stage_checks(stage, PARTITIONS).check_specs)
        assert [spec.name for spec in specs] == [check.name for check in suite.checks]
        assert all(spec.blocking and spec.asset_key == dg.AssetKey(stage) and spec.partitions_def == PARTITIONS for spec in specs)
        assert all(check.defect in str(spec.description) for spec, check in zip(specs, suite.checks, strict=True))


def test_good_rows_pass_and_the_slice_is_marked(instance: dg.DagsterInstance) -> None:
    result = run(instance, "strict")
    assert result.success
    assert made(result) == ["seeds", "after_seeds"]
    assert [e.check_name for e in result.get_asset_check_evaluations()] == [check.name for check in CATALOGUE["seeds"].checks]
    assert failing(result) == {}
    assert passed("strict") is True


@pytest.mark.parametrize(
    ("domain", "defect", "check", "severity"),
    [
        ("lenient", "quality", "topics_covered", dg.AssetCheckSeverity.WARN),
        ("strict", "quality", "topics_covered", dg.AssetCheckSeverity.ERROR),
        ("lenient", "structure", "topics_declared", dg.AssetCheckSeverity.ERROR),
    ],
)
def test_the_domain_decides_about_quality_and_nobody_about_structure(
    domain: str, defect: str, check: str, severity: dg.AssetCheckSeverity, instance: dg.DagsterInstance
) -> None:
    result = run(instance, domain, defect)
    blocked = severity is dg.AssetCheckSeverity.ERROR
    assert failing(result) == {check: severity}
    assert result.success is not blocked
    assert made(result) == (["seeds"] if blocked else ["seeds", "after_seeds"])
    assert passed(domain) is not blocked


def test_a_result_says_what_was_expected_and_names_the_rows(instance: dg.DagsterInstance) -> None:
    result = run(instance, "strict", "structure")
    evaluation = next(e for e in result.get_asset_check_evaluations() if not e.passed)
    assert {name: entry.value for name, entry in evaluation.metadata.items()} == {
        "expected": "expect_column_values_to_be_in_set: column topic, value_set tides, knots",
        "seen": "1 of 8 rows differ",
        "unexpected_count": 1,
        "row_ids": ["strict-s0"],
    }
    assert evaluation.description == "Seen: 1 of 8 rows differ."


def test_results_are_kept_per_partition(instance: dg.DagsterInstance) -> None:
    run(instance, "lenient")
    run(instance, "strict", "structure")
    key = dg.AssetCheckKey(dg.AssetKey("seeds"), "topics_declared")
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=10)
    assert {record.partition: record.status.value for record in records} == {"lenient": "SUCCEEDED", "strict": "FAILED"}
    assert (passed("lenient"), passed("strict")) == (True, False)


def test_checks_that_run_later_mark_the_run_that_made_the_slice(instance: dg.DagsterInstance) -> None:
    first = run(instance, "strict", selection=dg.AssetSelection.assets(seeds).without_checks())
    assert passed("strict") is None
    assert run(instance, "strict", selection=ALONE).success
    row = newest("strict")
    assert row is not None
    assert (row["passed"], row["run_id"]) == (True, first.run_id)


def test_a_broken_domain_file_fails_every_check_and_takes_the_mark_away(instance: dg.DagsterInstance, domain_files: Path) -> None:
    run(instance, "lenient")
    (domain_files / "lenient.yaml").write_text("title: [", encoding="utf-8")
    result = run(instance, "lenient", selection=ALONE)
    assert failing(result) == {check.name: dg.AssetCheckSeverity.ERROR for check in CATALOGUE["seeds"].checks}
    assert all("ConfigError" in str(e.description) and "lenient.yaml" in str(e.metadata["error"].value) for e in result.get_asset_check_evaluations())
    assert not result.success
    assert passed("lenient") is False


def test_a_slice_that_was_never_made_fails_without_a_mark(instance: dg.DagsterInstance) -> None:
    result = run(instance, "strict", selection=ALONE)
    assert {"rows_present", "account_balances"} <= failing(result).keys()
    assert newest("strict") is None
