"""How many waves are planned, what a top-up does next, and why it does nothing: over a real warehouse with rows of one run."""

from pathlib import Path

import pytest

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain, Methods
from synth_assets.teacher.messages import Profile
from synth_assets.warehouse import Warehouse
from synth_assets.waves import plans
from synth_assets.waves.rates import rates_of
from synth_assets.waves.standing import Standing, standing
from synth_assets_tests.expectations.tables import DOMAIN, good

TEACHER = Profile("teacher", raw_prompt=True)
LIMITS = "SYNTH_BUDGET_USD=1, budget_usd=none"


def wanting(**targets: int) -> Domain:
    return DOMAIN.model_copy(update={"targets": DOMAIN.targets.model_copy(update=targets)})


def write(database: Warehouse, stage: str, rows: list[Row], waves: int = 1, run: str = "run-1") -> None:
    outcome = Outcome(planned=len(rows), kept=rows)
    database.commit_stage(stage, DOMAIN.name, outcome, run_id=run, metrics={"waves": waves})


@pytest.fixture
def database(tmp_path: Path) -> Warehouse:
    """One run of one wave: 18 instructions in the pool, 4 evolutions all of which stood, 9 sft rows and 4 of 4 pairs accepted."""
    found = Warehouse(tmp_path / "warehouse.duckdb")
    tables = good()
    for stage in ("evolved_instructions", "teacher_responses", "preference_pairs", "filtered"):
        write(found, stage, tables[stage])
    return found


def planned(database: Warehouse, domain: Domain, waves: int, reason: str = "first", detail: str = "") -> None:
    decided = plans.decide(database, domain, TEACHER, 7)
    plans.record(database, domain, plans.Plan(decided.settings, waves, reason, detail))


def now(database: Warehouse, domain: Domain, profile: Profile = TEACHER) -> Standing:
    found = standing(database, domain, profile, LIMITS)
    assert found is not None
    return found


def test_what_is_reached_is_not_topped_up(database: Warehouse) -> None:
    domain = wanting(sft=9)
    planned(database, domain, 1)
    found = now(database, domain)
    assert (found.short, found.words, found.following) == ({}, "", None)


def test_a_shortfall_says_how_many_waves_its_rates_ask_for(database: Warehouse) -> None:
    domain = wanting(sft=40, waves=9)
    planned(database, domain, 1)
    found, rates = now(database, domain), rates_of(database, DOMAIN.name, "teacher")
    assert rates is not None and rates.accepted == {"sft": pytest.approx(0.5), "preference": pytest.approx(1.0)}
    # A wave has 6 instructions, each evolved twice: 18 in the pool, of which half are accepted. 31 are missing.
    assert found.short == {"sft": 31} and found.following == 1 + 4
    assert found.words.startswith("sft 9 of 40 after 1 wave. A further wave is likely to add sft 9.0")


def test_after_further_waves_what_they_added_counts(database: Warehouse) -> None:
    domain = wanting(sft=40, waves=50)
    planned(database, domain, 1)
    planned(database, domain, 2, "top_up")
    rows = [row | {"wave": int(n >= 7)} for n, row in enumerate(good()["filtered"])]
    write(database, "filtered", rows, waves=2, run="run-2")
    assert now(database, domain).following == 2 + 16  # two rows in the second wave, 31 missing


@pytest.mark.parametrize(
    ("waves", "reason", "detail", "words"),
    [
        (1, "budget", LIMITS, "The budget ended wave 2 (SYNTH_BUDGET_USD=1, budget_usd=none): raise it"),
        (1, "exhausted", "Wave 1 had no new instruction", "raise attempts_per_target"),
        (3, "top_up", "", "3 waves are planned and not all through"),
    ],
)
def test_what_ended_it_is_said(database: Warehouse, waves: int, reason: str, detail: str, words: str) -> None:
    domain = wanting(sft=40)
    planned(database, domain, waves, reason, detail)
    found = now(database, domain)
    assert words in found.words and found.following == (waves if waves > 1 else None)


def test_a_budget_that_was_raised_ends_nothing(database: Warehouse) -> None:
    domain = wanting(sft=40)
    planned(database, domain, 1, "budget", "SYNTH_BUDGET_USD=0.5, budget_usd=none")
    assert now(database, domain).following is not None


