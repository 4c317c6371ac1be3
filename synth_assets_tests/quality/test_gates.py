"""The gates together: one place for every candidate, all rules on each, one survivor per group, the target in order."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Decontamination, Domain
from synth_assets.quality import gates
from synth_assets.quality.decontamination import Hit, Index, Item
from synth_assets_tests.quality.rows import domain, instruction, response

TEST_ITEM = "A gardener plants nineteen tulip bulbs in each of seven rows and loses a third of them to mice before spring arrives. How many bloom?"


def screened(
    responses: Sequence[Row], *, of: Domain | None = None, rewards: Sequence[float] | None = None, pairs: Sequence[Row] = ()
) -> tuple[Outcome, list[Hit]]:
    outcome = Outcome()
    numbers = list(rewards) if rewards is not None else [0.5] * (len(responses) + len(pairs))
    used = {row["instruction_id"] for row in [*responses, *pairs]}
    rows = gates.candidates(responses, pairs, [instruction(int(i[1:])) for i in used], "v1")
    index = Index.build([Item("mine", "t1", "prompt", TEST_ITEM)], [], Decontamination())
    hits = gates.screen(of or domain(), rows, index=index, embed=None, rewards=lambda prompts, _: numbers[: len(prompts)], outcome=outcome)
    outcome.check_balance("filtered", "garden")
    return outcome, hits


def pair(number: int, margin: float) -> Row:
    row = response(number)
    return row | {"chosen": row["response"], "rejected": "Just do it.", "chosen_score": 0.5 + margin, "rejected_score": 0.5, "reward_version": "v1"}


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
    rows = gates.candidates([], [pair(0, 0.2) | {"prompt": " ".join(tokens[:7]), side: " ".join(tokens[7:14])}], [instruction(0)], "v1")
    outcome = Outcome()
    index = Index.build([item], [], Decontamination())
    hits = gates.screen(domain(), rows, index=index, embed=None, rewards=lambda prompts, _: [0.5] * len(prompts), outcome=outcome)
    assert not outcome.kept and {hit.part for hit in hits} == {"both"}


def test_of_near_duplicates_the_better_reward_survives_then_the_earlier() -> None:
    rows = [response(0), response(1), response(0, id="again")]
    outcome, _ = screened(rows, rewards=[0.2, 0.5, 0.9])
    assert {row["source_id"] for row in outcome.kept} == {"r1", "again"}
    outcome, _ = screened(rows, rewards=[0.5, 0.5, 0.5])
    assert {row["source_id"] for row in outcome.kept} == {"r0", "r1"}
    assert {r.rule for r in outcome.rejected} >= {"near_duplicate_rouge_l"}


def test_one_row_shows_every_rule_that_it_breaks() -> None:
    outcome, _ = screened([response(0, response="I'm sorry, but I can't help with that. <|im_end|>")], rewards=[0.0])
    assert {"reward_floor"} < rules(outcome) and len(rules(outcome)) >= 3
    assert len(outcome.rejected_ids) == 1


@pytest.mark.parametrize(("margin", "kept"), [(0.3, 1), (0.0, 0), (-0.2, 0)])
def test_a_pair_needs_a_positive_margin(margin: float, kept: int) -> None:
    outcome, _ = screened([], of=domain(targets={"sft": 50}), pairs=[pair(0, margin)])
    assert len(outcome.kept) + len(outcome.surplus) == kept
    assert ("reward_margin" in rules(outcome)) == (kept == 0)


def test_what_passes_beyond_the_target_is_surplus_and_the_first_stand() -> None:
    outcome, _ = screened([response(n) for n in range(6)], of=domain(targets={"sft": 4}))
    assert [row["source_id"] for row in outcome.kept] == ["r0", "r1", "r2", "r3"]
    assert [row["source_id"] for row in outcome.surplus] == ["r4", "r5"]


def test_reasoning_stands_in_its_tags() -> None:
    outcome, _ = screened([response(0, thinking="Cool soil keeps water.", method="reasoning")])
    assert outcome.kept[0]["response"].startswith("<think>\nCool soil keeps water.\n</think>\n\nBegin")


hostile = st.text(max_size=80) | st.sampled_from(["", "\x00", "<script>alert(1)</script>", "'; drop table synth.filtered; --", "好" * 50, "a " * 500])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(hostile, hostile, st.floats(0, 1)), max_size=8))
def test_every_candidate_ends_in_one_place_whatever_it_says(texts: list[tuple[str, str, float]]) -> None:
    rows = [response(n, prompt=prompt, response=answer) for n, (prompt, answer, _) in enumerate(texts)]
    outcome, _ = screened(rows, rewards=[reward for _, _, reward in texts])
    assert outcome.planned == len(texts)
