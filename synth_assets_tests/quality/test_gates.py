"""The gates together: one place for every candidate, all rules on each, one survivor per group, the target in order."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Decontamination, Domain
from synth_assets.quality import gates
from synth_assets.quality.decontamination import Hit, Index, Item
from synth_assets.quality.human_fixes import apply_fixes, lot
from synth_assets.quality.sampling import content_key
from synth_assets.quality.scores import Score
from synth_assets_tests.quality.rows import domain, instruction, response

TEST_ITEM = "A gardener plants nineteen tulip bulbs in each of seven rows and loses a third of them to mice before spring arrives. How many bloom?"


def screened(
    responses: Sequence[Row], *, of: Domain | None = None, rewards: Sequence[float] | None = None, pairs: Sequence[Row] = ()
) -> tuple[Outcome, list[Hit]]:
    outcome = Outcome()
    numbers = list(rewards) if rewards is not None else [0.5] * (len(responses) + len(pairs))
    used = {row["instruction_id"] for row in [*responses, *pairs]}
    rows = gates.candidates(responses, pairs, [instruction(int(i[1:])) for i in used], "v1", 1)
    index = Index.build([Item("mine", "t1", "prompt", TEST_ITEM)], [], Decontamination())
    hits = gates.screen(
        of or domain(), rows, index=index, embed=None, rewards=lambda prompts, _: [Score(n, n) for n in numbers[: len(prompts)]], outcome=outcome
    )
    outcome.check_balance("filtered", "garden")
    return outcome, hits


def corrected(rows: Sequence[Row], fixes: dict[str, str]) -> Outcome:
    """What becomes of candidates whose answers were corrected; rewards grow with the answer's length."""
    outcome = Outcome()
    found = apply_fixes(rows, fixes, outcome)
    index = Index.build([Item("mine", "t1", "prompt", TEST_ITEM)], [], Decontamination())
    of = domain(targets={"sft": 50, "preference": 5}, methods={"constitutional": {"pairs": 1}}, real_data=BOTH)
    gates.screen(of, found, index=index, embed=None, rewards=by_length, outcome=outcome)
    outcome.check_balance("filtered", "garden")
    return outcome


def by_length(prompts: Sequence[str], responses: Sequence[str]) -> list[Score]:
    return [Score(n, min(1.0, n)) for n in (len(text) / 200 for text in responses)]


BOTH = [{"path": f"{kind}.jsonl", "kind": kind, "source": "us", "license": "CC0-1.0"} for kind in ("sft", "preference")]
GOOD = "Loosen the bindings first, then turn the heap from the side, since what lies below is the oldest part of it."


def test_a_correction_stands_in_the_place_of_its_parent_which_is_rejected() -> None:
    rows = gates.candidates([response(n) for n in range(3)], [], [instruction(n) for n in range(3)], "v1", 1)
    outcome = corrected(rows, {content_key(rows[1]): GOOD})
    fixed = outcome.kept[1]
    assert [row["source_id"] for row in outcome.kept] == ["r0", "r1", "r2"]
    assert fixed["method"] == "human_fix" and fixed["parent_id"] == rows[1]["id"] != fixed["id"] and fixed["response"] == GOOD
    assert {name: fixed[name] for name in ("prompt", "topic", "root_id", "model")} == {name: rows[1][name] for name in ("prompt", "topic", "root_id", "model")}
    assert [(r.row["id"], r.rule) for r in outcome.rejected] == [(rows[1]["id"], "human_fixed")] and fixed["id"] in outcome.rejected[0].evidence


def test_a_correction_passes_the_gates_or_is_lost_with_its_parent() -> None:
    rows = gates.candidates([response(0)], [], [instruction(0)], "v1", 1)
    outcome = corrected(rows, {content_key(rows[0]): f"Consider this: {TEST_ITEM}"})
    assert outcome.kept == [] and {"human_fixed"} < rules(outcome)


def test_a_correction_goes_before_a_near_duplicate_with_a_better_reward() -> None:
    rows = gates.candidates([response(0), response(1, prompt=response(0)["prompt"], response=GOOD * 3)], [], [instruction(0), instruction(1)], "v1", 1)
    outcome = corrected(rows, {content_key(rows[0]): GOOD})
    assert [row["method"] for row in outcome.kept] == ["human_fix"]


def test_a_corrected_pair_has_a_new_margin_and_a_correction_can_be_corrected() -> None:
    rows = gates.candidates([], [pair(0, 0.2)], [instruction(0)], "v1", 1)
    first = rows[0] | {"response": GOOD}
    outcome = corrected(rows, {content_key(rows[0]): GOOD, content_key(first): GOOD + " Water it after that."})
    (kept,) = outcome.kept
    assert kept["reward_margin"] == pytest.approx((len(kept["response"]) - len("Just do it.")) / 200)
    assert [r.rule for r in outcome.rejected] == ["human_fixed"] * 2 and kept["parent_id"] == outcome.rejected[1].row["id"]
    assert kept["response"].endswith("after that.") and kept["rejected"] == "Just do it."


