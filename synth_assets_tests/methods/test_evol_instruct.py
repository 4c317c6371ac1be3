"""Evol-Instruct: the tree it grows, what a failed evolution does to its parent, and the account of every round."""

import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain, EvolInstruct
from synth_assets.methods import distillation, evol_instruct
from synth_assets.methods.evol_instruct import BREADTH, DEPTH, OPERATIONS, operation_for
from synth_assets.prompts import load
from synth_assets.teacher.messages import Plan, Profile, Reply, Request
from synth_assets_tests.methods.driving import LARGE, SMALL, Answer, make_domain, mixtures, picking, reply, rules, run, seed_rows

SYSTEMS = {load(f"evolve_{operation}", language).system: operation for operation in OPERATIONS for language in ("en", "zh")}
JUDGES = {load("evolve_judge", language).system: "judge" for language in ("en", "zh")}


def kind(request: Request) -> str:
    """rewrite, judge or answer."""
    return "rewrite" if request.system in SYSTEMS else JUDGES.get(request.system, "answer")


def asked_for(request: Request) -> str:
    """The instruction that a rewrite starts from."""
    return re.sub("^(?:Task: |任务：)", "", request.messages[-1].content.split("\nInput: ")[0])


def rewritten(request: Request) -> str:
    """An evolution that is told from every other."""
    return f"{asked_for(request)} And {SYSTEMS[request.system].replace('_', ' ')} it, version {request.sample}."


def teacher(**replies: dict[str, Any]) -> Answer:
    """A teacher whose evolutions all stand, apart from what `replies` say for rewrite, judge or answer."""

    def answer(request: Request) -> Reply:
        good = {"rewrite": rewritten(request) if request.system in SYSTEMS else "", "judge": "Not equal", "answer": "Put it in the shade."}
        return reply(request, **{"text": good[kind(request)], **replies.get(kind(request), {})})

    return answer


def attempt(domain: Domain, answer: Answer, roots: list[Row] | None = None, profile: Profile = LARGE) -> tuple[Outcome, list[list[Request]]]:
    rows = seed_rows(domain.language) if roots is None else roots
    return run(lambda outcome: evol_instruct.plan(domain, rows, profile, outcome), answer)


def evolutions(outcome: Outcome) -> list[Row]:
    return [row for row in outcome.kept if row["round"]]


@settings(max_examples=40, deadline=None)
@given(mixtures)
def test_every_mixture_of_replies_is_accounted_for_and_gives_the_same_rows_again(replies: list[dict[str, Any]]) -> None:
    twins = [{**row, "id": f"twin-{i}", "instruction": "Sort the list.", "input": f"{i}, 3, 1"} for i, row in enumerate(seed_rows()[:3])]
    for language in ("en", "zh"):
        domain = make_domain(language, evol_instruct={"rounds": 2, "judge": language == "en"})
        roots = [*seed_rows(language)[:3], *twins]
        assert attempt(domain, picking(replies), roots) == attempt(domain, picking(replies), roots)


def test_roots_that_read_alike_and_fail_alike_are_counted_each() -> None:
    twins = [{**row, "instruction": "Sort the list.", "input": row["id"]} for row in seed_rows()]
    outcome, _ = attempt(make_domain(evol_instruct={"rounds": 1}), teacher(rewrite={"stop_reason": "refusal"}), twins)
    assert rules(outcome) == ["refusal"] * len(twins)


@pytest.mark.parametrize("section", [{}, {"evol_instruct": {"rounds": 1, "roots": 1}}])
def test_the_pool_holds_every_root_as_round_0(section: dict[str, Any]) -> None:
    roots = seed_rows(answer="2")
    outcome, _ = attempt(make_domain(**section), teacher(), roots)
    zero = [row for row in outcome.kept if row["round"] == 0]
    assert [row["parent_id"] for row in zero] == [row["id"] for row in roots]
    for row, root in zip(zero, roots, strict=True):
        assert (row["root_id"], row["operation"], row["method"], row["model"]) == (row["id"], "none", "seed", "human")
        assert (row["answer"], row["instruction"], row["topic"]) == ("2", root["instruction"], root["topic"])
    assert bool(evolutions(outcome)) is bool(section)


