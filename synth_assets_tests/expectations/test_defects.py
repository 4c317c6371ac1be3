"""Every check of the catalogue sees its defect in a real run: exactly it fails, names the rows, and what is downstream does not run.

Rows lie in a real warehouse file, planted past its constraints, as another program would; the assets are as small as can be.
"""

import functools
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import duckdb
import pytest
import yaml

from synth_assets import schemas
from synth_assets.accounts import Row
from synth_assets.defs.checks import stage_checks
from synth_assets.defs.resources import DomainsResource, WarehouseResource
from synth_assets.expectations.catalogue import CATALOGUE
from synth_assets.expectations.validation import validate
from synth_assets.home import Home
from synth_assets.quality.near_duplicates import RougePool
from synth_assets.warehouse import Warehouse
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
        change(stage, "values_complete", (-2, {UNUSED[stage]: " "})),
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


def regress(stage: str, check: str, **metrics: float) -> Defect:
    """Worse measures in the newest materialization."""

    def plant(tables: Tables) -> None:
        newest = next(row for row in tables["stage_history"] if row["stage"] == stage and row["passed"] is None)
        newest["metrics"] = json.dumps(json.loads(newest["metrics"]) | metrics)

    return Defect(stage, check, plant)


COLLAPSED = {
    "diversity_held": {"distinct_2_of_100": 0.4},
    "similarity_held": {"nearest_cosine_mean": 0.7},
    "topic_entropy_held": {"topic_entropy": 0.6},
    "length_held": {"mean_words": 2.0, "mean_response_words": 6.0},
    "refusal_rate_held": {"refusal_rate": 0.3},
    "reward_held": {"reward_mean": 0.3, "margin_mean": 0.05},
    "acceptance_held": {"acceptance_rate": 0.2},
    "cost_held": {"cost_per_kept_row_usd": 0.009},
}
"""By regression gate, what it takes for a collapse."""

PREAMBLE = "Please tell me in detail now about "
PHRASES = (
    *("tall pine masts", "wet hemp ropes", "two grey seals", "low morning fog", "big iron rings", "thick oak planks", "western salt wind"),
    *("very loud gulls", "deep black mud", "some old tar", "blue fishing nets", "cold sea spray", "six lost oars"),
)


def reject(tables: Tables) -> None:
    tables["rejections"][0]["row_id"] = "f6"


def refuse(tables: Tables) -> None:
    tables["reviews"][1]["verdict"] = "fix"


