import gc
import weakref
from dataclasses import astuple
from pathlib import Path

import pandas
import pytest

from synth_assets import schemas
from synth_assets.accounts import Outcome
from synth_assets.config import Domain
from synth_assets.domain_files import list_domain_names, load_domain, shipped_folder
from synth_assets.expectations.catalogue import CATALOGUE
from synth_assets.expectations.validation import CheckResult, failed, validate
from synth_assets.methods import seeds as written
from synth_assets.warehouse import Warehouse
from synth_assets_tests.expectations.tables import DOMAIN, EVOLVED, FREE_DOMAIN, GENERATED, SEEDS, Tables, frames, good


def by_name(results: list[CheckResult]) -> dict[str, CheckResult]:
    return {result.name: result for result in results}


def test_rows_that_went_through_the_warehouse_pass(tmp_path: Path) -> None:
    """Lists and structs come back from DuckDB as arrays, texts as pandas' own type."""
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    tables = good()
    for table in schemas.STAGES:
        warehouse.commit_stage(table.name, DOMAIN.name, Outcome(planned=len(tables[table.name]), kept=tables[table.name]), run_id="run")
    warehouse.replace_table("benchmarks", tables["benchmarks"], run_id="run")
    for stage, suite in CATALOGUE.items():
        facts = {table: warehouse.frame(table, columns=columns) for table, columns in suite.inputs.items()}
        assert [astuple(r) for r in validate(stage, warehouse.frame(stage), DOMAIN, facts) if not r.passed] == []


@pytest.mark.parametrize("name", list_domain_names(shipped_folder()))
def test_what_is_shipped_passes(name: str, tmp_path: Path) -> None:
    loaded, warehouse = load_domain(shipped_folder(), name), Warehouse(tmp_path / "warehouse.duckdb")
    items = [(f"{name}/{benchmark}", item) for benchmark, items in loaded.benchmarks.items() for item in items]
    parts = [{"benchmark": b, "item_id": i.id, "part": part, "text": text} for b, i in items for part, text in (("prompt", i.prompt), ("answer", i.answer))]
    warehouse.replace_table("benchmarks", [part | {"digest": ""} for part in parts if part["text"]], run_id="run")
    for stage, make in (("seeds", written.seeds), ("real_data", written.real_data)):
        outcome = Outcome()
        make(loaded, outcome)
        warehouse.commit_stage(stage, name, outcome, run_id="run")
        facts = {table: warehouse.frame(table, columns=columns) for table, columns in CATALOGUE[stage].inputs.items()}
        assert [astuple(r) for r in validate(stage, warehouse.frame(stage, name), loaded.config, facts) if not r.passed] == []


@pytest.mark.parametrize("domain", [DOMAIN, FREE_DOMAIN], ids=["all_methods", "no_method"])
@pytest.mark.parametrize("stage", CATALOGUE)
def test_an_empty_slice_fails_only_where_rows_are_required(stage: str, domain: Domain) -> None:
    empty: Tables = {name: [] for name in schemas.BY_NAME}
    empty["stage_accounts"] = [
        {"domain": DOMAIN.name, "stage": t.name, "planned": 0, "candidates": 0, "kept": 0, "rejected": 0, "surplus": 0} for t in schemas.STAGES
    ]
    made = {"run_id": "run", "data_version": "d", "passed": None, "materialized_at": "2026-01-01", "metrics": '{"kept": 0}'}
    empty["stage_history"] = [{"domain": DOMAIN.name, "stage": t.name, **made} for t in schemas.STAGES]
    facts = frames(empty)
    results = validate(stage, facts[stage], domain, facts)
    assert [r.error for r in results if r.error] == []
    required = {"seeds", "evolved_instructions", "teacher_responses", "filtered", "mixed", "real_data"}
    assert [r.name for r in results if r.kind == "structure" and not r.passed] == (["rows_present"] if stage in required else [])


def test_a_figure_of_nothing_passes_and_says_so() -> None:
    tables = good()
    tables["preference_pairs"] = []
    facts = frames(tables)
    result = by_name(validate("preference_pairs", facts["preference_pairs"], DOMAIN, facts))["margins_positive"]
    assert (result.passed, result.seen) == (True, "nothing to measure")