def test_two_people_who_correct_each_other_end_with_the_first_correction() -> None:
    rows = gates.candidates([response(0)], [], [instruction(0)], "v1", 1)
    back = {content_key(rows[0]): GOOD, content_key(rows[0] | {"response": GOOD}): rows[0]["response"]}
    assert [row["response"] for row in corrected(rows, back).kept] == [GOOD]


def test_the_lot_is_what_the_gates_let_pass_before_people_took_anything_out() -> None:
    rows = gates.candidates([response(n) for n in range(3)], [], [instruction(n) for n in range(3)], "v1", 1)
    plain = lot(corrected([dict(row) for row in rows], {}).kept, [])
    outcome = corrected(rows, {content_key(rows[1]): GOOD, content_key(rows[2]): f"Consider this: {TEST_ITEM}"})
    stored = [{"stage": "filtered", "row_id": r.row["id"], "rule": r.rule, "row": json.dumps(r.row)} for r in outcome.rejected]
    assert {row["id"] for row in lot(outcome.kept, stored)} == {row["id"] for row in plain}
    assert {content_key(row) for row in lot(outcome.kept, stored)} == {content_key(row) for row in plain}


def pair(number: int, margin: float) -> Row:
    row = response(number)
    return row | {"chosen": row["response"], "rejected": "Just do it.", "chosen_score": 0.5 + margin, "rejected_score": 0.5, "orders_agree": None}


def rules(outcome: Outcome) -> set[str]:
    return {rejection.rule for rejection in outcome.rejected}


def test_good_rows_pass_in_order_with_every_score() -> None:
    outcome, hits = screened([response(n) for n in range(4)])
    assert [row["source_id"] for row in outcome.kept] == ["r0", "r1", "r2", "r3"]
    assert not hits and not outcome.rejected
    assert all(0 <= row["rouge_l"] <= 0.7 and row["jaccard"] < 0.8 and row["cosine"] is None and row["contamination"] == 0 for row in outcome.kept)


def test_a_contaminated_row_is_rejected_with_its_item_and_its_hits_are_kept() -> None:
    outcome, hits = screened([response(0), response(1, prompt=f"Please help. {TEST_ITEM}")])
    assert [row["source_id"] for row in outcome.kept] == ["r0"]
    assert any(rule.startswith("contaminated_") for rule in rules(outcome))
    assert all("mine t1" in r.evidence for r in outcome.rejected if r.rule.startswith("contaminated_"))
    assert {hit.item_id for hit in hits} == {"t1"}


def test_contamination_in_the_rejected_side_of_a_pair_counts() -> None:
    outcome, _ = screened([], pairs=[pair(0, 0.2) | {"rejected": TEST_ITEM}])
    assert not outcome.kept and any(rule.startswith("contaminated_") for rule in rules(outcome))


@pytest.mark.parametrize("side", ["chosen", "rejected"])
def test_an_item_that_runs_from_the_prompt_into_either_answer_counts(side: str) -> None:
    # Seven words of eight in each part: neither part holds an n-gram of it alone.
    tokens = TEST_ITEM.split()
    item = Item("mine", "t1", "prompt", " ".join(tokens[:14]))
    rows = gates.candidates([], [pair(0, 0.2) | {"prompt": " ".join(tokens[:7]), side: " ".join(tokens[7:14])}], [instruction(0)], "v1", 1)
    outcome = Outcome()
    index = Index.build([item], [], Decontamination())
    hits = gates.screen(domain(), rows, index=index, embed=None, rewards=lambda prompts, _: [Score(0.5, 0.5)] * len(prompts), outcome=outcome)
    assert not outcome.kept and {hit.part for hit in hits} == {"both"}


def test_of_near_duplicates_the_better_reward_survives_then_the_earlier() -> None:
    rows = [response(0), response(1), response(0, id="again")]
    outcome, _ = screened(rows, rewards=[0.2, 0.5, 0.9])
    assert {row["source_id"] for row in outcome.kept} == {"r1", "again"}
    outcome, _ = screened(rows, rewards=[0.5, 0.5, 0.5])
    assert {row["source_id"] for row in outcome.kept} == {"r0", "r1"}
    assert {r.rule for r in outcome.rejected} >= {"near_duplicate_rouge_l"}


def test_of_near_duplicates_of_two_waves_the_earlier_stands_whatever_its_reward() -> None:
    rows = [response(0, id="late", wave=1), response(1, wave=1), response(0)]
    outcome, _ = screened(rows, rewards=[0.2, 0.5, 0.9])  # candidates stand in the order of their waves: r0, late, r1
    assert [(row["source_id"], row["wave"]) for row in outcome.kept] == [("r0", 0), ("r1", 1)]
    assert {r.row["source_id"] for r in outcome.rejected} == {"late"}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2), st.floats(0, 1)), max_size=14), st.integers(1, 8), st.sampled_from(["order", "diversity"]))
