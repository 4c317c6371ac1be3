import json
from collections.abc import Callable
from typing import Any

import pytest

from synth_assets.accounts import Outcome, Row
from synth_assets.errors import StageFailed, UpstreamNotPassed, WarehouseError
from synth_assets.identity import data_version
from synth_assets.warehouse import Warehouse
from synth_assets_tests.warehouse.rows import full_row, outcome_of, paid_call, stage_rows

pytest_plugins = ("synth_assets_tests.warehouse.fixtures",)


def contamination_hit(row_id: str) -> Row:
    return {name: value for name, value in full_row("contamination_hits", row_id=row_id).items() if name not in ("domain", "stage")}


# Stages


def test_a_stage_and_all_that_belongs_to_it(warehouse: Warehouse) -> None:
    kept = stage_rows("mixed", "math", 2)
    outcome = outcome_of(kept, rejected=2, surplus=1)
    outcome.reject(outcome.rejected[0].row, "refusal", evidence="I cannot")
    outcome.use(kept[0]["id"], ["k1", "k2", "k1"])
    hit = contamination_hit("rejected-0")
    version = warehouse.commit_stage(
        "mixed", "math", outcome, run_id="r1", metrics={"mean": 0.5}, calls=[paid_call("k1"), paid_call("k2")], extra={"contamination_hits": [hit]}
    )
    here = {"domain": "math", "stage": "mixed"}
    assert warehouse.rows("mixed", "math") == kept
    assert version == data_version(kept)
    assert [(r["row_id"], r["rule"], r["score"], r["evidence"]) for r in warehouse.rows("rejections")] == [
        ("rejected-0", "refusal", None, "I cannot"),
        ("rejected-0", "too_short", 0.0, "0 words"),
        ("rejected-1", "too_short", 1.0, "1 words"),
    ]
    assert json.loads(warehouse.rows("rejections")[2]["row"]) == outcome.rejected[1].row
    assert warehouse.rows("surplus") == [here | {"row_id": "surplus-0", "row": '{"id":"surplus-0","instruction":"Name 0."}'}]
    assert warehouse.rows("stage_accounts") == [here | {"planned": 5, "candidates": 5, "kept": 2, "rejected": 2, "surplus": 1}]
    assert warehouse.rows("call_uses") == [here | {"key": key, "row_id": kept[0]["id"]} for key in ("k1", "k2")]
    assert warehouse.rows("contamination_hits") == [here | hit]
    assert [r["key"] for r in warehouse.rows("teacher_calls")] == ["k1", "k2"]
    noted = warehouse.latest("mixed", "math")
    assert noted is not None
    assert (noted["run_id"], noted["data_version"], noted["passed"], noted["metrics"]) == ("r1", version, None, '{"mean":0.5}')


def contents(warehouse: Warehouse) -> dict[str, list[Row]]:
    return {name: warehouse.rows(name) for name in ("seeds", "rejections", "surplus", "stage_accounts", "call_uses", "teacher_calls")}


def test_the_same_write_again_changes_nothing(warehouse: Warehouse) -> None:
    def write(run_id: str) -> str:
        return warehouse.commit_stage(
            "seeds", "math", outcome_of(stage_rows("seeds", "math", 30), rejected=3), run_id=run_id, calls=[paid_call("k", latency_ms=len(run_id))]
        )

    first, before = write("r1"), contents(warehouse)
    warehouse.mark_checked("seeds", "math", "r1", True)
    assert write("r1") == first
    assert [(r["run_id"], r["passed"]) for r in warehouse.rows("stage_history")] == [("r1", None)]
    assert write("another run") == first
    assert contents(warehouse) == before
    assert len(warehouse.rows("stage_history")) == 2


def test_a_write_replaces_its_own_slice_only(warehouse: Warehouse) -> None:
    hit = contamination_hit("r")
    for stage, domain in (("seeds", "math"), ("seeds", "code"), ("filtered", "math")):
        outcome = outcome_of(stage_rows(stage, domain, 4), rejected=2)
        warehouse.commit_stage(stage, domain, outcome, run_id="r1", extra={"contamination_hits": [hit]})
    warehouse.commit_stage("seeds", "math", outcome_of(stage_rows("seeds", "math", 1)), run_id="r2")
    assert (len(warehouse.rows("seeds", "math")), len(warehouse.rows("seeds", "code")), len(warehouse.rows("filtered"))) == (1, 4, 4)
    for table, rows_each in (("rejections", 2), ("contamination_hits", 1), ("stage_accounts", 1)):
        left = [(r["stage"], r["domain"]) for r in warehouse.rows(table)]
        assert left.count(("seeds", "math")) == (table == "stage_accounts")
        assert left.count(("seeds", "code")) == left.count(("filtered", "math")) == rows_each


