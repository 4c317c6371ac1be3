"""One defect at a time in otherwise good tables: exactly its own check sees it, and names the row."""

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import NamedTuple

import pytest

from synth_assets.accounts import Row
from synth_assets.expectations.catalogue import CATALOGUE
from synth_assets.expectations.validation import validate
from synth_assets.quality.near_duplicates import RougePool
from synth_assets_tests.expectations.tables import BENCHMARK, CRITIQUE, DOMAIN, SEEDS, Tables, frames, good


class Defect(NamedTuple):
    stage: str
    check: str
    plant: Callable[[Tables], None]
    row: str = ""
    """Id of the row that the check must name; empty where it is about the slice."""


def change(stage: str, check: str, place: int, **values: object) -> Defect:
    """Other values in one row."""

    def plant(tables: Tables) -> None:
        tables[stage][place].update(values)

    return Defect(stage, check, plant, str(good()[stage][place]["id"]))


def change_all(stage: str, check: str, values: Callable[[int, Row], Row]) -> Defect:
    """Other values in every row: a defect of the slice."""

    def plant(tables: Tables) -> None:
        for place, row in enumerate(tables[stage]):
            row.update(values(place, row))

    return Defect(stage, check, plant)


def account(stage: str, check: str, **more: int) -> Defect:
    """A stage's account with more of something."""

    def plant(tables: Tables) -> None:
        _count(tables, stage, **more)

    return Defect(stage, check, plant)


def drop(stage: str, check: str, wanted: Callable[[Row], bool]) -> Defect:
    """Rows left out, and out of the account."""

    def plant(tables: Tables) -> None:
        before = len(tables[stage])
        tables[stage] = [row for row in tables[stage] if wanted(row)]
        left_out = before - len(tables[stage])
        _count(tables, stage, kept=-left_out, planned=-left_out)

    return Defect(stage, check, plant)


def _count(tables: Tables, stage: str, **more: int) -> None:
    own = next(row for row in tables["stage_accounts"] if row["stage"] == stage)
    for name, number in more.items():
        own[name] += number


UNUSED = {
    "seeds": "language",
    "generated_instructions": "model",
    "evolved_instructions": "model",
    "teacher_responses": "model",
    "preference_pairs": "model",
    "real_data": "language",
    "filtered": "model",
    "spot_check": "content_key",
    "mixed": "root_id",
}
"""A required column of every stage that only the checks of every stage look at."""


def shared(stage: str) -> list[Defect]:
    def without_column(tables: Tables) -> None:
        for row in tables[stage]:
            del row[UNUSED[stage]]

    # Of evolved_instructions rows 14 and 15 are nobody's parents.
    one, other = (14, 15) if stage == "evolved_instructions" else (0, 1)
    same = good()[stage][one]["id"]

    def without_account(tables: Tables) -> None:
        tables["stage_accounts"] = [row for row in tables["stage_accounts"] if row["stage"] != stage]

    defects = [
        Defect(stage, "columns_match_schema", without_column),
        change(stage, "values_complete", 1, **{UNUSED[stage]: None}),
        change(stage, "values_complete", 1, **{UNUSED[stage]: " "}),
        change(stage, "ids_unique", other, id=same)._replace(row=same),
        account(stage, "account_balances", planned=1),
        account(stage, "account_balances", planned=1, kept=1),
    ]
    if not any(check.name in {"yield_sufficient", "evolutions_stand"} for check in CATALOGUE[stage].checks):
        defects.append(Defect(stage, "account_balances", without_account))
    if "topic" in good()[stage][0]:
        # The last row of seeds is of the topic that has one to spare.
        defects.append(change(stage, "topics_declared", -1, topic="winds"))
    return defects


def templated(place: int, row: Row) -> Row:
    """Prompts from six blocks in ever another order: no two are near-duplicates, all are the same words."""
    return {"prompt": _TEMPLATED[place]}


def _templates(count: int) -> list[str]:
    blocks = ("when low water comes", "before leaving any berth", "under old stone bridges", "with worn hemp lines", "for small fishing crews", "near steep gravel banks")
    pool = RougePool()
    chosen: list[str] = []
    for order in permutations(blocks):
        text = " ".join(order)
        if pool.exceeds(text.split(), 0.7) is None:
            pool.add(text.split())
            chosen.append(text)
    return chosen[:count]


_TEMPLATED = _templates(13)
LONG = (
    "The stream turns about an hour after high water in the outer channel and later near the banks, where the eddy runs against it. Keep to the "
    "middle until the church stands clear of the mill, then steer for the white post, and reckon with a set to the east of half a knot at springs."
)
GERMAN = "Das Wasser steigt etwa sechs Stunden lang und fällt danach wieder, weil der Mond es anzieht und die Erde sich dreht."
USER, ASSISTANT = {"role": "user", "content": "How?"}, {"role": "assistant", "content": "So."}
SYSTEM = {"role": "system", "content": "Be brief."}