DEFECTS: list[Defect] = [
    *(defect for stage in CATALOGUE for defect in shared(stage)),
    account("seeds", "account_balances", planned=1, kept=1),
    lose_account("seeds"),
    change("seeds", "licences_present", (1, {"license": " "}), (2, {"source": None})),
    change("seeds", "instructions_distinct", (4, {"instruction": SEEDS[3][1]}), named=[3, 4]),
    change("seeds", "topics_covered", (0, {"topic": "knots"}), named=()),
    change("seeds", "prompt_lengths_fit", (1, {"instruction": "Tides why"})),
    change("seeds", "response_lengths_fit", (2, {"response": "--- ..."})),
    change("generated_instructions", "methods_configured", (3, {"method": "evol_instruct"})),
    change("generated_instructions", "word_limits_hold", (2, {"instruction": "Tie ropes how?"}), (4, {"instruction": "why " * 151})),
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
    change("evolved_instructions", "evolutions_new", (14, {"instruction": SEEDS[0][1].upper()}), (17, {"instruction": SEEDS[3][1]})),
    change("evolved_instructions", "evolutions_say_something", (15, {"instruction": "And what is it then?"})),
    change("evolved_instructions", "evolutions_ask", (15, {"instruction": "The moon moves the sea twice a day, so the answer is two."})),
    account("evolved_instructions", "evolutions_stand", planned=100, rejected=100),
    change("teacher_responses", "responses_present", (1, {"response": " "})),
    change("teacher_responses", "stop_reasons_final", (2, {"stop_reason": "max_tokens"}), (3, {"stop_reason": "refusal"})),
    change("teacher_responses", "instructions_exist", (4, {"instruction_id": "nowhere"})),
    change("teacher_responses", "think_well_formed", (0, {"thinking": " "})),
    change("teacher_responses", "think_well_formed", (0, {"response": "First I count.</think> About half a day."})),
    change("teacher_responses", "verdicts_correct", (8, {"verdict": "wrong"})),
    change("teacher_responses", "verdicts_correct", (0, {"answer": None})),
    change("teacher_responses", "scaffold_leaks_rare", (5, {"response": "The moon does it.<|im_end|>"})),
    change("teacher_responses", "refusals_rare", (6, {"response": "I'm sorry, but I can't help with that request."})),
    change("teacher_responses", "languages_match", (7, {"response": GERMAN})),
    change("teacher_responses", "answers_verified", (0, {"method": "distill", "verdict": "unverified"}), named=()),
    account("teacher_responses", "yield_sufficient", planned=100, rejected=100),
    change("preference_pairs", "responses_exist", (0, {"response_id": "nowhere"}), (1, {"prompt": "Something else?"}), (2, {"instruction_id": "es5"})),
    change("preference_pairs", "answers_differ", (0, {"chosen": "One  answer.", "rejected": "One answer. "})),
    change("preference_pairs", "revisions_counted", (0, {"critique": []}), (1, {"revisions": 0}), (2, {"revisions": 2}), (3, {"method": "best_of_n"})),
    change("preference_pairs", "revisions_counted", (0, {"critique": [CRITIQUE] * 3, "principle": ["Give reasons."] * 3})),
    change_all("preference_pairs", "margins_positive", lambda _, row: {"chosen_score": 0.4}),
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
    change_all("filtered", "ngrams_spread", lambda place, row: {"prompt": PREAMBLE + PHRASES[place]}),
    change("filtered", "topics_spread", *((place, {"topic": "knots" if place == 0 else "tides"}) for place in range(13)), named=()),
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
DEFECTS += [regress(stage, c.name, **COLLAPSED[c.name]) for stage, suite in CATALOGUE.items() for c in suite.checks if c.kind == "regression"]
"""Row 14 of evolved_instructions and those after it are evolutions; row 9 of filtered and of mixed and the next three are synthetic pairs."""


PARTITIONS = dg.StaticPartitionsDefinition([DOMAIN.name])


@functools.cache
def assets(stage: str) -> tuple[dg.AssetsDefinition, dg.AssetsDefinition, dg.AssetChecksDefinition]:
    """The stage, what is downstream of it, and its checks."""

    @dg.asset(name=stage, partitions_def=PARTITIONS)
    def made() -> None: ...

    @dg.asset(name="downstream", partitions_def=PARTITIONS, deps=[stage])
    def downstream() -> None: ...

    return made, downstream, stage_checks(stage, PARTITIONS)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the domain's files, its quality checks blocking, and a warehouse of good rows."""
    folder = tmp_path_factory.mktemp("ground")
    settings = DOMAIN.model_dump(mode="json", exclude={"name"}, exclude_unset=True) | {"gates": {"quality": "block"}}
    (folder / f"{DOMAIN.name}.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    seeds = [{"topic": topic, "instruction": asked, "response": told, "answer": "12"} for topic, asked, told in SEEDS]
    real: list[Row] = [{name: value for name, value in row.items() if name != "answer"} for row in seeds]
    pair = {"topic": "knots", "instruction": "How do I store a rope?", "chosen": "Dry it.", "rejected": "Leave it wet."}
    item = {"id": "p1", "prompt": BENCHMARK}
    for file, lines in {"seeds": seeds, "real": real, "pairs": [pair], "pilots": [item]}.items():
        (folder / f"{file}.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    Warehouse(folder / "warehouse.duckdb").query("select 1")
    plant(folder / "warehouse.duckdb", good(), {})
    return folder


def plant(path: Path, tables: Tables, there: Tables) -> None:
    """Write the tables that differ from those that are `there`, without the constraints of the schema."""
    with closing(duckdb.connect(path)) as con:
        for name, frame in frames({name: rows for name, rows in tables.items() if rows and rows != there.get(name)}).items():
            con.register("incoming", frame)
            types = {column.name: column.type for column in schemas.BY_NAME[name].columns}
            columns = ", ".join(f"cast({column} as {types[column]}) as {column}" for column in frame.columns)
            con.execute(f"create or replace table synth.{name} as select {columns} from incoming")


@pytest.fixture
def run(ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Defect], dg.ExecuteInProcessResult]]:
    """Runs the stage of a defect, its checks and what is downstream, over a warehouse with that defect."""
    monkeypatch.setenv("SYNTH_DOMAINS", str(ground))
    path = Home.from_env().warehouse
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ground / "warehouse.duckdb", path)
    with dg.DagsterInstance.ephemeral() as instance:

        def materialize(defect: Defect) -> dg.ExecuteInProcessResult:
            tables = good()
            defect.plant(tables)
            with Warehouse(path).exclusive():  # a run that has just ended may have the file open for another instant
                plant(path, tables, good())
            return dg.materialize(
                assets(defect.stage),
                partition_key=DOMAIN.name,
                resources={"warehouse": WarehouseResource(), "domains": DomainsResource()},
                instance=instance,
                raise_on_error=False,
            )

        yield materialize


