"""The tree of a row: over a small warehouse with one line of descent, its failures and its examples."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from synth_assets.accounts import Outcome, Row
from synth_assets.cli import main
from synth_assets.errors import LedgerError, NotOneRow
from synth_assets.identity import row_id
from synth_assets.release import provenance, provenance_text
from synth_assets.teacher.answers import Answer, Usage
from synth_assets.teacher.budget import Budget
from synth_assets.teacher.ledger import Call, Ledger, Reservation
from synth_assets.warehouse import Warehouse
from synth_assets_tests.warehouse.rows import full_row, paid_call

ASKED = "Compare sculls by weight."
COLOURS = "\x1b[31mred\x1b[0m"


def at(stage: str, name: str) -> str:
    return row_id("boats", stage, name)


def row(stage: str, name: str, **values: Any) -> Row:
    return full_row(stage, id=at(stage, name), domain="boats") | values


def call(key: str, **values: Any) -> Row:
    return paid_call(key, **{"cost_usd": 0.25, "model": "m"} | values)


@pytest.fixture
def home(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of its own, since a test may break it."""
    monkeypatch.setenv("SYNTH_HOME", str(tmp_path / "home"))
    return shutil.copytree(built, tmp_path / "home")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seed "oars" is shown as an example of instruction "sculls", which is evolved, answered, revised and released; one answer is rejected."""
    tmp_path = tmp_path_factory.mktemp("built")
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")

    def commit(stage: str, *kept: Row, rejected: Row | None = None, calls: list[Row] | None = None, uses: list[tuple[str, str]] | None = None) -> None:
        outcome = Outcome(planned=len(kept) + (rejected is not None), kept=list(kept), call_uses=uses or [])
        if rejected is not None:
            outcome.reject(rejected, "answer_wrong", 0.5, "5 for 7")
            outcome.reject(rejected, "too_short", evidence="1 word")
        warehouse.commit_stage(stage, "boats", outcome, run_id="run-1", calls=calls or [])
        warehouse.mark_checked(stage, "boats", "run-1", True)

    generated = row("generated_instructions", "sculls", instruction="Compare sculls.", input="", parent_ids=[at("seeds", "oars")], batch=1, call_keys=["k-gen"])
    earlier = row("generated_instructions", "older", instruction="Name an oar.", parent_ids=[at("seeds", "oars")], batch=0, call_keys=["k-old"])
    generated["parent_ids"] = [at("seeds", "oars"), earlier["id"]]
    root = row("evolved_instructions", "root", instruction="Compare sculls.", round=0, parent_id=generated["id"], call_keys=["k-gen"])
    child = row(
        "evolved_instructions", "child", instruction="Compare sculls by weight.", round=1, parent_id=root["id"], root_id=root["id"], call_keys=["k-evol"]
    )
    answer = row("teacher_responses", "answer", instruction_id=child["id"], prompt=ASKED, response=COLOURS, call_keys=["k-evol", "k-answer"])
    wrong = row("teacher_responses", "wrong", instruction_id=child["id"], prompt=ASKED, response="Five.", call_keys=["k-wrong"])
    pair = row("preference_pairs", "pair", response_id=answer["id"], rejected=COLOURS, critique=["Too red."], principle=["Be plain."], call_keys=["k-rev"])
    gated = row("filtered", "gated", source_id=pair["id"], kind="preference")
    mixed = row("mixed", "mix", source_id=gated["id"], kind="preference")
    commit("seeds", row("seeds", "oars", instruction="What are oars for?"), row("seeds", "unused", instruction="What is a keel?"))
    commit("generated_instructions", generated, earlier, calls=[call("k-gen"), call("k-old")])
    commit("evolved_instructions", root, child, calls=[call("k-evol", cost_usd=None)])
    commit("teacher_responses", answer, rejected=wrong, calls=[call("k-answer"), call("k-wrong")], uses=[("k-wrong", wrong["id"])])
    commit("preference_pairs", pair, calls=[call("k-rev")])
    commit("filtered", gated)
    commit("spot_check", row("spot_check", "look", row_id=gated["id"], verdict="accept", purpose="gate"))
    commit("mixed", mixed)
    released = {"id": at("release", "out"), "domain": "boats", "kind": "preference", "mixed_id": mixed["id"], "split": "train", "version": "r-1"}
    warehouse.commit_whole("release", {"boats": Outcome(planned=1, kept=[released])}, run_id="run-2")
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for key, text in (("k-answer", COLOURS), ("k-rev", "text"), ("k-wrong", "Five.")):
        body = {"system": "Be brief.", "messages": [{"role": "user", "content": f"Asked by {key}."}], "sampling": {"temperature": 0.3}}
        reservation = ledger.reserve(Call(key, "e", "m", json.dumps(body)), 0.25, Budget()).result()
        assert isinstance(reservation, Reservation)
        ledger.record(reservation, Answer("{}", text, stop_reason="end_turn", usage=Usage(1, 1)), 0.25, 1.0).result()
    ledger.close()
    return tmp_path


def trace(home: Path, wanted: str) -> provenance.Trace:
    warehouse = Warehouse(home / "warehouse.duckdb")
    with warehouse.read():
        return provenance.trace(warehouse.query, home / "ledger.sqlite", wanted)


LINE = [
    "generated_instructions",
    "evolved_instructions",
    "evolved_instructions",
    "teacher_responses",
    "preference_pairs",
    "filtered",
    "spot_check",
    "mixed",
    "release",
]


def test_from_the_seed_to_the_release(home: Path) -> None:
    tree = trace(home, at("release", "out"))
    assert [step.stage for step in tree.steps if not step.example] == LINE
    assert {(step.stage, step.row_id) for step in tree.steps if step.example} == {
        ("seeds", at("seeds", "oars")),
        ("generated_instructions", at("generated_instructions", "older")),
    }
    places = [step.row_id for step in tree.steps]
    assert all(places.index(parent) < places.index(step.row_id) for step in tree.steps for parent in step.parents)
    assert [step.row_id for step in tree.steps if step.asked] == [at("release", "out")]
    # k-evol stands behind two rows, and is counted once; k-old was paid for another row.
    assert sorted(call["key"] for call in tree.calls) == ["k-answer", "k-evol", "k-gen", "k-rev"]
    assert (tree.cost_usd, tree.unpriced) == (0.75, 1)


def test_prompts_and_replies_come_from_the_ledger(home: Path) -> None:
    answer = next(step for step in trace(home, at("release", "out")).steps if step.stage == "teacher_responses")
    [call] = answer.calls
    assert (call["key"], call["text"]) == ("k-answer", COLOURS) and call["request"]["messages"][0]["content"] == "Asked by k-answer."


def test_a_rejected_row_has_the_same_tree_and_every_rule(home: Path) -> None:
    tree = trace(home, at("teacher_responses", "wrong"))
    last = tree.steps[-1]
    assert (last.stage, last.fate, last.asked) == ("teacher_responses", "rejected", True)
    assert [(r["rule"], r["score"], r["evidence"]) for r in last.rejections] == [("answer_wrong", 0.5, "5 for 7"), ("too_short", None, "1 word")]
    assert last.row["response"] == "Five." and [call["key"] for call in last.calls] == ["k-wrong"]


def test_downwards_every_end_is_there(home: Path) -> None:
    tree = trace(home, at("evolved_instructions", "child"))
    below = [(step.depth, step.stage, step.fate) for step in tree.steps if step.depth]
    assert below == [
        (1, "teacher_responses", "kept"),
        (2, "preference_pairs", "kept"),
        (3, "filtered", "kept"),
        (4, "spot_check", "kept"),
        (4, "mixed", "kept"),
        (5, "release", "kept"),
        (1, "teacher_responses", "rejected"),
    ]


def test_found_by_the_beginning_of_an_id_and_by_text(home: Path) -> None:
    whole = at("teacher_responses", "wrong")
    assert trace(home, whole[:12]).asked == trace(home, whole.upper()).asked == whole
    assert trace(home, "what are OARS").steps[0].row_id == at("seeds", "oars")
    # Several rows hold this text, all of one tree.
    assert trace(home, "sculls by weight").asked == at("evolved_instructions", "child")
    assert trace(home, "five.").asked == whole


@pytest.mark.parametrize(
    ("wanted", "message"), [("nothing such", "no row"), ("  ", "no row"), ("What", r"fits 2 rows(?s:.*)oars for(?s:.*)a keel"), ("%", "no row")]
)
def test_none_or_several_is_said(home: Path, wanted: str, message: str) -> None:
    with pytest.raises(NotOneRow, match=message):
        trace(home, wanted)


def test_without_a_ledger_or_with_a_broken_one(home: Path) -> None:
    (home / "ledger.sqlite").rename(home / "gone")
    assert [call["request"] for call in trace(home, at("teacher_responses", "wrong")).calls][-1] is None
    (home / "ledger.sqlite").write_text("no database, only text " * 50)
    with pytest.raises(LedgerError, match="move it away"):
        trace(home, at("teacher_responses", "wrong"))


def test_reading_changes_nothing(home: Path) -> None:
    with sqlite3.connect(home / "ledger.sqlite") as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    before = (home / "ledger.sqlite").read_bytes()
    trace(home, at("release", "out"))
    assert (home / "ledger.sqlite").read_bytes() == before


def test_the_page_shows_each_text_once_and_no_control_character(home: Path) -> None:
    page = "\n".join(provenance_text.render(trace(home, at("release", "out"))))
    assert "\x1b" not in page and page.count("\\u001b[31mred") == 1
    for line in (
        "Shown as examples, or above a row that was (2):",
        f">> release {at('release', 'out')} of boats: released, split train, version r-1",
        "asked (user): Asked by k-answer.",
        "critique 1: Too red.",
        "sampled for people to read (gate), verdict accept",
        "not in the ledger any more",
        "the slice's blocking checks passed",
        "9 steps, 4 teacher calls, $0.750000, the price of 1 unknown.",
    ):
        assert line in page


def test_long_texts_are_cut_unless_all_is_asked_for(home: Path) -> None:
    tree = trace(home, at("teacher_responses", "wrong"))
    tree.steps[-1].row["thinking"] = "word " * 500
    assert "1,900 more characters" in "\n".join(provenance_text.render(tree))
    assert "more characters" not in "\n".join(provenance_text.render(tree, full=True))


def test_checks_of_the_runs_are_joined(home: Path) -> None:
    wrong = at("teacher_responses", "wrong")
    found = {"stage": "teacher_responses", "check": "yield", "passed": False, "blocking": False, "row_ids": [wrong]}
    tree = trace(home, wrong).with_checks(lambda run: [found] if run == "run-1" else [])
    assert tree.steps[-1].checks == ({"check": "yield", "passed": False, "blocking": False, "named": True},)
    assert "warned: yield, and names this row" in "\n".join(provenance_text.render(tree))


def test_the_command(home: Path) -> None:
    done = CliRunner().invoke(main, ["why", at("teacher_responses", "wrong"), "--json"])
    data = json.loads(done.output)
    assert data["asked"] == at("teacher_responses", "wrong") and data["steps"][-1]["rejections"][0]["rule"] == "answer_wrong"
    assert data["totals"] == {"calls": 3, "cost_usd": 0.5, "unpriced_calls": 1}
    assert "REJECTED" in CliRunner().invoke(main, ["why", "Five."]).output
    assert CliRunner().invoke(main, ["why", "nothing such"]).exit_code == 2


def test_without_a_warehouse_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTH_HOME", str(tmp_path / "none"))
    done = CliRunner().invoke(main, ["why", "abc"])
    assert done.exit_code == 2 and "there is no warehouse" in done.output and not (tmp_path / "none").exists()
