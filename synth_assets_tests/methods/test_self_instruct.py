"""Self-Instruct: what is asked, what grows, when it ends, and what is rejected under which name."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings

from synth_assets.accounts import Outcome
from synth_assets.config import Domain
from synth_assets.methods import self_instruct
from synth_assets.methods.candidates import split_input
from synth_assets.methods.instruction_pool import InstructionPool, topic_for
from synth_assets.teacher.messages import Plan, Profile, Reply, Request
from synth_assets_tests.methods.driving import LARGE, SEEDS, SMALL, Answer, make_domain, mixtures, picking, reply, rules, run, saying, seed_rows

FRESH = [
    "Explain how steam changes the crust of a loaf.",
    "Name two insects that live on rubber trees.",
    "Which spanner fits most pedal axles?",
    "Tell a beginner when orchids want water.",
    "Give one reason for folding wet dough.",
    "List the tools needed to true a spoke.",
    "Could moss survive beside a radiator?",
    "Estimate how long oat bran stays fresh.",
]


def fresh(request: Request) -> str:
    return FRESH[request.sample % len(FRESH)]


def attempt(domain: Domain, answer: Answer, profile: Profile = LARGE) -> tuple[Outcome, list[list[Request]]]:
    def make(outcome: Outcome) -> Plan:
        return self_instruct.plan(domain, InstructionPool(domain.language, seed_rows(domain.language)), profile, outcome)

    return run(make, answer)


def shown(request: Request) -> list[str]:
    return [message.content for message in request.messages if message.role == "assistant"]


@settings(max_examples=30, deadline=None)
@given(mixtures)
def test_every_mixture_of_replies_is_accounted_for_and_gives_the_same_rows_again(replies: list[dict[str, Any]]) -> None:
    for language, style in (("en", "inline"), ("zh", "inline"), ("en", "classified"), ("zh", "classified")):
        domain = make_domain(language, self_instruct={"style": style, "target": 3, "batch": 4, "instances": 3})
        assert attempt(domain, picking(replies)) == attempt(domain, picking(replies))


def test_without_its_section_nothing_is_asked() -> None:
    outcome, batches = attempt(make_domain(), saying(fresh))
    assert (batches, outcome.planned) == ([], 0)


def test_shows_the_papers_six_and_two_and_only_people_while_the_pool_is_empty() -> None:
    _, (first, second) = attempt(make_domain(self_instruct={"style": "inline", "target": 8, "batch": 4}), saying(fresh))
    for request in first:
        assert len(shown(request)) == 8
        assert set(shown(request)) <= set(SEEDS["en"])
    for request in second:
        machine = [text for text in shown(request) if text in FRESH[:4]]
        assert (len(machine), len(shown(request))) == (2, 8)


def test_examples_are_shuffled_and_named_in_the_row_in_the_order_shown() -> None:
    outcome, batches = attempt(make_domain(self_instruct={"style": "inline", "target": 8, "batch": 4}), saying(fresh))
    known = {row["id"]: row["instruction"] for row in (*seed_rows(), *outcome.kept)}
    assert [[known[i] for i in row["parent_ids"]] for row in outcome.kept] == [shown(r) for batch in batches for r in batch]
    places = {[text in FRESH for text in shown(request)].index(True) for request in batches[1]}
    assert len(places) > 1


@pytest.mark.parametrize(("humans", "machines", "expected"), [(6, 2, (2, 1)), (3, 0, (3, 0)), (2, 1, (2, 1)), (1, 1, (1, 1)), (20, 20, (2, 1))])
def test_a_small_teacher_is_shown_three_examples_at_most(humans: int, machines: int, expected: tuple[int, int]) -> None:
    domain = make_domain(self_instruct={"style": "inline", "target": 8, "batch": 4, "human_examples": humans, "machine_examples": machines})
    _, (first, second) = attempt(domain, saying(fresh), SMALL)
    assert {len(shown(request)) for request in first} == {sum(expected)}
    for request in second:
        machine = sum(text in FRESH for text in shown(request))
        assert (len(shown(request)) - machine, machine) == expected
        assert ("repeat_penalty", 1.1) in request.sampling


def test_what_comes_after_the_target_is_surplus_if_it_is_good_and_rejected_if_it_is_not() -> None:
    def answer(request: Request) -> Reply:
        return reply(request, "Draw a leaf with all of its veins." if request.sample == 5 else fresh(request))

    outcome, batches = attempt(make_domain(self_instruct={"style": "inline", "target": 4, "batch": 8}), answer)
    assert [row["instruction"] for row in outcome.kept] == FRESH[:4]
    assert [row["instruction"] for row in outcome.surplus] == [FRESH[4], *FRESH[6:]]
    assert rules(outcome) == ["banned_word"]
    assert len(batches) == 1


def test_the_attempt_limit_ends_a_teacher_that_never_succeeds() -> None:
    outcome, batches = attempt(make_domain(self_instruct={"style": "inline", "target": 3, "batch": 4, "attempts_per_target": 2.4}), saying("No."))
    assert [len(batch) for batch in batches] == [4, 4]
    assert outcome.planned == len(outcome.rejected_ids) == 8
    assert not outcome.kept


def test_a_near_duplicate_is_rejected_with_its_score_and_the_row_it_repeats() -> None:
    near = "Explain why basil droops in a very cold room."
    outcome, _ = attempt(make_domain(self_instruct={"style": "inline", "target": 1, "batch": 1, "attempts_per_target": 1}), saying(near))
    (rejection,) = outcome.rejected
    assert rejection.rule == "near_duplicate_rouge_l"
    assert rejection.score == pytest.approx(2 * 8 / 17)
    assert rejection.evidence == f"seed-0: {SEEDS['en'][0]}"
    assert rejection.row["instruction"] == near


def test_a_duplicate_within_a_batch_is_rejected_in_favour_of_the_earlier_request() -> None:
    outcome, _ = attempt(make_domain(self_instruct={"style": "inline", "target": 2, "batch": 2, "attempts_per_target": 1}), saying(FRESH[0]))
    assert [row["instruction"] for row in outcome.kept] == FRESH[:1]
    assert outcome.rejected[0].evidence.startswith(outcome.kept[0]["id"])


def test_a_candidate_that_breaks_several_rules_has_several_rejections_and_counts_once() -> None:
    outcome, _ = attempt(make_domain(self_instruct={"style": "inline", "target": 1, "batch": 1, "attempts_per_target": 1}), saying("* Draw it"))
    assert sorted(rules(outcome)) == ["banned_word", "instruction_too_short", "leading_punctuation"]
    assert len(outcome.rejected_ids) == outcome.planned == 1


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"stop_reason": "max_tokens"}, "max_tokens"),
        ({"stop_reason": "refusal"}, "refusal"),
        ({"stop_reason": "pause_turn"}, "pause_turn"),
        ({"stop_reason": "failed", "failure": "bad_request", "evidence": "prompt is too long"}, "bad_request"),
        ({"text": " \n"}, "empty"),
        ({"text": "Task: \n"}, "empty"),
        ({"text": f"{FRESH[0]}\nInput: the loaf:"}, "input_unfinished"),
        ({"text": FRESH[0]}, None),
    ],
)
def test_each_unusable_reply_is_rejected_under_its_own_name_with_its_text(changes: dict[str, Any], rule: str | None) -> None:
    domain = make_domain(self_instruct={"style": "inline", "target": 1, "batch": 1, "attempts_per_target": 1})
    text = changes.get("text", FRESH[0])
    outcome, _ = attempt(domain, lambda request: reply(request, **{"text": text, **changes}))
    assert rules(outcome) == ([rule] if rule else [])
    for rejection in outcome.rejected:
        assert changes.get("evidence", "") in rejection.evidence
        if "stop_reason" in changes:
            assert rejection.row["text"] == text


def test_an_empty_instruction_is_rejected_even_where_no_length_is_asked_for() -> None:
    outcome, _ = attempt(
        make_domain(self_instruct={"style": "inline", "target": 1, "batch": 1, "attempts_per_target": 1, "min_words": 0}), saying("Input: only this")
    )
    assert rules(outcome) == ["empty"]


def test_topics_take_turns_so_that_none_is_more_than_one_ahead() -> None:
    domain = make_domain()
    topics = [topic_for(domain, "self_instruct", i) for i in range(30)]
    for asked in range(1, 31):
        counts = Counter(dict.fromkeys(domain.topic_names, 0))
        counts.update(topics[:asked])
        assert max(counts.values()) - min(counts.values()) <= 1
    assert len({tuple(topics[i : i + 3]) for i in range(0, 30, 3)}) > 1


@pytest.mark.parametrize(("language", "words"), [("en", "house plants"), ("zh", "室内植物的养护")])
def test_prompts_name_the_topic_in_the_language_of_the_domain(language: str, words: str) -> None:
    domain = make_domain(language, self_instruct={"style": "inline", "target": 3, "batch": 3, "attempts_per_target": 1})
    _, (batch,) = attempt(domain, saying("x"))
    assert sum(words in request.messages[-1].content for request in batch) == 1
    assert not any("house-plants" in message.content for request in batch for message in request.messages)


@pytest.mark.parametrize(
    ("text", "language", "instruction", "material"),
    [
        ("Sort the list.\nInput: a, b", "en", "Sort the list.", "a, b"),
        ("Sort the list.", "en", "Sort the list.", ""),
        ("Task: Sort the list.\nInput:\n a\n b", "en", "Sort the list.", "a\n b"),
        ("Sort the list.\nInput: Input: b", "en", "Sort the list.", "Input: b"),
        ("What is NASA?", "en", "What is NASA?", ""),
        ("把清单排好。\n输入：甲、乙", "zh", "把清单排好。", "甲、乙"),
        ("把清单排好。\n输入: 甲、乙", "zh", "把清单排好。", "甲、乙"),
        ("任务：把清单排好。", "zh", "把清单排好。", ""),
    ],
)
def test_instruction_and_input_are_told_apart(text: str, language: str, instruction: str, material: str) -> None:
    assert split_input(text, language) == (instruction, material)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_example_with_an_input_is_shown_as_the_reply_should_look(language: str) -> None:
    rows = [{**row, "input": "a, b"} for row in seed_rows(language)]
    domain = make_domain(language, self_instruct={"style": "inline", "target": 1, "batch": 1, "attempts_per_target": 1})
    _, ((request,),) = run(lambda outcome: self_instruct.plan(domain, InstructionPool(language, rows), LARGE, outcome), saying("x"))
    assert {split_input(text, language) for text in shown(request)} == {(row["instruction"], "a, b") for row in rows}
