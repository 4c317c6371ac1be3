"""Every check sees its defect, names its rows, and no other check does.

Defects of different rows stand in one table, because Great Expectations takes 0.1 s per table; what each check names is compared exactly.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import permutations
from typing import NamedTuple

import pytest

from synth_assets.accounts import Row
from synth_assets.expectations.catalogue import CATALOGUE
from synth_assets.expectations.validation import validate
from synth_assets.quality.near_duplicates import RougePool
from synth_assets_tests.expectations.tables import BENCHMARK, CRITIQUE, DOMAIN, REAL, SEEDS, Tables, frames, good


class Defect(NamedTuple):
    stage: str
    check: str
    plant: Callable[[Tables], None]
    rows: frozenset[str] = frozenset()
    """Ids of the rows that the check must name; empty where it is about the slice."""
    touched: frozenset[str] = frozenset()
    """Ids of the rows that another defect must leave alone."""


def ids(stage: str, places: Iterable[int]) -> frozenset[str]:
    return frozenset(str(good()[stage][place]["id"]) for place in places)


def change(stage: str, check: str, *changes: tuple[int, Row], named: Sequence[int] | None = None) -> Defect:
    """Other values in some rows: (place, values). Each of them is a defect by itself, unless `named` says which rows are seen."""

    def plant(tables: Tables) -> None:
        for place, values in changes:
            tables[stage][place].update(values)

    changed = [place for place, _ in changes]
    seen = changed if named is None else named
    return Defect(stage, check, plant, ids(stage, seen), ids(stage, {*changed, *seen}))


def change_all(stage: str, check: str, values: Callable[[int, Row], Row]) -> Defect:
    """Other values in every row: a defect of the slice."""
    return change(stage, check, *((place, values(place, row)) for place, row in enumerate(good()[stage])), named=())


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

    return Defect(stage, check, plant, touched=ids(stage, range(len(good()[stage]))))


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
"""A column of every stage that no check looks at for itself."""


def lose_column(stage: str) -> Defect:
    def plant(tables: Tables) -> None:
        for row in tables[stage]:
            del row[UNUSED[stage]]

    return Defect(stage, "columns_match_schema", plant)


def lose_account(stage: str) -> Defect:
    def plant(tables: Tables) -> None:
        tables["stage_accounts"] = [row for row in tables["stage_accounts"] if row["stage"] != stage]

    return Defect(stage, "account_balances", plant)


def repeat_id(stage: str) -> Defect:
    # Evolutions 14 and 15 are nobody's parents.
    one, other = (14, 15) if stage == "evolved_instructions" else (0, 1)
    same = good()[stage][one]["id"]
    return change(stage, "ids_unique", (other, {"id": same}), named=[one])


def shared(stage: str) -> list[Defect]:
    """What every stage is checked for."""
    defects = [
        lose_column(stage),
        account(stage, "account_balances", planned=1),
        repeat_id(stage),
        change(stage, "values_complete", (-2, {"domain": " "})),
    ]
    if "topic" in good()[stage][0]:
        # The last seed is of the topic that has one to spare.
        defects.append(change(stage, "topics_declared", (-1, {"topic": "winds"})))
    return defects


def templated(count: int) -> list[str]:
    """Prompts from six blocks in ever another order: no two are near-duplicates, all are the same words."""
    blocks = (
        "when low water comes",
        "before leaving any berth",
        "under old stone bridges",
        "with worn hemp lines",
        "for small fishing crews",
        "near steep gravel banks",
    )
    pool = RougePool()
    chosen: list[str] = []
    for order in permutations(blocks):
        text = " ".join(order)
        if pool.exceeds(text.split(), 0.7) is None:
            pool.add(text.split())
            chosen.append(text)
    return chosen[:count]


TEMPLATED = templated(13)
LONG = """
The stream turns about an hour after high water in the outer channel and later near the banks, where the eddy runs against it. Keep to the middle
until the church stands clear of the mill, then steer for the white post, and reckon with a set to the east of half a knot at springs. Boats that
draw more than two metres wait at the bar for the third hour of the flood; smaller ones may follow the dredged cut along the training wall, though
its inner end has silted since the winter gales. Visitors find water and fuel at the north quay, where berths dry out twice a day on firm sand, and
the warden takes lines until sunset. After heavy rain the ebb lasts longer than the tables say, so leave early rather than late, and never anchor
between the two perches, for the old cable of the ferry still lies there.
"""
GERMAN = "Das Wasser steigt etwa sechs Stunden lang und fällt danach wieder, weil der Mond es anzieht und die Erde sich dreht."
USER, ASSISTANT = {"role": "user", "content": "How?"}, {"role": "assistant", "content": "So."}
SYSTEM = {"role": "system", "content": "Be brief."}


def reject(tables: Tables) -> None:
    tables["rejections"][0]["row_id"] = "f6"


def refuse(tables: Tables) -> None:
    tables["reviews"][1]["verdict"] = "fix"


DEFECTS: Sequence[Defect] = [
    *(defect for stage in CATALOGUE for defect in shared(stage)),
    account("seeds", "account_balances", planned=1, kept=1),
    lose_account("seeds"),
    change("seeds", "licences_present", (1, {"license": " "}), (2, {"source": None})),
    change("seeds", "instructions_distinct", (4, {"instruction": SEEDS[3][1]}), named=[3, 4]),
    change("seeds", "topics_covered", (0, {"topic": "knots"}), named=()),
    change("seeds", "response_lengths_fit", (2, {"response": "--- ..."})),
    change("generated_instructions", "methods_configured", (3, {"method": "evol_instruct"})),
    change("generated_instructions", "word_limits_hold", (2, {"instruction": "Tie ropes quickly"}), (4, {"instruction": "why " * 151})),
    change("generated_instructions", "instruction_filters_hold", (1, {"instruction": "Draw the outline of an old lighthouse for me."})),
    change("generated_instructions", "no_near_duplicates", (1, {"instruction": "How many hours lie between two low waters?"})),
    change("generated_instructions", "instances_hold", (1, {"task_kind": "with_input", "input": "Six hours.", "output": "six hours"})),
    change_all("generated_instructions", "topics_spread", lambda _, row: {"topic": "tides"}),
    change_all("generated_instructions", "targets_reached", lambda _, row: {"method": "self_instruct"}),
    account("generated_instructions", "yield_sufficient", planned=100, rejected=100),
    change("evolved_instructions", "parents_exist", (0, {"parent_id": "nowhere"}), (14, {"parent_id": "nowhere"}), (15, {"parent_id": "v3"})),
    change("evolved_instructions", "roots_exist", (1, {"root_id": "es2"}), (14, {"root_id": "nowhere"}), (15, {"root_id": "v0"})),
    change("evolved_instructions", "rounds_within_limit", (17, {"round": 3})),
    change("evolved_instructions", "operations_known", (2, {"operation": "deepen"}), (14, {"operation": "rotate"}), (15, {"operation": "none"})),
    change("evolved_instructions", "no_scaffold_words", (17, {"instruction": "Answer the rewritten prompt about the drift of high water."})),
    account("evolved_instructions", "evolutions_stand", planned=100, rejected=100),
    change("teacher_responses", "responses_present", (1, {"response": " "})),
    change("teacher_responses", "stop_reasons_final", (2, {"stop_reason": "max_tokens"}), (3, {"stop_reason": "refusal"})),
    change("teacher_responses", "instructions_exist", (4, {"instruction_id": "nowhere"})),
    change("teacher_responses", "think_well_formed", (0, {"thinking": " "})),
    change("teacher_responses", "think_well_formed", (0, {"response": "First I count.</think> About half a day."})),
    change("teacher_responses", "verdicts_correct", (0, {"verdict": "unverified"}), (8, {"verdict": "wrong"})),
    change("teacher_responses", "verdicts_correct", (0, {"answer": None})),
    change("teacher_responses", "scaffold_leaks_rare", (5, {"response": "The moon does it.<|im_end|>"})),
    change("teacher_responses", "refusals_rare", (6, {"response": "I'm sorry, but I can't help with that request."})),
    change("teacher_responses", "languages_match", (7, {"response": GERMAN})),
    account("teacher_responses", "yield_sufficient", planned=100, rejected=100),
    change("preference_pairs", "responses_exist", (0, {"response_id": "nowhere"}), (1, {"prompt": "Something else?"}), (2, {"instruction_id": "es5"})),
    change("preference_pairs", "answers_differ", (0, {"chosen": "One  answer.", "rejected": "One answer. "})),
    change("preference_pairs", "revisions_counted", (0, {"critique": []}), (1, {"revisions": 0}), (2, {"revisions": 2}), (3, {"method": "best_of_n"})),
    change("preference_pairs", "revisions_counted", (0, {"critique": [CRITIQUE] * 3, "principle": ["Give reasons."] * 3})),
    change_all("preference_pairs", "margin_positive", lambda _, row: {"chosen_score": 0.4}),
    change_all("preference_pairs", "length_bias_bounded", lambda _, row: {"chosen": row["rejected"] + " And more."}),
    change("real_data", "licences_present", (0, {"license": ""})),
    change("real_data", "rows_distinct", (1, {"instruction": REAL[0][2], "response": REAL[0][3]}), named=[0, 1]),
    change("real_data", "kinds_configured", (0, {"kind": "dialogue"})),
    change("real_data", "pairs_differ", (0, {"rejected": "Something."}), (2, {"rejected": None})),
    change("real_data", "pairs_differ", (2, {"rejected": REAL[2][3].replace(" ", "  ")})),
    change("real_data", "no_contamination", (0, {"instruction": BENCHMARK}), (2, {"rejected": BENCHMARK})),
    change("real_data", "no_contamination", (2, {"instruction": BENCHMARK[:40], "rejected": BENCHMARK[40:]})),
    change("filtered", "kinds_known", (7, {"kind": "dialogue"})),
    change("filtered", "pairs_differ", (8, {"rejected": "Something."}), (9, {"rejected": " "})),
    change("filtered", "sources_exist", (6, {"source_id": "nowhere"}), (10, {"source_id": "t1"})),
    change("filtered", "sources_taken_once", (1, {"source_id": "t0"}), named=[0, 1]),
    change("filtered", "rules_hold", (4, {"response": "Write to the harbour master at rosa.lindqvist@seaport-office.org for that."})),
    change("filtered", "no_contamination", (5, {"prompt": BENCHMARK}), (10, {"rejected": f"You ask: {BENCHMARK} Two white lights."})),
    change("filtered", "no_contamination", (9, {"prompt": BENCHMARK[:40], "rejected": BENCHMARK[40:]})),
    change("filtered", "no_near_duplicate_prompts", (1, {"prompt": "How many hours lie between two low waters?"}), named=[0, 1]),
    change("filtered", "no_near_duplicate_rows", (2, {"response": LONG}), (3, {"response": LONG})),
    change("filtered", "reward_floor_holds", (6, {"reward": 0.01})),
    change("filtered", "margins_positive", (9, {"reward_margin": 0.0}), (12, {"reward_margin": None})),
    change_all("filtered", "prompts_varied", lambda place, row: {"prompt": TEMPLATED[place]}),
    change_all("filtered", "topics_covered", lambda _, row: {"topic": "tides"}),
    drop("filtered", "targets_reached", lambda row: row["id"] not in {"f0", "f1"}),
    account("filtered", "yield_sufficient", planned=100, rejected=100),
    change("spot_check", "rows_exist", (0, {"row_id": "nowhere"})),
    change("spot_check", "purposes_known", (5, {"purpose": "leisure"})),
    change("spot_check", "rows_sampled_once", (1, {"row_id": "f0"}), named=[0, 1]),
    change("spot_check", "gate_sample_whole", (4, {"purpose": "audit"}), named=()),
    change("spot_check", "verdicts_known", (2, {"verdict": "perhaps"})),
    change("spot_check", "gate_reviewed", (3, {"verdict": None})),
    change("spot_check", "defect_rate_within_limit", (0, {"verdict": "reject"}), (1, {"verdict": "fix"}), (2, {"verdict": "reject"}), named=()),
    change("mixed", "licences_present", (2, {"source": " "})),
    drop("mixed", "share_achieved", lambda row: row["kind"] == "preference" or row["origin"] == "synthetic"),
    change("mixed", "origins_known", (3, {"origin": "imagined"})),
    change("mixed", "sources_taken_once", (1, {"source_id": "f0"}), named=[0, 1]),
    change("mixed", "sources_exist", (4, {"source_id": "nowhere"}), (5, {"source_id": "r0"})),
    Defect("mixed", "no_rejected_row", reject, frozenset({"m6"}), frozenset({"m6"})),
    Defect("mixed", "no_row_against_a_verdict", refuse, frozenset({"m0"}), frozenset({"m0"})),
    change(
        "mixed",
        "messages_well_formed",
        (0, {"messages": []}),
        (1, {"messages": [USER]}),
        (2, {"messages": [ASSISTANT]}),
        (3, {"messages": [USER, SYSTEM, ASSISTANT]}),
        (4, {"messages": [USER, USER, ASSISTANT]}),
        (5, {"messages": [USER, {"role": "assistant", "content": " "}]}),
        (6, {"chosen": [ASSISTANT]}),
        (9, {"chosen": None}),
        (10, {"chosen": [ASSISTANT], "rejected": [ASSISTANT]}),
        (11, {"messages": [USER, ASSISTANT]}),
    ),
]
"""Row 14 of evolved_instructions and those after it are evolutions; row 9 of filtered and of mixed and the next three are synthetic pairs."""


def packed(defects: Sequence[Defect]) -> list[list[Defect]]:
    """The defects in as few tables as may be: of one stage, of different checks, and on different rows."""
    tables: list[list[Defect]] = []
    for defect in defects:
        for table in tables:
            if all(defect.stage == other.stage and defect.check != other.check and not defect.touched & other.touched for other in table):
                table.append(defect)
                break
        else:
            tables.append([defect])
    return tables


@pytest.mark.parametrize("defects", [pytest.param(t, id=f"{t[0].stage}-{'-'.join(d.check for d in t)}") for t in packed(DEFECTS)])
def test_exactly_its_check_sees_a_defect(defects: Sequence[Defect]) -> None:
    tables = good()
    for defect in defects:
        defect.plant(tables)
    facts, stage = frames(tables), defects[0].stage
    results = {result.name: result for result in validate(stage, facts[stage], DOMAIN, facts)}
    assert {name: set(result.row_ids) for name, result in results.items() if not result.passed} == {d.check: d.rows for d in defects}
    for defect in defects:
        assert results[defect.check].seen and results[defect.check].expected
        assert results[defect.check].unexpected_count >= len(defect.rows)


@pytest.mark.parametrize("stage", CATALOGUE)
def test_good_rows_pass_every_check(stage: str) -> None:
    facts = frames(good())
    results = validate(stage, facts[stage], DOMAIN, facts)
    assert [result.name for result in results] == [check.name for check in CATALOGUE[stage].checks]
    assert [(result.name, result.seen, result.error) for result in results if not result.passed] == []


def test_every_check_has_a_defect() -> None:
    planted = {(defect.stage, defect.check) for defect in DEFECTS}
    # An empty slice breaks quality checks too: it has a test of its own.
    wanted = {(stage, check.name) for stage, suite in CATALOGUE.items() for check in suite.checks if check.name != "rows_present"}
    assert wanted - planted == set()
