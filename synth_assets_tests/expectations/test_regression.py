"""Regression gates: what is compared with what, what is said where nothing is, and how far is too far."""

import json
from typing import Any

import pytest

from synth_assets.config import Domain
from synth_assets.expectations.validation import CheckResult, validate
from synth_assets_tests.expectations.tables import DOMAIN, METRICS, frames, good


def seen(check: str, *, stage: str = "filtered", domain: Domain = DOMAIN, before: dict[str, Any] | None = None, **now: Any) -> CheckResult:
    """The result of a gate with other metrics in the newest materialization, or in the one that passed."""
    tables = good()
    for row in tables["stage_history"]:
        if row["stage"] == stage and row["passed"] is not False:
            metrics = METRICS | (now if row["passed"] is None else before or {})
            row["metrics"] = json.dumps({name: value for name, value in metrics.items() if value is not None})
    facts = frames(tables)
    return next(result for result in validate(stage, facts[stage], domain, facts) if result.name == check)


@pytest.mark.parametrize(
    ("check", "now", "passed", "blocking"),
    [
        ("reward_held", {"reward_mean": 0.55}, True, False),
        ("reward_held", {"reward_mean": 0.54}, False, False),
        ("reward_held", {"reward_mean": 0.4}, False, False),
        ("reward_held", {"reward_mean": 0.39}, False, True),
        ("reward_held", {"reward_mean": 0.9}, True, False),
        ("diversity_held", {"distinct_2_of_100": 0.72}, True, False),
        ("diversity_held", {"distinct_2_of_100": 0.57}, False, False),
        ("diversity_held", {"distinct_2_of_100": 0.55}, False, True),
        ("length_held", {"mean_response_words": 60.0}, False, False),
        ("length_held", {"mean_response_words": 15.0}, False, True),
        ("acceptance_held", {"acceptance_rate": 0.35}, False, False),
        ("acceptance_held", {"acceptance_rate": 0.34}, False, True),
    ],
)
def test_drift_warns_and_collapse_blocks(check: str, now: dict[str, float], passed: bool, blocking: bool) -> None:
    found = seen(check, **dict[str, Any](now))
    assert (found.passed, found.blocking) == (passed, blocking)


@pytest.mark.parametrize(
    ("check", "before", "now", "words"),
    [
        ("reward_held", {}, {"kept": 19}, "not compared: 19 rows now and 100 before, where checks.regression.min_rows is 20"),
        ("reward_held", {"reward_mean": None, "margin_mean": None}, {}, "nothing to compare with: run run 1 did not measure it"),
        ("diversity_held", {"distinct_2_of_100": 0}, {}, "nothing to compare with: distinct_2_of_100 was 0 in run run 1"),
    ],
)
def test_what_cannot_be_compared_passes_and_says_why(check: str, before: dict[str, Any], now: dict[str, Any], words: str) -> None:
    found = seen(check, before=before, **now)
    assert (found.passed, found.seen, found.error) == (True, words, "")


def test_a_measure_that_is_gone_is_no_pass() -> None:
    found = seen("reward_held", reward_mean=None)
    assert (found.passed, found.blocking) == (False, True)
    assert found.error == "LookupError: reward_mean was 0.6 in run run 1, and is not measured any more"


def test_a_free_teacher_has_no_cost_to_compare() -> None:
    found = seen("cost_held", stage="teacher_responses", before={"cost_per_kept_row_usd": 0}, cost_per_kept_row_usd=0.01)
    assert (found.passed, found.seen) == (True, "nothing to compare with: cost_per_kept_row_usd was 0 in run run 1")


def test_the_first_materialization_has_nothing_to_fall_behind() -> None:
    tables = good()
    tables["stage_history"] = [row for row in tables["stage_history"] if row["passed"] is None]
    facts = frames(tables)
    held = [result for result in validate("mixed", facts["mixed"], DOMAIN, facts) if result.kind == "regression"]
    assert {(result.passed, result.seen) for result in held} == {(True, "nothing to compare with: no earlier materialization passed")}


def test_the_domain_file_decides() -> None:
    def domain(reward: dict[str, float] | None) -> Domain:
        return Domain.model_validate(DOMAIN.model_dump() | {"checks": {"regression": {"reward": reward}}})

    assert seen("reward_held", domain=domain({"drift": 0.3, "collapse": 0.3}), reward_mean=0.31).passed
    assert seen("reward_held", domain=domain({"drift": 0.0, "collapse": 0.0}), reward_mean=0.599).blocking
    off = seen("reward_held", domain=domain(None), reward_mean=0.0)
    assert (off.passed, off.seen) == (True, "not compared: checks.regression.reward is null")