def test_a_lost_column_fails_the_checks_that_need_it_and_no_others() -> None:
    tables = good()
    for row in tables["teacher_responses"]:
        del row["stop_reason"]
    facts = frames(tables)
    results = by_name(validate("teacher_responses", facts["teacher_responses"], DOMAIN, facts))
    assert {name for name, result in results.items() if not result.passed} == {"columns_match_schema", "stop_reasons_final"}
    assert results["columns_match_schema"].seen == "missing: stop_reason"
    assert "stop_reason" in results["stop_reasons_final"].error
    assert results["stop_reasons_final"].seen == "not evaluated"


def test_a_check_without_its_table_fails_and_names_it() -> None:
    facts = frames(good())
    results = by_name(validate("mixed", facts["mixed"], DOMAIN, {name: facts[name] for name in ("stage_accounts", "filtered", "stage_history")}))
    failing = {name: result.error for name, result in results.items() if not result.passed}
    assert failing == {
        "sources_exist": "LookupError: needs the rows of real_data, which were not given",
        "no_rejected_row": "LookupError: needs the rows of rejections, which were not given",
        "no_row_against_a_verdict": "LookupError: needs the rows of reviews, which were not given",
    }


def test_what_the_library_cannot_evaluate_has_not_passed() -> None:
    facts = frames(good())
    seeds = facts["seeds"]
    failing = [r for r in validate("seeds", seeds[[*seeds.columns, "id"]], DOMAIN, facts) if not r.passed]
    assert [(r.name, r.seen, r.error) for r in failing] == [("ids_unique", "not evaluated", "cannot reindex on an axis with duplicate labels")]


def test_all_checks_of_a_stage_can_fail_for_one_error() -> None:
    results = failed("seeds", OSError("the disk is gone"))
    assert [r.name for r in results] == [check.name for check in CATALOGUE["seeds"].checks]
    assert {(r.passed, r.error) for r in results} == {(False, "OSError: the disk is gone")}


def test_a_value_that_cannot_be_compared_is_no_pass() -> None:
    tables = good()
    tables["preference_pairs"][0]["chosen_score"] = float("inf")
    facts = frames(tables)
    result = by_name(validate("preference_pairs", facts["preference_pairs"], DOMAIN, facts))["margins_positive"]
    assert (result.passed, result.error) == (False, "ValueError: 1 margins are no numbers")


def test_bad_rows_are_all_counted_and_twenty_are_named() -> None:
    tables = good()
    tables["seeds"] = [row | {"id": f"{row['id']}-{copy}", "topic": "winds"} for copy in range(5) for row in tables["seeds"]]
    facts = frames(tables)
    result = by_name(validate("seeds", facts["seeds"], DOMAIN, facts))["topics_declared"]
    assert (result.unexpected_count, len(set(result.row_ids))) == (35, 20)
    assert result.seen == "35 of 35 rows differ"
    assert result.expected == "expect_column_values_to_be_in_set: column topic, value_set tides, knots"


def test_no_text_of_a_row_is_in_a_result() -> None:
    tables = good()
    for stage in CATALOGUE:
        for row in tables[stage]:
            row.update({name: value for name, value in {"topic": "secret topic", "method": "secret method", "purpose": "secret"}.items() if name in row})
    for row in tables["evolved_instructions"]:
        row["instruction"] = f"The rewritten prompt: {row['instruction']}"
    for name in ("stop_reason", "verdict"):
        tables["teacher_responses"][0][name] = "secret value"
    facts = frames(tables)
    told = str([validate(stage, facts[stage], DOMAIN, facts) for stage in CATALOGUE])
    texts = [*(text for _, *both in (*SEEDS, *GENERATED) for text in both), *EVOLVED, "secret"]
    assert [text for text in texts if text in told] == []


def test_a_frame_is_not_held_after_its_validation() -> None:
    """The library keeps the last context, and would keep with it some hundred megabytes of texts."""

    class Text(str):
        """A text that can be watched."""

    facts, text = frames(good()), Text("How high?")
    watched = weakref.ref(text)
    frame = facts.pop("seeds").assign(heavy=pandas.Series([text] * len(SEEDS), dtype="object"))
    validate("seeds", frame, DOMAIN, facts)
    del frame, text
    gc.collect()
    assert watched() is None