def test_equal_texts_under_two_ids_are_two_rows(warehouse: Warehouse) -> None:
    rows = [full_row("seeds", id=name, domain="math", instruction="The same.") for name in ("a", "b")]
    warehouse.commit_stage("seeds", "math", outcome_of(rows), run_id="r1")
    assert warehouse.rows("seeds") == rows


def test_an_empty_slice_is_a_slice(checked: Warehouse) -> None:
    checked.commit_stage("seeds", "math", Outcome(), run_id="r2")
    checked.mark_checked("seeds", "math", "r2", True)
    assert checked.read_passed("seeds", "math") == []


def unbalanced() -> Outcome:
    outcome = outcome_of(stage_rows("seeds", "math", 3))
    outcome.planned = 4
    return outcome


def rejecting(row: Row, times: int = 1) -> Outcome:
    outcome = Outcome(planned=1)
    for _ in range(times):
        outcome.reject(row, "too_short")
    return outcome


@pytest.mark.parametrize(
    ("outcome", "more", "error", "told"),
    [
        (unbalanced(), {}, StageFailed, "4 candidates were planned"),
        (outcome_of([full_row("seeds", id="a", domain="math", topic=None)]), {}, WarehouseError, "seeds, row a: column topic has no value"),
        (outcome_of([full_row("seeds", id="a", domain="code")]), {}, WarehouseError, "seeds, row a: column domain is 'code'"),
        (outcome_of([full_row("seeds", id="theirs", domain="math")]), {}, WarehouseError, "seeds: .*Another slice holds a row of that key"),
        (rejecting({"id": "a", "response": "\ud800"}), {}, WarehouseError, "rejections, row math / seeds / a / too_short: column row .* surrogate pair"),
        (rejecting({"id": "a", "score": float("nan")}), {}, WarehouseError, "seeds, row a cannot be written as JSON"),
        (rejecting({"id": "a"}, times=2), {}, WarehouseError, "rejections: two rows have the same domain, stage, row_id, rule: math / seeds / a / too_short"),
        (Outcome(), {"metrics": {"mean": float("nan")}}, WarehouseError, "seeds of math, metric mean: nan is not a finite number"),
        (Outcome(), {"calls": [paid_call("k", cost_usd="free")]}, WarehouseError, "teacher_calls, row k / 1: column cost_usd"),
        (Outcome(), {"extra": {"contamination_hits": [{"stage": "mixed"}]}}, WarehouseError, "contamination_hits, row number 1 of this write"),
        (Outcome(), {"extra": {"rejections": []}}, WarehouseError, "rejections is written from the outcome"),
        (Outcome(), {"extra": {"release": []}}, WarehouseError, "release is a table of the kind WHOLE"),
        (Outcome(), {"extra": {"gossip": []}}, WarehouseError, "there is no table 'gossip'; the tables are seeds, "),
    ],
)
def test_a_stage_that_does_not_fit_writes_nothing(checked: Warehouse, outcome: Outcome, more: dict[str, Any], error: type[Exception], told: str) -> None:
    checked.commit_stage("seeds", "code", outcome_of([full_row("seeds", id="theirs", domain="code")]), run_id="r1")
    with pytest.raises(error, match=told):
        checked.commit_stage("seeds", "math", outcome, run_id="r2", **more)
    assert checked.read_passed("seeds", "math") == stage_rows("seeds", "math", 3)


# What the next stage may read


def overwrite(warehouse: Warehouse) -> None:
    with warehouse.transaction() as con:
        con.execute("update synth.seeds set response = 'by hand'")


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (lambda w: w.read_passed("seeds", "code"), "seeds of code was never materialized.*synth-assets run --domain code --to seeds"),
        (lambda w: w.commit_stage("seeds", "math", Outcome(), run_id="r2"), "seeds of math: the checks of run r2 have not ended"),
        (lambda w: w.commit_stage("seeds", "math", Outcome(), run_id="r1"), "seeds of math: the checks of run r1 have not ended"),
        (lambda w: w.mark_checked("seeds", "math", "r1", False), "seeds of math: blocking checks failed in run r1"),
        (overwrite, "seeds of math: its rows have data version .*Something else changed the table"),
    ],
    ids=["never materialized", "not checked", "not checked again", "failed", "changed since"],
)
def test_unchecked_slices_are_not_read(checked: Warehouse, after: Callable[[Warehouse], object], told: str) -> None:
    assert checked.read_passed("seeds", "math") == stage_rows("seeds", "math", 3)
    with pytest.raises(UpstreamNotPassed, match=told):
        after(checked)
        checked.read_passed("seeds", "math")