def test_every_evolution_names_its_parent_root_round_and_operation() -> None:
    roots = [{**row, "input": "a jar"} for row in seed_rows(answer="2")]
    outcome, batches = attempt(make_domain(evol_instruct={"rounds": 3, "breadth_share": 0.5}), teacher(), roots)
    by_id = {row["id"]: row for row in outcome.kept}
    assert len(by_id) == 4 * len(roots)
    for row in evolutions(outcome):
        parent = by_id[row["parent_id"]]
        assert row["round"] == parent["round"] + 1
        assert row["root_id"] == parent["root_id"]
        assert row["topic"] == parent["topic"]
        assert row["operation"] in OPERATIONS
        assert row["prompt_version"] == load(f"evolve_{row['operation']}").version
        assert row["answer"] is None
        assert row["input"] == ("" if row["operation"] == BREADTH else parent["input"])
        assert len(row["call_keys"]) == 3
    assert Counter(kind(request) for batch in batches for request in batch) == {"rewrite": 24, "judge": 24, "answer": 24}


@pytest.mark.parametrize(
    ("replies", "rule"),
    [
        ({"rewrite": {"stop_reason": "max_tokens"}}, "max_tokens"),
        ({"rewrite": {"failure": "teacher_error"}}, "teacher_error"),
        ({"rewrite": {"text": "Task: "}}, "empty"),
        ({"rewrite": {"text": "Here is the rewritten prompt."}}, "scaffold_leak"),
        ({"judge": {"text": "Equal"}}, "no_information_gain"),
        ({"judge": {"text": "They seem"}}, "judge_unparsable"),
        ({"judge": {"text": "", "failure": "bad_request"}}, "judge_unparsable"),
        ({"answer": {"text": "I am sorry."}}, "sorry_answer"),
        ({"answer": {"text": "It is."}}, "empty_answer"),
        ({"answer": {"failure": "teacher_error"}}, "teacher_error"),
    ],
)
def test_a_failed_evolution_is_kept_with_its_rule_and_its_parent_goes_into_the_next_round(replies: dict[str, dict[str, Any]], rule: str) -> None:
    roots = seed_rows()
    outcome, batches = attempt(make_domain(evol_instruct={"rounds": 2}), teacher(**replies), roots)
    assert rules(outcome) == [rule] * 2 * len(roots)
    assert not evolutions(outcome)
    rounds = [batch for batch in batches if batch and kind(batch[0]) == "rewrite"]
    for number, batch in enumerate(rounds, start=1):
        assert [asked_for(request) for request in batch] == [row["instruction"] for row in roots]
        assert {request.sample for request in batch} == {number}
    assert {r.row["parent_id"] for r in outcome.rejected} == {row["id"] for row in outcome.kept}


def test_an_evolution_that_stands_is_evolved_further_beside_a_parent_whose_own_failed() -> None:
    roots = seed_rows()[:2]
    good = teacher()

    def answer(request: Request) -> Reply:
        failed = request.system in SYSTEMS and request.sample == 1 and asked_for(request) == roots[1]["instruction"]
        return reply(request, "", stop_reason="refusal") if failed else good(request)

    outcome, batches = attempt(make_domain(evol_instruct={"rounds": 2}), answer, roots)
    second = [batch for batch in batches if batch and kind(batch[0]) == "rewrite"][1]
    assert [asked_for(request) for request in second] == [evolutions(outcome)[0]["instruction"], roots[1]["instruction"]]
    assert rules(outcome) == ["refusal"]


def test_an_evolution_that_repeats_the_pool_or_another_of_its_round_gains_nothing() -> None:
    roots = seed_rows()
    outcome, _ = attempt(make_domain(evol_instruct={"rounds": 1}), teacher(rewrite={"text": "Explain why moss likes stone."}), roots)
    assert len(evolutions(outcome)) == 1
    assert rules(outcome) == ["no_information_gain"] * (len(roots) - 1)
    outcome, _ = attempt(make_domain(evol_instruct={"rounds": 1}), teacher(rewrite={"text": roots[0]["instruction"]}), roots)
    assert rules(outcome) == ["no_information_gain"] * len(roots)


def test_an_evolution_that_was_eliminated_is_not_taken_for_one_of_the_pool() -> None:
    same = teacher(rewrite={"text": "Explain why moss likes stone."}, answer={"text": "Sorry, no."})
    outcome, _ = attempt(make_domain(evol_instruct={"rounds": 2}), same, seed_rows()[:1])
    assert rules(outcome) == ["sorry_answer", "sorry_answer"]


