"""The dbt project: its figures over a small warehouse, its tests' own power to find faults, and what Dagster is told of it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from synth_assets import schemas
from synth_assets.accounts import Row
from synth_assets.conversations import approximate_tokens
from synth_assets.quality.words import words
from synth_assets.review.reasons import REASONS
from synth_assets_tests.dbt_warehouse import CHINESE, MARKDOWN, PROJECT, built_warehouse, math

ASSETS = {
    "seeds",
    "generated_instructions",
    "evolved_instructions",
    "teacher_responses",
    "preference_pairs",
    "real_data",
    "filtered",
    "spot_check",
    "mixed",
} | {
    "release",
    "benchmarks",
}


pytestmark = pytest.mark.slow  # dbt parses and builds the whole project once: 10 to 15 s


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_warehouse(tmp_path_factory)


@pytest.fixture(scope="module")
def manifest(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "target" / "manifest.json").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    shutil.copy(folder / "warehouse.duckdb", tmp_path)
    with closing(duckdb.connect(tmp_path / "warehouse.duckdb")) as con:
        yield con


@pytest.fixture(scope="module")
def models(manifest: dict[str, Any]) -> dict[str, Any]:
    return {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}


def rows_of(folder: Path, sql: str) -> list[Row]:
    with closing(duckdb.connect(folder / "warehouse.duckdb", read_only=True)) as con:
        found = con.execute(sql)
        return [dict(zip([c[0] for c in found.description], row, strict=True)) for row in found.fetchall()]


def test_build_passes_with_unit_tests(folder: Path) -> None:
    log = (folder / "dbt.log").read_text(encoding="utf-8")
    assert "Completed successfully" in log
    assert {mart for mart in MARTS if f"PASS {mart}::" not in log} == set()


MARTS: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "funnel": (
        "select stage, planned, kept, rejected, surplus, round(yield, 3) from quality.funnel where domain = 'math' order by position",
        [
            ("seeds", 4, 4, 0, 0, 1.0),
            ("generated_instructions", 3, 1, 1, 1, 0.333),
            ("evolved_instructions", 4, 3, 1, 0, 0.75),
            ("teacher_responses", 2, 2, 0, 0, 1.0),
            ("preference_pairs", 1, 1, 0, 0, 1.0),
            ("real_data", 1, 1, 0, 0, 1.0),
            ("filtered", 6, 4, 2, 0, 0.667),
            ("spot_check", 1, 1, 0, 0, 1.0),
            ("mixed", 4, 4, 0, 0, 1.0),
            ("release", 2, 2, 0, 0, 1.0),
        ],
    ),
    "rejections_by_rule": (
        "select stage, rule, rows, share, rows_alone from quality.rejections_by_rule order by stage, rule",
        [
            ("evolved_instructions", "leak", 1, 1.0, 0),
            ("evolved_instructions", "unchanged", 1, 1.0, 0),
            ("filtered", "refusal", 2, 1.0, 1),
            ("filtered", "too_short", 1, 0.5, 0),
            ("generated_instructions", "too_short", 1, 1.0, 1),
        ],
    ),
    "ngram_distribution": (
        "select ngram, occurrences from quality.ngram_distribution where domain = 'math' and n = 2 and rank <= 2 order by rank",
        [("add 2", 2), ("2 script", 1)],
    ),
    "topic_cells": (
        "select topic, seeds, filtered, mixed, is_declared from quality.topic_cells where domain = 'math' order by topic",
        [("algebra", 2, 2, 3, True), ("fractions", 1, 0, 0, True), ("geometry", 1, 1, 1, True), ("untold", 0, 1, 0, False)],
    ),
    "topic_coverage": (
        "select domain, stage, filled, declared, round(evenness, 3) from quality.topic_coverage order by all",
        [("chat", "filtered", 1, 1, None), ("chat", "mixed", 0, 1, None), ("math", "filtered", 2, 3, 0.579), ("math", "mixed", 2, 3, 0.512)],
    ),
    "contamination": (
        "select benchmark, rule, part, hits, rows, items, item_share from quality.contamination order by part",
        [("sums", "exact", "answer", 1, 1, 1, 0.25), ("sums", "exact", "prompt", 2, 1, 2, 0.5)],
    ),
    "mix_composition": (
        "select origin, rows, released_rows, words, row_share from quality.mix_composition order by origin",
        [("real", 1, 0, 11, 0.25), ("synthetic", 3, 2, 15, 0.75)],
    ),
    "teacher_cost": (
        "select domain, stage, calls, input_tokens, output_tokens, cost_usd, unpriced_calls from quality.teacher_cost order by all",
        [
            ("", "", 1.0, 7.0, 10.0, 1.0, 0.0),
            ("math", "evolved_instructions", 2.0, 140.0, 20.0, 0.5, 0.5),
            ("math", "generated_instructions", 1.0, 100.0, 10.0, 0.25, 0.5),
        ],
    ),
    "diversity_history": (
        "select run_id, value, change from quality.diversity_history where domain = 'math' and stage = 'filtered' order by materialized_at",
        [("run-1", 0.5, None), ("run-2", 0.25, -0.25)],
    ),
    "gate_results": (
        "select stage, check_name, result, row_ids from quality.gate_results where domain = 'math' order by all",
        [("seeds", "ids_unique", "passed", []), ("seeds", "topics_covered", "warned", ["row"])],
    ),
    "evolution_yield": (
        "select round, operation, kept, rejected, yield from quality.evolution_yield order by round",
        [(1, "deepen", 1, 1, 0.5), (2, "breadth", 1, 0, 1.0)],
    ),
    "missed_by_rules": (
        "select rule, reason, missed, missed_and_fixed, share, newest_row_id from quality.missed_by_rules where rule in ('secret', '(no rule)') order by all",
        [("(no rule)", "other", 1, 1, 0.25, "row-d"), ("(no rule)", "unsafe", 1, 1, 0.25, "row-b"), ("secret", "private_data", 1, 0, 0.25, "row-a")],
    ),
}


@pytest.mark.parametrize("mart", MARTS)
def test_figures(folder: Path, mart: str) -> None:
    sql, expected = MARTS[mart]
    assert [tuple(row.values()) for row in rows_of(folder, sql)] == expected


def test_every_mart_is_tested(models: dict[str, Any]) -> None:
    assert {name for name, node in models.items() if "marts" in node["fqn"]} == set(MARTS)


@pytest.mark.parametrize("text", ["Add 2, then doUBLE it: 3.5e2", MARKDOWN, CHINESE, "Über-naïve café’s", "", "snake_case"])
def test_words_are_those_of_the_gates(text: str) -> None:
    macro = (PROJECT / "macros" / "words.sql").read_text(encoding="utf-8")
    expression = macro.partition("-%}")[2].partition("{%-")[0].replace("{{ text }}", "?")
    with closing(duckdb.connect()) as con:
        found = con.execute(f"select {expression}", [text]).fetchone()
    assert found == (words(text),)


def test_tokens_are_those_of_the_card(folder: Path) -> None:
    (found,) = rows_of(folder, "select sum(approximate_tokens)::int as tokens from quality.mix_composition")
    assert found["tokens"] == sum(approximate_tokens(row) for row in math()["mixed"].kept)


def test_reasons_have_the_rules_of_the_page(folder: Path) -> None:
    found = {(row["reason"], row["rule"]) for row in rows_of(folder, "select reason, rule from quality.int_reason_rules")}
    assert found == {(reason.name, rule) for reason in REASONS for rule in reason.rules}


TAMPERING = {
    "a kept row disappeared": ("accounts_match_rows", "delete from synth.filtered where id = (select min(id) from synth.filtered)"),
    "a rejected row disappeared": ("accounts_match_rows", "delete from synth.rejections where row_id = 'one'"),
    "a surplus row disappeared": ("accounts_match_rows", "delete from synth.surplus"),
    "a slice without an account": ("accounts_match_rows", "delete from quality.funnel where stage = 'seeds'"),
    "an account does not add up": ("accounts_balance", "update quality.funnel set planned = planned + 1 where stage = 'seeds'"),
    "an unused call was lost": ("teacher_cost_sums", "delete from quality.teacher_cost where domain = ''"),
    "a call was counted twice": ("teacher_cost_sums", "update quality.teacher_cost set calls = calls + 1"),
    "a source fell out of the mix": ("mix_shares_sum_to_one", "delete from quality.mix_composition where origin = 'real'"),
}


@pytest.mark.parametrize("fault", TAMPERING)
def test_singular_tests_find(fault: str, folder: Path, copy: duckdb.DuckDBPyConnection) -> None:
    name, tampering = TAMPERING[fault]
    test = (folder / "target" / "compiled" / "dbt_quality" / "tests" / f"{name}.sql").read_text(encoding="utf-8")
    assert copy.execute(test).fetchall() == []
    copy.execute(tampering)
    assert copy.execute(test).fetchall() != []


def test_everything_is_described(manifest: dict[str, Any]) -> None:
    nodes = [node for kind in ("nodes", "sources", "unit_tests") for node in manifest[kind].values()]
    assert [n["name"] for n in nodes if "test_metadata" not in n and not n["description"].strip()] == []
    assert [(n["name"], c["name"]) for n in nodes for c in n.get("columns", {}).values() if not c["description"].strip()] == []


def test_described_columns_are_the_columns(folder: Path, models: dict[str, Any]) -> None:
    found = rows_of(folder, "select table_name, list(column_name order by ordinal_position) as columns from information_schema.columns group by table_name")
    columns = {row["table_name"]: row["columns"] for row in found}
    assert {name: list(node["columns"]) for name, node in models.items()} == {name: columns[name] for name in models}


def test_sources_are_the_tables_and_the_assets(manifest: dict[str, Any]) -> None:
    sources = {node["name"]: node for node in manifest["sources"].values()}
    assert set(sources) <= set(schemas.BY_NAME)
    assert {node["schema"] for node in sources.values()} == {schemas.SCHEMA}
    keys = {name: node["config"]["meta"].get("dagster", {}).get("asset_key") for name, node in sources.items()}
    assert {name: key for name, key in keys.items() if key} == {name: [name] for name in ASSETS}


def test_stages_are_those_of_the_schemas() -> None:
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    assert project["vars"]["stages"] == [*(table.name for table in schemas.STAGES), "release"]


def test_models_are_in_their_schema_without_a_prefix(models: dict[str, Any]) -> None:
    assert {node["schema"] for node in models.values()} == {"quality"}


def test_what_the_readme_says_builds_and_documents(folder: Path, tmp_path: Path) -> None:
    readme = (PROJECT.parent / "README.md").read_text(encoding="utf-8")
    commands = next(block for block in readme.split("```")[1::2] if "dbt docs generate" in block)
    shutil.copytree(PROJECT, tmp_path / "dbt_quality", ignore=shutil.ignore_patterns("target", "logs"))
    (tmp_path / ".synth").mkdir()
    shutil.copy(folder / "warehouse.duckdb", tmp_path / ".synth")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "SYNTH_"))}
    done = subprocess.run(["bash", "-ec", commands], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Completed successfully") == 1
    catalog = json.loads((tmp_path / "dbt_quality" / "target" / "catalog.json").read_text(encoding="utf-8"))
    assert set(MARTS) <= {node.rpartition(".")[2] for node in catalog["nodes"]}
