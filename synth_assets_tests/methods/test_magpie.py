"""Magpie: the user's turn asked for in the paper's way, and what is no instruction rejected."""

from typing import Any

import pytest
from hypothesis import given, settings

from synth_assets.accounts import Outcome
from synth_assets.config import Domain
from synth_assets.methods import magpie, self_instruct
from synth_assets.methods.instruction_pool import InstructionPool
from synth_assets.teacher.messages import Plan, Request
from synth_assets_tests.methods.driving import LARGE, SEEDS, Answer, drive, make_domain, mixtures, picking, reply, rules, run, saying, seed_rows
from synth_assets_tests.methods.test_self_instruct import FRESH, fresh


def attempt(domain: Domain, answer: Answer) -> tuple[Outcome, list[list[Request]]]:
    def make(outcome: Outcome) -> Plan:
        return magpie.plan(domain, InstructionPool(domain.language, seed_rows(domain.language)), LARGE, outcome)

    return run(make, answer)


@settings(max_examples=30, deadline=None)
@given(mixtures)
def test_every_mixture_of_replies_is_accounted_for_and_gives_the_same_rows_again(replies: list[dict[str, Any]]) -> None:
    domain = make_domain(magpie={"target": 3, "batch": 4})
    assert attempt(domain, picking(replies)) == attempt(domain, picking(replies))


def test_asks_for_a_user_turn_that_ends_with_its_line_and_says_nothing_but_the_topic() -> None:
    _, (batch,) = attempt(make_domain(magpie={"target": 3, "batch": 3, "attempts_per_target": 1}), saying(fresh))
    for request in batch:
        assert request.user_turn
        assert request.messages == ()
        assert request.stop == ("\n",)
        assert request.sampling == (("temperature", 1.0), ("top_p", 1.0))
    assert len({request.system for request in batch}) == 3
    assert len({request.sample for request in batch}) == 3


def test_without_its_section_nothing_is_asked() -> None:
    assert attempt(make_domain(), saying(fresh))[1] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write a short poem about these ingredients:", ["instruction_unfinished"]),
        ("请用下面这些材料写一首短诗：", ["instruction_unfinished"]),
        (SEEDS["en"][0], ["near_duplicate_rouge_l"]),
        ("How long is it? " * 4, ["repeated_in_a_row"]),
        ("How long is it? " * 4 + ":", ["repeated_in_a_row", "instruction_unfinished"]),
        ("Show me a picture of a healthy fern.", ["banned_word"]),
        ("Hello there!", ["instruction_too_short", "asks_nothing"]),
        (FRESH[0], []),
    ],
)
def test_what_is_no_instruction_is_rejected_by_name(text: str, expected: list[str]) -> None:
    outcome, _ = attempt(make_domain(magpie={"target": 1, "batch": 1, "attempts_per_target": 1}), saying(text))
    assert rules(outcome) == expected
    assert len(outcome.kept) == (not expected)


def test_a_turn_cut_by_the_token_limit_is_rejected_with_its_text() -> None:
    outcome, _ = attempt(
        make_domain(magpie={"target": 1, "batch": 1, "attempts_per_target": 1}), lambda request: reply(request, FRESH[0], stop_reason="max_tokens")
    )
    assert [(r.rule, r.row["text"]) for r in outcome.rejected] == [("max_tokens", FRESH[0])]


def test_target_surplus_and_limit() -> None:
    outcome, batches = attempt(make_domain(magpie={"target": 2, "batch": 3}), saying(fresh))
    assert ([row["instruction"] for row in outcome.kept], [row["instruction"] for row in outcome.surplus]) == (FRESH[:2], FRESH[2:3])
    outcome, batches = attempt(make_domain(magpie={"target": 2, "batch": 3}), saying("Hello there!"))
    assert [len(batch) for batch in batches] == [3, 3, 2]


def test_shares_its_pool_with_self_instruct_so_that_neither_repeats_the_other() -> None:
    domain = make_domain(self_instruct={"style": "inline", "target": 2, "batch": 2}, magpie={"target": 2, "batch": 2, "attempts_per_target": 1})
    pool, outcome = InstructionPool("en", seed_rows()), Outcome()
    drive(self_instruct.plan(domain, pool, LARGE, outcome), saying(fresh))
    drive(magpie.plan(domain, pool, LARGE, outcome), saying(fresh))
    outcome.check_balance("generated_instructions", "home")
    assert [row["instruction"] for row in outcome.kept] == FRESH[:2]
    assert rules(outcome) == ["near_duplicate_rouge_l"] * 2
