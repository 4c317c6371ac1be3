"""Reasoning traces: the form in full, the final answer, the verdicts, and the choice among correct samples."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.methods import reasoning
from synth_assets.methods.reasoning import final_answer, split_trace
from synth_assets.prompts import load
from synth_assets.quality.verification import VERDICTS, verify_all, verify_answers
from synth_assets.teacher.messages import Message, Profile, Reply, Request
from synth_assets_tests.methods.driving import LARGE, SMALL, Answer, drive, key_of, make_domain, mixtures, picking, reply, rules, run, saying, seed_rows

REQUEST = Request((Message("user", "2 + 2"),), 10)
GOOD = "<think>two and two</think>The sum is 4.\nAnswer: 4"


def by_equality(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """A verifier for texts: a prediction that is the name of a verdict gets it."""
    return [p if p in VERDICTS else ("correct" if gold == p else "wrong") for gold, p in pairs]


def attempt(domain: Domain, answer: Answer, rows: list[Row] | None = None) -> tuple[Outcome, list[list[Request]]]:
    asked = seed_rows(domain.language, answer="4")[:2] if rows is None else rows
    return run(lambda outcome: reasoning.plan(domain, asked, LARGE, by_equality, outcome), answer)


@settings(max_examples=40, deadline=None)
@given(mixtures)
def test_every_mixture_of_replies_is_accounted_for_and_gives_the_same_rows_again(replies: list[dict[str, Any]]) -> None:
    rows = seed_rows(answer="4")[:3]
    rows.append({**rows[0], "id": "twin"})
    for language in ("en", "zh"):
        domain = make_domain(language, reasoning={"samples": 3, "keep": 1, "pass_rate": [0.1, 0.9]})
        assert attempt(domain, picking(replies), rows) == attempt(domain, picking(replies), rows)


def test_without_its_section_nothing_is_asked() -> None:
    assert attempt(make_domain(), saying(GOOD))[1] == []


def test_asks_for_the_papers_four_samples_each_a_request_of_its_own() -> None:
    outcome, (batch,) = attempt(make_domain(reasoning={}), saying(GOOD))
    assert [request.sample for request in batch] == [0, 1, 2, 3] * 2
    assert len({key_of(request) for request in batch}) == 8
    assert {(request.sampling, request.max_tokens) for request in batch} == {((("temperature", 0.6), ("top_p", 0.95)), 16_000)}
    assert outcome.planned == 8


@pytest.mark.parametrize(
    ("text", "thinking", "expected"),
    [
        (GOOD, "", ("two and two", "The sum is 4.\nAnswer: 4")),
        ("\n <think>\na\n\nb\n</think>\n\nc\n", "", ("a\n\nb", "c")),
        ("c", "a block of its own", ("a block of its own", "c")),
        ("<think>a</think>c", "a block of its own", ("a", "c")),
        ("<think>a < b > c</think>c", "", ("a < b > c", "c")),
        ("c", "", None),
        ("c", " \n", None),
        ("", "a block of its own", None),
        ("<think>a", "", None),
        ("<think>a c", "a block of its own", None),
        ("a</think>c", "", None),
        ("a</think>c", "a block of its own", None),
        ("Sure. <think>a</think>c", "", None),
        ("<think></think>c", "", None),
        ("<think> \n</think>c", "", None),
        ("<think></think>c", "a block of its own", None),
        ("<think>a</think>", "", None),
        ("<think>a</think> \n", "", None),
        ("<think>a</think><think>b</think>c", "", None),
        ("<think>a</think>c<think>b</think>", "", None),
        ("<think>a<think>b</think></think>c", "", None),
        ("<think>a</think></think>c", "", None),
        ("<think><think>a</think>c", "", None),
        ("</think>a<think>c", "", None),
        ("<THINK>a</THINK>c", "", None),
        ("<thinking>a</thinking>c", "", None),
    ],
)
def test_the_form_is_matched_in_full(text: str, thinking: str, expected: tuple[str, str] | None) -> None:
    assert split_trace(reply(REQUEST, text, thinking=thinking)) == expected


@pytest.mark.parametrize(
    ("response", "language", "expected"),
    [
        ("It is 4.\nAnswer: 4", "en", "4"),
        ("Answer: 4.", "en", "4"),
        ("**Answer:** 4", "en", "4"),
        ("**Answer: 4**", "en", "4"),
        ("Answer: **4**.", "en", "4"),
        ("answer : 4", "en", "4"),
        ("Nonanswer: 5\nAnswer: 4\nnonanswer: 3", "en", "4"),
        ("Final Answer: 4", "en", "4"),
        ("Answer:\n\n4\nThat is all.", "en", "4"),
        ("Answer: 3\nNo.\nAnswer: 4", "en", "4"),
        ("Answer: .5", "en", ".5"),
        ("Answer: -4", "en", "-4"),
        ("Answer: $\\frac{1}{2}$", "en", "$\\frac{1}{2}$"),
        ("The answer is 4.", "en", "The answer is 4"),
        ("4", "en", "4"),
        ("4\nAnswer:", "en", "4\nAnswer:"),
        ("Answer: **", "en", "Answer:"),
        ("一共40棵。\n答案：40", "zh", "40"),
        ("答案: 40。", "zh", "40"),
        ("**答案：**40棵", "zh", "40棵"),
        ("最终答案：40", "zh", "40"),
        ("40", "zh", "40"),
    ],
)
def test_the_final_answer_follows_its_last_label(response: str, language: str, expected: str) -> None:
    assert final_answer(response, language) == expected


def test_a_malformed_trace_is_rejected_with_its_whole_text_and_what_is_wrong_with_it() -> None:
    outcome, _ = attempt(make_domain(reasoning={"samples": 1}), saying("Sure. <think>a</think>Answer: 4"))
    assert rules(outcome) == ["think_malformed"] * 2
    assert {(r.evidence, r.row["text"]) for r in outcome.rejected} == {("text before <think>", "Sure. <think>a</think>Answer: 4")}
    outcome, _ = attempt(make_domain(reasoning={"samples": 1}), saying("Answer: 4"))
    assert {r.evidence for r in outcome.rejected} == {"no thinking"}


@pytest.mark.parametrize("verdict", [v for v in VERDICTS if v != "correct"])
def test_every_verdict_but_correct_rejects_under_its_own_name_with_the_trace(verdict: str) -> None:
    outcome, _ = attempt(make_domain(reasoning={"samples": 1}), saying(f"<think>a</think>Answer: {verdict}"))
    assert rules(outcome) == [f"answer_{verdict}"] * 2
    for rejection in outcome.rejected:
        assert rejection.evidence == f"{verdict} for 4"
        assert (rejection.row["thinking"], rejection.row["verdict"], rejection.row["pass_rate"]) == ("a", verdict, 0)


def test_only_a_real_disagreement_is_wrong() -> None:
    texts = ["Answer: 4", "Answer: 5", "Answer: a fern", "Answer: 8/2"]
    domain = make_domain(reasoning={"samples": 4, "keep": 4})
    row = seed_rows(answer="4")[:1]
    outcome, _ = run(
        lambda o: reasoning.plan(domain, row, LARGE, verify_answers, o), lambda request: reply(request, f"<think>a</think>{texts[request.sample]}")
    )
    assert [r["sample"] for r in outcome.kept] == [0, 3]
    assert rules(outcome) == ["answer_wrong", "answer_unparsable_prediction"]


@pytest.mark.parametrize(
    ("correct", "keep", "band", "kept", "surplus", "rejected"),
    [
        (4, 1, None, 1, 3, []),
        (4, 4, None, 4, 0, []),
        (2, 1, None, 1, 1, ["answer_wrong"] * 2),
        (0, 1, None, 0, 0, ["answer_wrong"] * 4),
        (4, 1, [0.1, 0.9], 0, 0, ["pass_rate"] * 4),
        (3, 1, [0.1, 0.9], 1, 2, ["answer_wrong"]),
        (1, 1, [0.25, 0.9], 1, 0, ["answer_wrong"] * 3),
        (1, 1, [0.3, 0.9], 0, 0, ["pass_rate", *["answer_wrong"] * 3]),
        (4, 4, [0.1, 1.0], 4, 0, []),
    ],
)
def test_correct_samples_are_kept_up_to_keep_and_within_the_band(
    correct: int, keep: int, band: list[float] | None, kept: int, surplus: int, rejected: list[str]
) -> None:
    domain = make_domain(reasoning={"samples": 4, "keep": keep, "pass_rate": band})
    outcome, _ = attempt(domain, lambda request: reply(request, f"<think>a</think>Answer: {4 if request.sample < correct else 5}"), seed_rows(answer="4")[:1])
    assert (len(outcome.kept), len(outcome.surplus), rules(outcome)) == (kept, surplus, rejected)
    assert [row["sample"] for row in outcome.kept] == list(range(kept))
    assert {row["pass_rate"] for row in (*outcome.kept, *outcome.surplus)} <= {correct / 4}
    for rejection in outcome.rejected:
        assert rejection.score == (correct / 4 if rejection.rule == "pass_rate" else None)


def test_a_cut_sample_counts_against_the_pass_rate() -> None:
    def answer(request: Request) -> Any:
        return reply(request, GOOD, stop_reason="max_tokens" if request.sample else "end_turn")

    outcome, _ = attempt(make_domain(reasoning={"samples": 4}), answer)
    assert [row["pass_rate"] for row in outcome.kept] == [0.25, 0.25]
    assert rules(outcome) == ["max_tokens"] * 6


def test_a_chinese_trace_is_verified_by_its_own_label() -> None:
    outcome, _ = attempt(make_domain("zh", reasoning={"samples": 1}), saying("<think>二加二</think>和是4。\n答案：4"))
    assert len(outcome.kept) == 2


def test_a_teacher_with_thinking_blocks_is_let_think_and_is_not_asked_for_the_form() -> None:
    domain, outcome = make_domain(reasoning={"samples": 1}), Outcome()
    profile = Profile("teacher", thinks=True)
    batches = drive(
        reasoning.plan(domain, seed_rows(answer="4")[:2], profile, by_equality, outcome), lambda r: reply(r, "It is 4.\nAnswer: 4", thinking="two and two")
    )
    assert all(request.thinks and "<think>" not in request.system for request in batches[0])
    assert [(row["thinking"], row["response"]) for row in outcome.kept] == [("two and two", "It is 4.\nAnswer: 4")] * 2
    assert {row["prompt_version"] for row in outcome.kept} == {load("reasoning_answer").version}
    outcome = Outcome()
    drive(reasoning.plan(domain, seed_rows(answer="4")[:2], profile, by_equality, outcome), saying("It is 4.\nAnswer: 4"))
    assert [(r.rule, r.evidence) for r in outcome.rejected] == [("think_malformed", "no thinking")] * 2


def test_tests_are_run_only_where_the_domain_says_so_and_are_asked_for_as_code() -> None:
    row = seed_rows(answer="assert double(2) == 4")[0]
    off, on = make_domain(reasoning={"samples": 2}), make_domain(reasoning={"samples": 2, "run_code": True})
    assert (reasoning.traced(off, row), reasoning.traced(on, row), reasoning.traced(off, {**row, "answer": "4"})) == (False, True, True)
    texts = ["def double(n):\n    return n + n", "def double(n):\n    return n"]

    def answer(request: Request) -> Reply:
        assert "Python" in request.system and "Answer:" not in request.system
        return reply(request, f"<think>n twice</think>\n```python\n{texts[request.sample]}\n```")

    outcome, _ = run(lambda o: reasoning.plan(on, [row], LARGE, verify_all, o), answer)
    assert ([r["sample"] for r in outcome.kept], rules(outcome)) == ([0], ["answer_wrong"])
    assert outcome.kept[0]["pass_rate"] == 0.5 and outcome.kept[0]["prompt_version"] == load("reasoning_code").version


@pytest.mark.parametrize("echo", [False, True])
def test_a_small_teacher_is_asked_in_two_steps_and_both_calls_are_kept(echo: bool) -> None:
    def answer(request: Request) -> Reply:
        begun = request.messages[-1]
        assert begun.role == "assistant"
        repeated = begun.content if echo else ""
        if request.stop:
            assert (begun.content, request.stop) == ("<think>\n", ("</think>",))
            return reply(request, f"{repeated}4 boxes of 6 are 24.\n", key="first", stop_reason="stop_sequence")
        assert begun.content == "<think>\n4 boxes of 6 are 24.\n</think>\n"
        return reply(request, f"{repeated}They hold 24.\nAnswer: 24", key="second")

    domain, outcome = make_domain(reasoning={"samples": 1}), Outcome()
    rows = [seed_rows("en")[0] | {"answer": "24"}]
    drive(reasoning.plan(domain, rows, SMALL, by_equality, outcome), answer)
    (row,) = outcome.kept
    assert (row["thinking"], row["response"], row["call_keys"]) == ("4 boxes of 6 are 24.", "They hold 24.\nAnswer: 24", ["first", "second"])
    outcome.check_balance("teacher_responses", domain.name)