def reject(tables: Tables) -> None:
    tables["rejections"][0]["row_id"] = "f0"


def duplicate_rows(tables: Tables) -> None:
    for place in (2, 3):
        tables["filtered"][place]["response"] = LONG


DEFECTS: Sequence[Defect] = [
    *(defect for stage in CATALOGUE for defect in shared(stage)),
    change("seeds", "licences_present", 1, license=" "),
    change("seeds", "licences_present", 1, source=None),
    change("seeds", "instructions_distinct", 1, instruction=SEEDS[0][1]),
    change("seeds", "topics_covered", 0, topic="knots")._replace(row=""),
    change("seeds", "response_lengths_fit", 2, response="--- ..."),
    change("generated_instructions", "methods_configured", 0, method="evol_instruct"),
    change("generated_instructions", "word_limits_hold", 1, instruction="Tie ropes quickly"),
    change("generated_instructions", "word_limits_hold", 2, instruction="why " * 151),
    change("generated_instructions", "instruction_filters_hold", 1, instruction="Draw the outline of an old lighthouse for me."),
    change("generated_instructions", "no_near_duplicates", 1, instruction="How many hours lie between two low waters?"),
    change_all("generated_instructions", "topics_spread", lambda _, row: {"topic": "tides"}),
    change_all("generated_instructions", "targets_reached", lambda _, row: {"method": "self_instruct"}),
    account("generated_instructions", "yield_sufficient", planned=100, rejected=100),
    change("evolved_instructions", "parents_exist", 0, parent_id="nowhere"),
    change("evolved_instructions", "parents_exist", 15, parent_id="nowhere"),
    change("evolved_instructions", "parents_exist", 15, parent_id="v3"),
    change("evolved_instructions", "roots_exist", 15, root_id="v1"),
    change("evolved_instructions", "roots_exist", 0, root_id="es1"),
    change("evolved_instructions", "rounds_within_limit", 17, round=3),
    change("evolved_instructions", "operations_known", 14, operation="rotate"),
    change("evolved_instructions", "operations_known", 0, operation="deepen"),
    change("evolved_instructions", "no_scaffold_words", 14, instruction="Answer the rewritten prompt about the drift of high water."),
    account("evolved_instructions", "evolutions_stand", planned=100, rejected=100),
    change("teacher_responses", "responses_present", 1, response=" "),
    change("teacher_responses", "stop_reasons_final", 1, stop_reason="max_tokens"),
    change("teacher_responses", "instructions_exist", 1, instruction_id="nowhere"),
    change("teacher_responses", "think_well_formed", 0, thinking=" "),
    change("teacher_responses", "think_well_formed", 0, response="First I count.</think> About half a day."),
    change("teacher_responses", "verdicts_correct", 0, verdict="unverified"),
    change("teacher_responses", "verdicts_correct", 0, answer=None),
    change("teacher_responses", "verdicts_correct", 1, verdict="wrong"),
    change("teacher_responses", "scaffold_leaks_rare", 1, response="The moon does it.<|im_end|>"),
    change("teacher_responses", "refusals_rare", 1, response="I'm sorry, but I can't help with that request."),
    change("teacher_responses", "languages_match", 1, response=GERMAN),
    account("teacher_responses", "yield_sufficient", planned=100, rejected=100),
    change("preference_pairs", "responses_exist", 0, response_id="nowhere"),
    change("preference_pairs", "responses_exist", 0, prompt="Something else?"),
    change("preference_pairs", "answers_differ", 0, chosen="One  answer.", rejected="One answer. "),
    change("preference_pairs", "revisions_counted", 0, critique=[]),
    change("preference_pairs", "revisions_counted", 0, revisions=0),
    change("preference_pairs", "revisions_counted", 0, critique=[CRITIQUE] * 3, principle=["Give reasons."] * 3),
    change("preference_pairs", "revisions_counted", 0, method="best_of_n"),
    change_all("preference_pairs", "margin_positive", lambda _, row: {"chosen_score": 0.4}),
    change_all("preference_pairs", "length_bias_bounded", lambda _, row: {"chosen": row["rejected"] + " And more."}),
    change("real_data", "licences_present", 0, license=""),
    change("real_data", "rows_distinct", 1, instruction="What is slack water?", response="The short time in which the stream neither floods nor ebbs."),
    change("real_data", "kinds_configured", 0, kind="dialogue"),
    change("real_data", "pairs_differ", 2, rejected=None),
    change("real_data", "pairs_differ", 2, rejected="Dry it, coil it loosely and  hang it in the shade."),
    change("real_data", "pairs_differ", 0, rejected="Something."),
    change("real_data", "no_contamination", 0, instruction=BENCHMARK),
    change("filtered", "kinds_known", 0, kind="dialogue"),
    change("filtered", "pairs_differ", 9, rejected=" "),
    change("filtered", "pairs_differ", 0, rejected="Something."),
    change("filtered", "sources_exist", 0, source_id="nowhere"),
    change("filtered", "sources_exist", 9, source_id="t1"),
    change("filtered", "sources_taken_once", 1, source_id="t0"),
    change("filtered", "rules_hold", 1, response="Write to the harbour master at rosa.lindqvist@seaport-office.org for that."),
    change("filtered", "no_contamination", 1, prompt=BENCHMARK),
    change("filtered", "no_contamination", 9, rejected=f"You ask: {BENCHMARK} Two white lights."),
    change("filtered", "no_near_duplicate_prompts", 1, prompt="How many hours lie between two low waters?"),
    Defect("filtered", "no_near_duplicate_rows", duplicate_rows, "f3"),
    change("filtered", "reward_floor_holds", 1, reward=0.01),
    change("filtered", "margins_positive", 9, reward_margin=0.0),
    change("filtered", "margins_positive", 9, reward_margin=None),
    change_all("filtered", "prompts_varied", templated),
    change_all("filtered", "topics_covered", lambda _, row: {"topic": "tides"}),
    drop("filtered", "targets_reached", lambda row: row["id"] not in {"f0", "f1"}),
    account("filtered", "yield_sufficient", planned=100, rejected=100),
    change("spot_check", "rows_exist", 0, row_id="nowhere"),
    change("spot_check", "purposes_known", 5, purpose="leisure"),
    change("spot_check", "rows_sampled_once", 1, row_id="f0"),
    change("spot_check", "gate_sample_whole", 4, purpose="audit")._replace(row=""),
    change("spot_check", "verdicts_known", 0, verdict="perhaps"),
    change("spot_check", "gate_reviewed", 0, verdict=None),
    change("mixed", "licences_present", 0, source=" "),
    drop("mixed", "share_achieved", lambda row: row["kind"] == "preference" or row["origin"] == "synthetic"),
    change("mixed", "origins_known", 0, origin="imagined"),
    change("mixed", "sources_taken_once", 1, source_id="f0"),
    change("mixed", "sources_exist", 0, source_id="nowhere"),
    change("mixed", "sources_exist", 0, source_id="r0", origin="synthetic"),
    Defect("mixed", "no_rejected_row", reject, "m0"),
    change("mixed", "messages_well_formed", 0, messages=[]),
    change("mixed", "messages_well_formed", 0, messages=[USER]),
    change("mixed", "messages_well_formed", 0, messages=[ASSISTANT]),
    change("mixed", "messages_well_formed", 0, messages=[USER, SYSTEM, ASSISTANT]),
    change("mixed", "messages_well_formed", 0, messages=[USER, USER, ASSISTANT]),
    change("mixed", "messages_well_formed", 0, messages=[USER, {"role": "assistant", "content": " "}]),
    change("mixed", "messages_well_formed", 0, chosen=[ASSISTANT]),
    change("mixed", "messages_well_formed", 9, chosen=None),
    change("mixed", "messages_well_formed", 9, chosen=[ASSISTANT], rejected=[ASSISTANT]),
    change("mixed", "messages_well_formed", 9, messages=[USER, ASSISTANT]),
]


