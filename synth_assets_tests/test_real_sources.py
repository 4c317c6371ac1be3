"""Rows written by people from Parquet, DuckDB and `datasets`: their fields, their faults, and what a query may not see."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from synth_assets.accounts import Outcome
from synth_assets.domain_files import load_domain
from synth_assets.errors import ConfigError
from synth_assets.methods import seeds
from synth_assets.real_sources import External, read_external
from synth_assets_tests.graph.world import TOPICS, write_domain

DECLARED = {"source": "a shop", "license": "CC-BY-4.0"}
FIELDS = {"instruction": "question", "input": "context", "response": "answer"}


def rows(count: int) -> list[dict[str, Any]]:
    return [{"question": f"What is knot {n}?", "context": None if n % 2 else "Hemp only.", "answer": f"Knot {n} holds.", "views": n} for n in range(count)]


def write(folder: Path, name: str, made: list[dict[str, Any]]) -> None:
    lines = folder / "boats" / "made.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    if name.endswith(".parquet"):
        duckdb.sql(f"copy (from '{lines}') to '{folder / 'boats' / name}'")
    elif name.endswith(".duckdb"):
        with duckdb.connect(folder / "boats" / name) as con:
            con.execute(f"create table orders as from '{lines}'")


def real(folder: Path, entry: dict[str, Any]) -> Outcome:
    """What becomes of one source's rows."""
    pairs = {"path": "boats/pairs.jsonl", "kind": "preference", "source": "us", "license": "curated"}
    loaded = load_domain(write_domain(folder, real_data=[DECLARED | entry, pairs]), "boats")
    outcome = Outcome()
    external: dict[int, External] = {}
    for place, (source, _) in enumerate(loaded.curated):
        if source.external:
            external[place] = read_external(source, loaded.config, loaded.folder)
    seeds.real_data(loaded, outcome, external)
    outcome.check_balance("real_data", "boats")
    outcome.kept = [row for row in outcome.kept if row["kind"] == "sft"]
    return outcome


SOURCES = {
    "jsonl": {"path": "boats/made.jsonl"},
    "parquet": {"path": "boats/made.parquet"},
    "a query over a database": {"path": "boats/made.duckdb", "query": "select * from orders order by random()"},
    "a query over files": {"query": "select question, context, answer from '{folder}/boats/made.parquet' order by random()"},
    "a dataset": {"dataset": "boats/made"},
}


@pytest.mark.parametrize("entry", SOURCES.values(), ids=SOURCES)
def test_every_origin_gives_the_same_rows(tmp_path: Path, entry: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    write_domain(tmp_path)
    for name in ("made.parquet", "made.duckdb"):
        write(tmp_path, name, rows(6))
    (tmp_path / "boats" / "made").mkdir()
    (tmp_path / "boats" / "made" / "train.jsonl").write_text((tmp_path / "boats" / "made.jsonl").read_text())
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    outcome = real(tmp_path, entry | {"topic": "ropes", "fields": FIELDS})
    assert sorted((r["instruction"], r["input"], r["response"], r["topic"], r["source"], r["license"]) for r in outcome.kept) == [
        (f"What is knot {n}?", "" if n % 2 else "Hemp only.", f"Knot {n} holds.", "ropes", "a shop", "CC-BY-4.0") for n in range(6)
    ]


def test_limit_draws_the_same_rows_whatever_their_order(tmp_path: Path) -> None:
    write_domain(tmp_path)
    write(tmp_path, "made.duckdb", rows(50))
    entry = {"path": "boats/made.duckdb", "query": "from orders order by random()", "topic": "ropes", "fields": FIELDS, "limit": 10}
    once, again = (sorted(r["id"] for r in real(tmp_path, entry).kept) for _ in range(2))
    assert once == again and len(once) == 10


def test_rows_that_are_no_records_are_rejected_by_name(tmp_path: Path) -> None:
    write_domain(tmp_path)
    write(tmp_path, "made.parquet", [*rows(3), {"question": "  ", "context": "", "answer": "Yes.", "views": 1}])
    outcome = real(tmp_path, {"query": "from '{folder}/boats/made.parquet'", "topic": "ropes", "fields": FIELDS})
    assert len(outcome.kept) == 3
    [rejection] = outcome.rejected
    assert rejection.rule == "unusable_record" and "row 4" in rejection.evidence and "instruction" in rejection.evidence


FAULTS = {
    "a bad query": ({"query": "select nothing from nowhere"}, "nowhere"),
    "no select": ({"query": "drop table x"}, "not a select"),
    "files elsewhere": ({"query": "from read_text('/etc/hostname')"}, "disabled by configuration"),
    "fields that are not there": ({"query": "from '{folder}/boats/made.parquet'"}, "none of its 3 rows is a record"),
    "an undeclared topic": ({"query": "select *, 'kites' as topic from '{folder}/boats/made.parquet'", "fields": FIELDS}, "topic 'kites' is not declared"),
    "a dataset that is not there": ({"dataset": "boats/nothing", "topic": "ropes"}, "real_data boats/nothing"),
    "no rows": ({"query": "from '{folder}/boats/made.parquet' where false", "topic": "ropes"}, "it has no rows"),
}


@pytest.mark.parametrize(("entry", "message"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_read_is_said_with_its_remedy(tmp_path: Path, entry: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    write_domain(tmp_path)
    write(tmp_path, "made.parquet", rows(3))
    with pytest.raises(ConfigError) as error:
        real(tmp_path, entry)
    assert message in str(error.value) and "->" in str(error.value)


SETTINGS = {
    "nothing": ({}, "without path, query and dataset"),
    "two": ({"path": "boats/real.jsonl", "dataset": "x"}, "dataset beside path"),
    "a query on JSON Lines": ({"path": "boats/real.jsonl", "query": "select 1"}, "beside a query"),
    "a database without a query": ({"path": "boats/made.duckdb"}, "without a query"),
    "no licence": ({"path": "boats/real.jsonl", "license": None}, "license"),
    "broken parquet": ({"path": "boats/broken.parquet"}, "not a Parquet file"),
    "a bad parquet row": ({"path": "boats/made.parquet", "topic": "ropes"}, "made.parquet:1: key response is missing"),
}


@pytest.mark.parametrize(("entry", "message"), SETTINGS.values(), ids=SETTINGS)
def test_wrong_settings_are_named_before_anything_runs(tmp_path: Path, entry: dict[str, Any], message: str) -> None:
    write_domain(tmp_path)
    write(tmp_path, "made.duckdb", rows(1))
    write(tmp_path, "made.parquet", [{"instruction": "What?"}])
    (tmp_path / "boats" / "broken.parquet").write_text("PAR2")
    with pytest.raises(ConfigError, match=message):
        real(tmp_path, entry)
    assert TOPICS
