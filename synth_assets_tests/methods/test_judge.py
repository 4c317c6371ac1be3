"""The teacher as a judge: what it is shown, how strictly it is read, and what both orders of a pair make of it."""

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_assets.accounts import Outcome
from synth_assets.errors import StageFailed
from synth_assets.methods.judge import ASPECTS, TEMPLATES, Judge, read_ratings
from synth_assets.methods.scoring import Calibrated, score_pairs
from synth_assets.prompts import load
from synth_assets.teacher.messages import Plan, Request, Result
from synth_assets_tests.methods.driving import LARGE, Answer, key_of, reply, run, saying

EN = ("Instruction following", "Truthfulness", "Honesty", "Helpfulness")
ZH = ("遵循指令", "真实性", "诚实性", "有用性")


def lines(*values: object, names: tuple[str, ...] = EN, answer: str = "", colon: str = ": ") -> str:
    return "\n".join(f"{answer}{name}{colon}{value}" for name, value in zip(names, values, strict=True))


def result(plan: Plan[Result], answer: Answer) -> tuple[Result, list[Request]]:
    """What `plan` returns, and what it asked."""
    asked: list[Request] = []
    try:
        batch = next(plan)
        while True:
            asked += batch
            batch = plan.send([answer(request) for request in batch])
    except StopIteration as end:
        return end.value, asked


@pytest.mark.parametrize(
    "text",
    [
        lines(1, 2, 3, 4),
        f"Reason: Honesty: it claims 10 of 5 things.\n\n{lines(1, 2, 3, 4)}\n",
        lines(1, 2, 3, 4).replace("Truthfulness:", "- **Truthfulness:**").replace("3", "`3`").upper(),
        lines(4, 3, 2, 1, names=EN[::-1]),
        lines("1 ", " 2", "3\t", "**4**"),
    ],
)
def test_ratings_are_read_whatever_the_decoration_and_order(text: str) -> None:
    assert read_ratings(text, "en") == dict(zip(ASPECTS, (1, 2, 3, 4), strict=True))


@pytest.mark.parametrize("value", ["10", "1 0", "0", "6", "-1", "4.5", "4/5", "4 of 5", "4 (good)", "3 or 4", "5!", "１", "IV", "five", "", "N/A", "4,", "②"])
def test_anything_but_one_digit_from_1_to_5_is_no_rating(value: str) -> None:
    assert read_ratings(lines(3, 3, value, 3), "en") is None
    assert read_ratings(lines(3, 3, value, 3, names=ZH), "zh") is None


def test_an_aspect_that_stands_twice_is_no_rating() -> None:
    assert read_ratings(f"{lines(3, 3, 3, 3)}\nHonesty: 2", "en") is None


@given(st.text(max_size=12))
def test_a_rating_is_never_guessed(value: str) -> None:
    found = read_ratings(lines(3, " ".join(value.splitlines()), 3, 3), "en")
    assert found is None or re.fullmatch(r"[\s*_`]*[1-5][\s*_`]*", value)


@pytest.mark.parametrize(
    "text", [lines(3, 3, 3, 3).rsplit("\n", 1)[0], "", "Great answer! 5 5 5 5", lines(3, 3, 3, 3, names=ZH), lines(3, 3, 3, 3, answer="A ")]
)
def test_a_judgement_without_every_aspect_is_none(text: str) -> None:
    assert read_ratings(text, "en") is None


def test_chinese_judgements_are_read_with_their_own_names_and_colons() -> None:
    text = f"理由：回答很好，真实性没有问题。\n{lines(5, 4, 3, 2, names=ZH, colon='：')}"
    assert read_ratings(text, "zh") == dict(zip(ASPECTS, (5, 4, 3, 2), strict=True))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_examples_in_the_templates_are_judgements_that_can_be_read(language: str) -> None:
    for turn in load("judge", language).examples:
        assert read_ratings(turn.assistant, language)
    for turn in load("judge_pair", language).examples:
        assert read_ratings(turn.assistant, language, "A") and read_ratings(turn.assistant, language, "B")


def test_a_score_is_the_mean_of_the_aspects_with_its_call() -> None:
    texts = {"fine": lines(5, 4, 5, 4), "poor": lines(1, 2, 1, 1)}

    def answer(request: Request) -> Any:
        return reply(request, next(text for word, text in texts.items() if f"<answer>\n{word}" in request.messages[-1].content))

    scores, asked = result(Judge(LARGE, "en").score(["Why?", "Why?"], ["fine", "poor"]), answer)
    assert [score.raw for score in scores] == [4.5, 1.25]
    assert dict(scores[0].aspects) == dict(zip(ASPECTS, (5, 4, 5, 4), strict=True))
    assert [score.calls for score in scores] == [(key_of(request),) for request in asked]
    assert all("Why?" in request.messages[-1].content for request in asked)
    assert result(Judge(LARGE, "en").score([], []), answer) == ([], [])


