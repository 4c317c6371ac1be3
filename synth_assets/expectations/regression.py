"""Regression gates: a materialization's measures beside those of the last one that passed, both from `stage_history`.

Drift warns, collapse blocks; one check per measure, whose severity is that of what it saw. What was accepted with a warning is the next one's
yardstick, so that a slow slide shows as warnings, and in the history, but stops nothing. Seeds and rows written by people are not compared:
people change them on purpose. Who means a change that a gate takes for a collapse raises the domain's tolerance, or sets it to null.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from synth_assets.config import Domain
from synth_assets.config_checks import Tolerance
from synth_assets.expectations.check import Check, Figure, StageSlice
from synth_assets.expectations.forms import Expect, at_most

__all__ = ["HISTORY", "regression_checks"]

HISTORY = "stage_history"
"""The table that a suite with regression gates needs among its inputs."""


@dataclass(frozen=True)
class Measure:
    """One measure of the history and what is bad about a change of it."""

    metrics: tuple[str, ...]
    """Its names in the history, the first that is there."""
    worse: Literal["fall", "rise", "change"]
    unit: Literal["part", "points"]
    description: str
    defect: str
    of_rows: bool = True
    """Whether it is measured on the kept rows, so that few of them say little."""


MEASURES: Mapping[str, Measure] = {
    "diversity": Measure(
        ("distinct_2_of_100",), "fall", "part", "Prompts are about as varied as before.", "Mode collapse: prompts begin to repeat each other."
    ),
    "similarity": Measure(
        ("nearest_cosine_mean",), "rise", "points", "Prompts are about as far apart in meaning as before.", "Prompts say the same in other words."
    ),
    "topic_entropy": Measure(("topic_entropy",), "fall", "points", "Rows are spread over the topics about as before.", "A few topics take over."),
    "length": Measure(("mean_response_words", "mean_words"), "change", "part", "Texts are about as long as before.", "Texts shrink to stubs, or swell."),
    "refusal_rate": Measure(
        ("refusal_rate",), "rise", "points", "The teacher declines about as rarely as before.", "A new teacher or prompt makes it decline."
    ),
    "reward": Measure(("reward_mean", "margin_mean"), "fall", "points", "Rewards are about as high as before.", "Answers become worse by the reward model."),
    "acceptance": Measure(
        ("acceptance_rate",), "fall", "part", "About as many candidates pass as before.", "Most of what is paid for is rejected now.", of_rows=False
    ),
    "cost": Measure(
        ("cost_per_kept_row_usd",), "rise", "part", "A kept row costs about as much as before.", "Each row costs far more than it did.", of_rows=False
    ),
}
"""By their names in `checks.regression` of a domain file."""


@dataclass(frozen=True)
class Comparison:
    """A measure now and in the last materialization that passed."""

    now: float | None = None
    before: float | None = None
    run_id: str = ""
    """Of the earlier one."""
    silence: str = ""
    """Why nothing is compared; empty where something is."""


def regression_checks(*names: str) -> tuple[Check, ...]:
    """The gates of a stage over these measures. Its suite needs `HISTORY` among its inputs."""
    return tuple(_gate(name, MEASURES[name]) for name in names)


def _gate(name: str, measure: Measure) -> Check:
    return Check(
        f"{name}_held",
        "regression",
        f"{measure.description} Compared with the last materialization that passed: drift beyond checks.regression.{name} warns, collapse blocks.",
        measure.defect,
        _drift(name, measure),
        Figure(f"{name}_{measure.worse}", lambda rows: _change(measure, _compare(rows, name, measure)), _teller(name, measure)),
        blocks_beyond=lambda domain: tolerance.collapse + 1e-9 if (tolerance := _tolerance(domain, name)) else float("inf"),
    )


def _drift(name: str, measure: Measure) -> Expect:
    """At most the tolerated drift. A measure that is not compared has no value that could exceed it."""

    def threshold(domain: Domain) -> str:
        tolerance = _tolerance(domain, name)
        if tolerance is None:
            return "not compared"
        warn, block = (f"{limit:.0%}" if measure.unit == "part" else f"{limit:g} points" for limit in (tolerance.drift, tolerance.collapse))
        return f"{measure.worse} above {warn} warns, above {block} blocks"

    # A drift that is exactly tolerated must not fail on its last binary digit.
    limit = at_most(lambda domain: tolerance.drift + 1e-9 if (tolerance := _tolerance(domain, name)) else 0.0)
    return Expect(limit.make, threshold)


def _tolerance(domain: Domain, name: str) -> Tolerance | None:
    found: Tolerance | None = getattr(domain.checks.regression, name)
    return found


def _compare(rows: StageSlice, name: str, measure: Measure) -> Comparison:
    if _tolerance(rows.domain, name) is None:
        return Comparison(silence=f"not compared: checks.regression.{name} is null")
    told = rows.records(HISTORY, "materialized_at", "passed", "run_id", "metrics", stage=rows.stage)
    history = sorted(told, key=lambda row: str(row["materialized_at"]))
    if not history:
        raise LookupError(f"{HISTORY} has no row of {rows.stage} of {rows.domain.name}")
    newest = json.loads(history[-1]["metrics"])
    earlier = next((row for row in reversed(history[:-1]) if row["passed"]), None)
    if earlier is None:
        return Comparison(silence="nothing to compare with: no earlier materialization passed")
    old = json.loads(earlier["metrics"])
    least = rows.domain.checks.regression.min_rows
    if measure.of_rows and min(newest.get("kept", 0), old.get("kept", 0)) < least:
        return Comparison(
            silence=f"not compared: {newest.get('kept', 0)} rows now and {old.get('kept', 0)} before, where checks.regression.min_rows is {least}"
        )
    metric = next((metric for metric in measure.metrics if metric in old), None)
    if metric is None:
        return Comparison(silence=f"nothing to compare with: run {earlier['run_id']} did not measure it")
    if measure.unit == "part" and not old[metric]:
        return Comparison(silence=f"nothing to compare with: {metric} was 0 in run {earlier['run_id']}")
    if metric not in newest:
        raise LookupError(f"{metric} was {old[metric]:.4g} in run {earlier['run_id']}, and is not measured any more")
    return Comparison(float(newest[metric]), float(old[metric]), str(earlier["run_id"]))


def _change(measure: Measure, seen: Comparison) -> float | None:
    """How much worse it is, below 0 where it is better; None where nothing is compared."""
    if seen.now is None or seen.before is None:
        return None
    difference = (seen.now - seen.before) / (abs(seen.before) if measure.unit == "part" else 1)
    return {"fall": -difference, "rise": difference, "change": abs(difference)}[measure.worse]


def _teller(name: str, measure: Measure) -> Callable[[StageSlice], str]:
    def told(rows: StageSlice) -> str:
        seen = _compare(rows, name, measure)
        return seen.silence or f"{seen.now:.4g}, after {seen.before:.4g} in run {seen.run_id}"

    return told