@pytest.mark.parametrize("defect", DEFECTS, ids=[f"{d.stage}-{d.check}-{n}" for n, d in enumerate(DEFECTS)])
def test_exactly_its_check_sees_a_defect(defect: Defect) -> None:
    tables = good()
    defect.plant(tables)
    facts = frames(tables)
    results = {result.name: result for result in validate(defect.stage, facts[defect.stage], DOMAIN, facts)}
    assert {name: result.seen + result.error for name, result in results.items() if not result.passed}.keys() == {defect.check}
    result = results[defect.check]
    assert result.seen and result.expected
    if defect.row and not result.error:
        assert defect.row in result.row_ids
        assert result.unexpected_count >= 1


@pytest.mark.parametrize("stage", CATALOGUE)
def test_good_rows_pass_every_check(stage: str) -> None:
    facts = frames(good())
    results = validate(stage, facts[stage], DOMAIN, facts)
    assert [result.name for result in results] == [check.name for check in CATALOGUE[stage].checks]
    assert [(result.name, result.seen, result.error) for result in results if not result.passed] == []


def test_every_check_has_a_defect() -> None:
    planted = {(defect.stage, defect.check) for defect in DEFECTS}
    # An empty slice breaks quality checks too: it has a test of its own.
    assert {(s, c.name) for s, suite in CATALOGUE.items() for c in suite.checks} - planted == {
        (s, "rows_present") for s, suite in CATALOGUE.items() if any(c.name == "rows_present" for c in suite.checks)
    }