def test_what_cannot_be_read_rejects_its_answer_and_keeps_what_was_said() -> None:
    scores, _ = result(Judge(LARGE, "en").score(["Why?"], ["fine"]), saying(lines(10, 5, 5, 5)))
    assert (scores[0].raw, scores[0].rule) == (None, "judge_unreadable") and "Helpfulness: 5" in scores[0].evidence
    scores, _ = result(Judge(LARGE, "en").score(["Why?"], ["fine"]), lambda request: reply(request, lines(5, 5, 5, 5), stop_reason="refusal"))
    assert (scores[0].raw, scores[0].rule) == (None, "judge_refusal")


def test_a_judge_that_keeps_to_no_form_stops_its_stage() -> None:
    with pytest.raises(StageFailed, match=r"teacher: 6 of 6 judgements cannot be read; the first says 'Nice!'.*gates\.reward\.by"):
        result(Judge(LARGE, "en").score(["Why?"] * 6, [f"answer {n}" for n in range(6)]), saying("Nice!"))
    assert result(Judge(LARGE, "en", 1.0).score(["Why?"] * 6, ["answer"] * 6), saying("Nice!"))[0][5].rule == "judge_unreadable"


def pair(judge: Callable[[str], int]) -> Answer:
    """A judge of pairs that rates each answer by `judge(place and text)`."""

    def answer(request: Request) -> Any:
        asked = request.messages[-1].content
        shown = [re.search(rf"<answer_{letter}>\n(.*)\n</answer_{letter}>", asked) for letter in "ab"]
        return reply(
            request, "\n".join(lines(*[judge(f"{letter} {text[1]}")] * 4, answer=f"{letter} ") for letter, text in zip("AB", shown, strict=True) if text)
        )

    return answer


def test_a_pair_is_asked_about_in_both_orders_and_scored_by_the_mean() -> None:
    # Likes the good one, and whatever comes first a little.
    comparisons, asked = result(Judge(LARGE, "en").compare(["Why?"], ["good"], ["bad"]), pair(lambda shown: 3 * ("good" in shown) + 1 + shown.startswith("A")))
    (found,) = comparisons
    assert len(asked) == 2 and asked[0] != asked[1]
    assert (found.first.raw, found.second.raw, found.agrees) == (4.5, 1.5, True)
    assert found.first.calls == found.second.calls == tuple(key_of(request) for request in asked)


@pytest.mark.parametrize(
    ("judge", "agrees", "margin"),
    [
        (lambda shown: 4 if shown.startswith("A") else 2, False, 0.0),
        (lambda shown: 3, True, 0.0),
        (lambda shown: {"A good": 5, "B bad": 1, "A bad": 3, "B good": 3}[shown], False, 2.0),
    ],
)
def test_orders_that_disagree_are_told(judge: Callable[[str], int], agrees: bool, margin: float) -> None:
    ((found,), _) = result(Judge(LARGE, "en").compare(["Why?"], ["good"], ["bad"]), pair(judge))
    assert found.agrees is agrees
    assert found.first.raw is not None and found.second.raw is not None and found.first.raw - found.second.raw == margin


def test_a_pair_keeps_ratings_and_whether_the_orders_agree() -> None:
    def plan(outcome: Outcome) -> Plan:
        outcome.planned = 1
        outcome.kept = [{"id": "1", "prompt": "Why?", "chosen": "good", "rejected": "bad"}]
        return score_pairs(Calibrated(Judge(LARGE, "en"), np.array([2.0, 3.0])), 7, outcome)

    outcome, _ = run(plan, pair(lambda shown: 4 if "good" in shown else 2))
    (row,) = outcome.kept
    assert (row["chosen_score"], row["rejected_score"], row["orders_agree"], row["calibration"]) == (1.0, 0.25, True, 7)
    assert json.loads(row["ratings"]) == {"chosen": dict.fromkeys(ASPECTS, 4.0), "rejected": dict.fromkeys(ASPECTS, 2.0)}
    assert row["reward_version"] == Judge(LARGE, "en").version


def test_a_pair_with_one_unreadable_order_has_no_score() -> None:
    def plan(outcome: Outcome) -> Plan:
        outcome.planned = 1
        outcome.kept = [{"id": "1", "prompt": "Why?", "chosen": "good", "rejected": "bad"}]
        return score_pairs(Judge(LARGE, "en"), 1, outcome)

    good = pair(lambda shown: 3)
    outcome, _ = run(plan, lambda request: good(request) if "<answer_a>\ngood" in request.messages[-1].content else reply(request, "No."))
    assert [(r.rule, r.evidence) for r in outcome.rejected] == [("judge_unreadable", "No.")] and len(outcome.call_uses) == 2


def test_its_version_names_model_and_templates() -> None:
    assert Judge(LARGE, "zh").version == " ".join(("teacher", *(load(name, "zh").version for name in TEMPLATES)))
    assert Judge(LARGE, "zh").version != Judge(LARGE, "en").version