def failing(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {found.check_name: found for found in result.get_asset_check_evaluations() if not found.passed}


def made(result: dg.ExecuteInProcessResult) -> list[str]:
    return [event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key]


@pytest.mark.slow
@pytest.mark.parametrize("defect", [pytest.param(d, id=f"{d.stage}-{d.check}-{n}") for n, d in enumerate(DEFECTS)])
def test_exactly_its_check_fails_and_nothing_flows_on(defect: Defect, run: Callable[[Defect], dg.ExecuteInProcessResult]) -> None:
    result = run(defect)
    failed = failing(result)
    assert set(failed) == {defect.check}
    told = failed[defect.check].metadata
    assert "error" not in told or defect.check == "account_balances"
    assert set(told["row_ids"].value or ()) == defect.rows  # type: ignore[arg-type]
    assert int(told["unexpected_count"].value or 0) >= len(defect.rows)  # type: ignore[arg-type]
    assert told["expected"].value and told["seen"].value
    assert failed[defect.check].severity is dg.AssetCheckSeverity.ERROR
    assert made(result) == [defect.stage]
    newest = Warehouse(Home.from_env().warehouse).latest(defect.stage, DOMAIN.name)
    assert newest is not None and newest["passed"] is False


@pytest.mark.slow
@pytest.mark.parametrize("stage", [stage for stage, suite in CATALOGUE.items() if any(check.name == "rows_present" for check in suite.checks)])
def test_an_empty_slice_stops_everything(stage: str, run: Callable[[Defect], dg.ExecuteInProcessResult]) -> None:
    def empty(tables: Tables) -> None:
        for row in tables[stage]:
            row["domain"] = "another"
        own = next(row for row in tables["stage_accounts"] if row["stage"] == stage)
        own |= {"planned": own["planned"] - own["kept"], "kept": 0}

    result = run(Defect(stage, "rows_present", empty))
    kinds = {check.name: check.kind for check in CATALOGUE[stage].checks}
    assert [name for name in failing(result) if kinds[name] == "structure"] == ["rows_present"]
    assert made(result) == [stage]


@pytest.mark.slow
def test_good_rows_flow_on(run: Callable[[Defect], dg.ExecuteInProcessResult]) -> None:
    for stage in CATALOGUE:
        result = run(Defect(stage, "", lambda tables: None))
        assert (failing(result), made(result)) == ({}, [stage, "downstream"])


@pytest.mark.slow
def test_drift_warns_and_flows_on(run: Callable[[Defect], dg.ExecuteInProcessResult]) -> None:
    result = run(regress("filtered", "reward_held", reward_mean=0.5))
    (warned,) = failing(result).values()
    assert (warned.check_name, warned.severity) == ("reward_held", dg.AssetCheckSeverity.WARN)
    assert warned.metadata["seen"].value == "0.5, after 0.6 in run run 1"
    assert made(result) == ["filtered", "downstream"]


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
