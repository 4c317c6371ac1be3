"""What an earlier run used, from a real warehouse: a judge's calls are its own, and no step of the method whose rows it judged."""

from pathlib import Path

from synth_assets.accounts import Outcome
from synth_assets.forecast.past import JUDGE, JUDGED_PAIR, JUDGED_ROW, Step, past_of
from synth_assets.warehouse import Warehouse
from synth_assets_tests.warehouse.rows import full_row, paid_call


def test_what_a_judge_was_asked_stands_by_itself(tmp_path: Path) -> None:
    database = Warehouse(tmp_path / "warehouse.duckdb")
    pair = full_row("preference_pairs", id="p", domain="d", method="constitutional", call_keys=["critique", "revision"])
    made = Outcome(planned=1, kept=[pair])
    made.use("p", ["critique", "revision", "ahead", "back"])
    read = {"critique": 10, "revision": 20, "ahead": 100, "back": 300, "single": 7}
    calls = [paid_call(key, input_tokens=tokens, output_tokens=5) for key, tokens in read.items()]
    database.commit_stage("preference_pairs", "d", made, run_id="run", calls=calls)
    kept = Outcome(planned=1, kept=[full_row("filtered", id="f", domain="d", method="distill")])
    kept.use("f", ["single"])
    database.commit_stage("filtered", "d", kept, run_id="run")
    past = past_of(database, "d")
    assert past[JUDGE].steps == {JUDGED_PAIR: Step(2, 1.0, 200.0, 5.0), JUDGED_ROW: Step(1, 1.0, 7.0, 5.0)}
    assert past["constitutional"].steps == {1: Step(1, 1.0, 10.0, 5.0), 2: Step(1, 1.0, 20.0, 5.0)}
    assert set(past_of(database, "another")) == set()