def test_the_answer_that_decides_is_the_one_that_teacher_responses_asks_for() -> None:
    for profile, style in ((LARGE, "plain"), (SMALL, "plain"), (LARGE, "orca")):
        domain = make_domain(evol_instruct={"rounds": 2}, distillation={"style": style})
        outcome, batches = attempt(domain, teacher(), profile=profile)
        decided = [request for batch in batches for request in batch if kind(request) == "answer"]
        again: list[Request] = []

        def later(request: Request, again: list[Request] = again) -> Reply:
            again.append(request)
            return reply(request, "Put it in the shade.")

        def make(second: Outcome, domain: Domain = domain, first: Outcome = outcome, profile: Profile = profile) -> Plan:
            return distillation.plan(domain, evolutions(first), profile, second)

        run(make, later)
        assert [request.body() for request in again] == [request.body() for request in decided]


def test_without_the_judge_nothing_is_asked_of_it() -> None:
    outcome, batches = attempt(make_domain(evol_instruct={"rounds": 1, "judge": False}), teacher())
    assert {kind(request) for batch in batches for request in batch} == {"rewrite", "answer"}
    assert len(evolutions(outcome)) == 8


def test_a_rewriter_sees_the_input_and_an_evolution_without_one_keeps_its_parents() -> None:
    root = [{**seed_rows()[0], "instruction": "Sort the list.", "input": "rye, oats"}]
    domain = make_domain(evol_instruct={"rounds": 1, "breadth_share": 0.0})
    outcome, (rewrites, judged, answers) = attempt(domain, teacher(), root)
    assert rewrites[0].messages[-1].content == "Task: Sort the list.\nInput: rye, oats"
    assert "rye, oats" not in judged[0].messages[-1].content and answers[0].messages[-1].content.endswith("\n\nrye, oats")
    assert evolutions(outcome)[0]["input"] == "rye, oats"
    outcome, (_, judged, _) = attempt(domain, teacher(rewrite={"text": "Sort the list.\nInput: rye, oats, spelt"}), root)
    assert [(row["instruction"], row["input"]) for row in evolutions(outcome)] == [("Sort the list.", "rye, oats, spelt")]
    assert judged[0].messages[-1].content == "First: Sort the list.\nInput: rye, oats\nSecond: Sort the list.\nInput: rye, oats, spelt"
    outcome, _ = attempt(domain, teacher(rewrite={"text": "Sort the list.\nInput: Rye, oats."}), root)
    assert rules(outcome) == ["no_information_gain"]
    breadth = make_domain(evol_instruct={"rounds": 1, "breadth_share": 1.0})
    assert evolutions(attempt(breadth, teacher(), root)[0])[0]["input"] == ""


def test_only_the_chosen_roots_are_evolved_and_the_choice_is_repeated() -> None:
    chosen = []
    for _ in range(2):
        outcome, _ = attempt(make_domain(evol_instruct={"rounds": 2, "roots": 3}), teacher())
        chosen.append({row["root_id"] for row in evolutions(outcome)})
    assert len(chosen[0]) == 3
    assert chosen[0] == chosen[1]


@pytest.mark.parametrize(("share", "breadth"), [(1 / 6, 1 / 6), (0.0, 0.0), (1.0, 1.0), (0.5, 0.5)])
def test_operations_are_drawn_with_their_chances(share: float, breadth: float) -> None:
    chances = EvolInstruct(breadth_share=share)
    draws = Counter(operation_for(make_domain(), chances, {"id": f"row-{i}"}, 1) for i in range(3000))
    assert draws[BREADTH] / 3000 == pytest.approx(breadth, abs=0.03)
    for operation in DEPTH:
        assert draws[operation] / 3000 == pytest.approx((1 - breadth) / 5, abs=0.03)


def test_a_small_teacher_is_asked_with_a_repeat_penalty_and_for_brevity() -> None:
    _, batches = attempt(make_domain(evol_instruct={"rounds": 1}), teacher(), profile=SMALL)
    requests = [request for batch in batches for request in batch]
    assert all(("repeat_penalty", 1.1) in request.sampling for request in requests)
    assert {request.system for request in requests if kind(request) == "answer"} == {load("distill_small").system}


def test_a_chinese_domain_is_asked_in_chinese_throughout() -> None:
    outcome, batches = attempt(make_domain("zh", evol_instruct={"rounds": 1}), teacher(judge={"text": "不同"}, answer={"text": "放在阴凉处。"}))
    assert len(evolutions(outcome)) == 8
    for request in (request for batch in batches for request in batch if kind(request) != "answer"):
        assert re.search("[一-鿿]", request.system)
        assert not re.search("Task|First|Second", request.messages[-1].content)