def test_a_further_wave_unseats_no_accepted_row(made: list[tuple[int, int, float]], target: int, by: str) -> None:
    rows = [response(subject, id=f"r{n}", wave=wave) for n, (subject, wave, _) in enumerate(made)]
    rewards = {row["id"]: reward for row, (_, _, reward) in zip(rows, made, strict=True)}
    of = domain(targets={"sft": target}, gates={"selection": {"by": by}, "reward": {"floor": 0.0}})
    before: list[str] = []
    for waves in range(1, 4):
        present = [row for row in rows if row["wave"] < waves]
        outcome, _ = screened(present, of=of, rewards=[rewards[row["id"]] for row in sorted(present, key=lambda row: row["wave"])])
        kept = [row["source_id"] for row in outcome.kept]
        assert kept[: len(before)] == before
        before = kept


def test_one_row_shows_every_rule_that_it_breaks() -> None:
    outcome, _ = screened([response(0, response="I'm sorry, but I can't help with that. <|im_end|>")], rewards=[0.0])
    assert {"reward_floor"} < rules(outcome) and len(rules(outcome)) >= 3
    assert len(outcome.rejected_ids) == 1


@pytest.mark.parametrize(("margin", "kept"), [(0.3, 1), (0.0, 0), (-0.2, 0)])
def test_a_pair_needs_a_positive_margin(margin: float, kept: int) -> None:
    outcome, _ = screened([], of=domain(targets={"sft": 50}), pairs=[pair(0, margin)])
    assert len(outcome.kept) + len(outcome.surplus) == kept
    assert ("reward_margin" in rules(outcome)) == (kept == 0)


def test_a_pair_whose_order_decides_is_rejected_and_a_correction_of_it_is_judged_anew() -> None:
    outcome, _ = screened([], of=domain(targets={"sft": 50}), pairs=[pair(0, 0.3) | {"orders_agree": False}, pair(1, 0.3) | {"orders_agree": True}])
    assert rules(outcome) == {"judge_disagrees"} and len(outcome.surplus) == 1
    rows = gates.candidates([], [pair(0, 0.2) | {"orders_agree": False}], [instruction(0)], "v1", 1)
    outcome = corrected(rows, {content_key(rows[0]): GOOD})
    assert [row["orders_agree"] for row in outcome.kept] == [None]


def test_what_a_judge_said_is_kept_and_what_it_did_not_say_rejects() -> None:
    aspects = tuple((name, 4.0) for name in ("honesty", "helpfulness"))
    said = [Score(4.0, 0.7, aspects, ("k0",)), Score(None, None, (), ("k1",), "judge_unreadable", "Well...")]
    rows = gates.candidates([response(n) for n in range(2)], [], [instruction(n) for n in range(2)], "v1", 3)
    outcome = Outcome()
    index = Index.build([Item("mine", "t1", "prompt", TEST_ITEM)], [], Decontamination())
    gates.screen(domain(), rows, index=index, embed=None, rewards=lambda prompts, _: said[: len(prompts)], outcome=outcome)
    (kept,) = outcome.kept
    assert (kept["reward"], kept["calibration"], json.loads(kept["ratings"])) == (0.7, 3, {"response": {"helpfulness": 4.0, "honesty": 4.0}})
    assert [(r.rule, r.evidence, r.row["reward"]) for r in outcome.rejected] == [("judge_unreadable", "Well...", None)]
    assert outcome.call_uses == [("k0", kept["id"]), ("k1", outcome.rejected[0].row["id"])]


def test_what_passes_beyond_the_target_is_surplus_and_the_first_stand() -> None:
    outcome, _ = screened([response(n) for n in range(6)], of=domain(targets={"sft": 4}))
    assert [row["source_id"] for row in outcome.kept] == ["r0", "r1", "r2", "r3"]
    assert [row["source_id"] for row in outcome.surplus] == ["r4", "r5"]


def test_reasoning_stands_in_its_tags() -> None:
    outcome, _ = screened([response(0, thinking="Cool soil keeps water.", method="reasoning")])
    assert outcome.kept[0]["response"].startswith("<think>\nCool soil keeps water.\n</think>\n\nBegin")


def test_a_checked_answer_may_be_as_short_as_a_number() -> None:
    rows = [response(0, thinking="Two and two.", response="4", method="reasoning"), response(1, response="4")]
    strict = domain(gates={"rules": {"min_response_words": 3}})
    outcome, _ = screened(rows, of=strict)
    assert [row["source_id"] for row in outcome.kept] == ["r0"]
    assert rules(outcome) == {"response_too_short"}


hostile = st.text(max_size=80) | st.sampled_from(["", "\x00", "<script>alert(1)</script>", "'; drop table synth.filtered; --", "好" * 50, "a " * 500])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(hostile, hostile, st.floats(0, 1)), max_size=8))
def test_every_candidate_ends_in_one_place_whatever_it_says(texts: list[tuple[str, str, float]]) -> None:
    rows = [response(n, prompt=prompt, response=answer) for n, (prompt, answer, _) in enumerate(texts)]
    outcome, _ = screened(rows, rewards=[reward for _, _, reward in texts])
    assert outcome.planned == len(texts)
