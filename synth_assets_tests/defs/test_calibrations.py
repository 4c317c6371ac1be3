"""Frozen calibrations in a real warehouse: made once, moved by nothing but the command, and one of each number."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from synth_assets.accounts import Outcome
from synth_assets.cli import main
from synth_assets.defs.calibrations import calibrate_anew, frozen
from synth_assets.defs.resources import EmbedderResource, TeacherResource
from synth_assets.defs.rewards import Rewards
from synth_assets.domain_files import load_domain
from synth_assets.errors import StageFailed, UpstreamNotPassed
from synth_assets.home import Home
from synth_assets.methods import seeds as seeds_method
from synth_assets.methods.scoring import Direct, without_teacher
from synth_assets.quality.bradley_terry import Floats
from synth_assets.warehouse import Warehouse
from synth_assets_tests.graph.world import write_domain
from synth_assets_tests.warehouse.rows import outcome_of, stage_rows

pytest_plugins = ["synth_assets_tests.warehouse.fixtures"]


def letters(prompts: Sequence[str], responses: Sequence[str]) -> Floats:
    return np.array([len(text) for text in responses], np.float64)


LETTERS = Direct("letters@1", letters)


def seeds(warehouse: Warehouse, run: str, *responses: str) -> None:
    rows = [row | {"response": text} for row, text in zip(stage_rows("seeds", "math", len(responses)), responses, strict=True)]
    warehouse.commit_stage("seeds", "math", outcome_of(rows), run_id=run)
    warehouse.mark_checked("seeds", "math", run, True)


def test_changed_seeds_move_no_percentile_until_it_is_asked_anew(warehouse: Warehouse) -> None:
    seeds(warehouse, "r1", "a", "bbb", "cc")
    first = frozen(warehouse, "math", LETTERS, without_teacher)
    assert (first.number, first.references.tolist()) == (1, [1.0, 2.0, 3.0])

    seeds(warehouse, "r2", "a much longer one", "and another that is longer still")
    assert frozen(warehouse, "math", LETTERS, without_teacher).references.tolist() == [1.0, 2.0, 3.0]

    before, after = calibrate_anew(warehouse, "math", LETTERS, without_teacher)
    assert before is not None and before.number == 1 and before.references.tolist() == [1.0, 2.0, 3.0]
    assert (after.number, after.references.tolist()) == (2, [17.0, 32.0]) and after.seeds_version != first.seeds_version
    assert frozen(warehouse, "math", LETTERS, without_teacher).number == 2

    # Another version has a calibration of its own; the old ones stay as they were.
    other = frozen(warehouse, "math", Direct("letters@2", lambda p, r: -letters(p, r)), without_teacher)
    assert (other.number, other.references.tolist()) == (1, [-32.0, -17.0])
    assert [(row["reward_version"], row["number"], row["responses"]) for row in warehouse.rows("reward_calibrations")] == [
        ("letters@1", 1, 3),
        ("letters@1", 2, 2),
        ("letters@2", 1, 2),
    ]


def test_of_two_who_calibrate_at_once_the_first_stands_for_both(warehouse: Warehouse) -> None:
    seeds(warehouse, "r1", "a", "bbb")

    def while_another_does(prompts: Sequence[str], responses: Sequence[str]) -> Floats:
        frozen(warehouse, "math", LETTERS, without_teacher)
        return letters(prompts, responses) + 100

    assert frozen(warehouse, "math", Direct("letters@1", while_another_does), without_teacher).references.tolist() == [1.0, 3.0]


def test_without_references_it_says_what_is_missing(warehouse: Warehouse) -> None:
    with pytest.raises(UpstreamNotPassed, match="seeds of math was never materialized"):
        frozen(warehouse, "math", LETTERS, without_teacher)
    seeds(warehouse, "r1")
    with pytest.raises(StageFailed, match=r"math: the reward model letters@1 gave none of the 0 reference responses a score"):
        frozen(warehouse, "math", LETTERS, without_teacher)


def test_the_command_asks_anew_and_says_what_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Chinese, so that no sentence model is loaded.
    domains = write_domain(tmp_path, language="zh")
    monkeypatch.setenv("SYNTH_DOMAINS", str(domains))
    warehouse = Warehouse(Home.from_env().warehouse)

    def materialize(run: str) -> None:
        outcome = Outcome()
        seeds_method.seeds(load_domain(domains, "boats"), outcome)
        warehouse.commit_stage("seeds", "boats", outcome, run_id=run)
        warehouse.mark_checked("seeds", "boats", run, True)

    failed = CliRunner().invoke(main, ["calibrate"])
    assert failed.exit_code == 1 and "FAILED boats: seeds of boats was never materialized" in failed.output
    materialize("r1")
    assert CliRunner().invoke(main, ["calibrate", "--domain", "boats"]).exit_code == 0

    def percentile() -> float | None:
        rewards = Rewards.of(warehouse, EmbedderResource().open(), load_domain(domains, "boats").config, TeacherResource())
        (score,) = rewards.score(["Describe the strain on a mast in a gale for a new member of the club."], ["Tar."])
        return score.percentile

    before = percentile()
    lines = (domains / "boats" / "seeds.jsonl").read_text(encoding="utf-8").splitlines()
    short = [json.dumps(json.loads(line) | {"response": "Tar."}) for line in lines[:9]]
    (domains / "boats" / "seeds.jsonl").write_text("\n".join([*short, *lines[9:]]) + "\n", encoding="utf-8")
    materialize("r2")
    assert percentile() == before
    said = CliRunner().invoke(main, ["calibrate", "--domain", "boats"])
    assert said.exit_code == 0 and "boats" in said.output and said.output.splitlines()[1].split()[2:5] == ["1", "2", "12"]
    after = percentile()
    assert before is not None and after is not None and after > before + 0.2