def test_a_verdict_on_an_older_run_does_not_count(checked: Warehouse) -> None:
    checked.commit_stage("seeds", "math", Outcome(), run_id="r2")
    checked.mark_checked("seeds", "math", "r1", True)
    with pytest.raises(UpstreamNotPassed, match="run r2 have not ended"):
        checked.read_passed("seeds", "math")


def test_the_newest_is_the_last_written_whatever_the_clock_says(checked: Warehouse) -> None:
    with checked.transaction() as con:
        con.execute("update synth.stage_history set materialized_at = '2099-01-01T00:00:00.000000+00:00'")
    checked.commit_stage("seeds", "math", Outcome(), run_id="r2")
    newest = checked.latest("seeds", "math")
    assert newest is not None
    assert (newest["run_id"], newest["materialized_at"]) == ("r2", "2099-01-01T00:00:00.000001+00:00")


def test_of_two_stages_of_a_domain_the_one_written_later_is_the_newer(checked: Warehouse) -> None:
    with checked.transaction() as con:
        con.execute("update synth.stage_history set materialized_at = '2099-01-01T00:00:00.000000+00:00'")
    for stage in ("evolved_instructions", "filtered"):
        checked.commit_stage(stage, "math", Outcome(), run_id="r2")
    at = {row["stage"]: row["materialized_at"] for row in checked.rows("stage_history") if row["domain"] == "math"}
    assert at["seeds"] < at["evolved_instructions"] < at["filtered"]


# Tables that are not partitioned


def test_a_whole_table(warehouse: Warehouse) -> None:
    items = [full_row("benchmarks", benchmark="gsm8k", item_id=str(n), part="prompt") for n in range(3)]
    version = warehouse.replace_table("benchmarks", items, run_id="r1", metrics={"items": 3})
    warehouse.mark_checked("benchmarks", "", "r1", True)
    assert warehouse.read_passed("benchmarks") == items
    assert warehouse.replace_table("benchmarks", items[:1], run_id="r2") != version
    assert warehouse.rows("benchmarks") == items[:1]
    with pytest.raises(UpstreamNotPassed, match=r"benchmarks: .*`synth-assets run --to benchmarks`"):
        warehouse.read_passed("benchmarks")


def test_appended_rows_are_never_rewritten(warehouse: Warehouse) -> None:
    assert warehouse.append("teacher_calls", [paid_call("a"), paid_call("b"), paid_call("b", model="late")]) == 2
    assert warehouse.append("teacher_calls", [paid_call("b", model="other"), paid_call("c"), full_row("teacher_calls", key="a", attempt=2)]) == 2
    assert warehouse.append("teacher_calls", []) == 0
    found = [(r["key"], r["attempt"], r["model"]) for r in warehouse.rows("teacher_calls")]
    assert found == [("a", 1, "text"), ("a", 2, "text"), ("b", 1, "text"), ("c", 1, "text")]


def test_an_appended_version_is_a_materialization(warehouse: Warehouse) -> None:
    for version in ("v1", "v2"):
        warehouse.append("reward_model", [full_row("reward_model", version=version)], run_id=f"run of {version}", metrics={"accuracy": 0.7})
        warehouse.mark_checked("reward_model", "", f"run of {version}", True)
    assert [r["version"] for r in warehouse.read_passed("reward_model")] == ["v1", "v2"]


def test_an_unpartitioned_stage_and_all_that_belongs_to_it(warehouse: Warehouse) -> None:
    def outcome(domain: str, kept: int, rejected: int) -> Outcome:
        return outcome_of(stage_rows("release", domain, kept), rejected)

    warehouse.commit_stage("seeds", "math", outcome_of(stage_rows("seeds", "math", 1), rejected=1), run_id="r1")
    warehouse.commit_whole("release", {"math": outcome("math", 2, 1), "code": outcome("code", 3, 2)}, run_id="r1")
    version = warehouse.commit_whole("release", {"math": outcome("math", 2, 1)}, run_id="r2", metrics={"rows": 2})
    warehouse.mark_checked("release", "", "r2", True)
    assert warehouse.read_passed("release") == stage_rows("release", "math", 2)
    assert version == data_version(stage_rows("release", "math", 2))
    for table in ("rejections", "stage_accounts"):
        assert [(r["domain"], r["stage"]) for r in warehouse.rows(table, order=("stage",))] == [("math", "release"), ("math", "seeds")]


def test_a_row_kept_under_another_domain_is_a_defect(warehouse: Warehouse) -> None:
    rows = stage_rows("release", "math", 2)
    with pytest.raises(WarehouseError, match="it is not a row of code"):
        warehouse.commit_whole("release", {"code": outcome_of(rows)}, run_id="r1")
    assert warehouse.rows("release") == []