def test_the_limit_of_waves_and_a_wave_without_a_row_end_it(database: Warehouse) -> None:
    domain = wanting(sft=40, waves=2)
    planned(database, domain, 2)
    write(database, "filtered", good()["filtered"], waves=2, run="run-2")
    assert "That is the limit, targets.waves: 2." in now(database, domain).words
    more = wanting(sft=40, waves=9)
    assert "The last wave had no row of sft accepted" in now(database, more).words


def test_without_a_method_that_makes_instructions_nothing_comes(database: Warehouse) -> None:
    domain = wanting(sft=40).model_copy(update={"methods": Methods()})
    planned(database, domain, 1)
    assert "add methods.self_instruct" in now(database, domain).words


def test_new_targets_are_planned_by_the_rates_of_the_last_run_and_another_teacher_begins_with_one_wave(database: Warehouse) -> None:
    learned = plans.decide(database, wanting(sft=60, waves=20), TEACHER, 7)
    # 13 + 26 in the first pool and 18 in every further one, half of them accepted.
    assert (learned.reason, learned.waves) == ("learned", 6) and "sft 0.50" in learned.detail
    assert plans.decide(database, wanting(sft=60), Profile("another"), 7).waves == 1
    assert plans.decide(database, wanting(sft=60, waves=3), TEACHER, 7).waves == 3


def test_a_plan_is_written_once_and_only_grows(database: Warehouse) -> None:
    domain = wanting(sft=40)
    first = plans.record(database, domain, plans.decide(database, domain, TEACHER, 7))
    again = plans.record(database, domain, plans.decide(database, domain, TEACHER, 7))
    assert first == again and len(database.rows("wave_plans")) == 1
    assert plans.raise_to(first, first.waves, "") is first
    more = plans.record(database, domain, plans.raise_to(first, first.waves + 2, "asked for"))
    assert plans.in_force(database, domain, TEACHER) == plans.last(database, DOMAIN.name) == more and more.number == 2
    # The limit of waves is no part of the settings: raising it goes on with the same plan.
    assert plans.in_force(database, wanting(sft=40, waves=99), TEACHER) == more
    assert plans.in_force(database, wanting(sft=41), TEACHER) is None


def test_a_domain_that_was_never_filtered_stands_nowhere(tmp_path: Path) -> None:
    assert standing(Warehouse(tmp_path / "w.duckdb"), DOMAIN, TEACHER, LIMITS) is None


@pytest.mark.parametrize("stage", ["evolved_instructions", "teacher_responses", "preference_pairs"])
@pytest.mark.parametrize("clock", ["right", "set back since"])
def test_what_was_made_after_the_gates_ran_is_not_measured_by_what_they_accepted(database: Warehouse, stage: str, clock: str) -> None:
    if clock == "set back since":
        with database.transaction() as con:
            con.execute("update synth.stage_history set materialized_at = '2099' || substr(materialized_at, 5) where stage = 'filtered'")
    write(database, stage, database.rows(stage)[:-1], run="run-2")
    assert rates_of(database, DOMAIN.name, "teacher") is None
    assert plans.decide(database, wanting(sft=60, waves=20), TEACHER, 7).waves == 1
    write(database, "filtered", good()["filtered"], run="run-3")
    assert rates_of(database, DOMAIN.name, "teacher") is not None


def test_the_same_rows_made_once_more_have_the_rates_that_they_had(database: Warehouse) -> None:
    known = rates_of(database, DOMAIN.name, "teacher")
    write(database, "evolved_instructions", good()["evolved_instructions"], run="run-2")
    assert known is not None and rates_of(database, DOMAIN.name, "teacher") == known


def test_a_run_that_never_came_to_the_gates_says_nothing_about_what_they_accept(tmp_path: Path) -> None:
    database, tables = Warehouse(tmp_path / "w.duckdb"), good()
    for stage in ("evolved_instructions", "teacher_responses", "preference_pairs"):
        write(database, stage, tables[stage])
    assert rates_of(database, DOMAIN.name, "teacher") is None
    assert plans.decide(database, wanting(sft=60, waves=20), TEACHER, 7).waves == 1
