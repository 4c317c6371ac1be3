"""Best-of-n: n samples, the best against the worst, ties dropped, every sample kept with its score or its fault."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from synth_assets.accounts import Outcome
from synth_assets.config import Domain
from synth_assets.methods import best_of_n
from synth_assets.methods.scoring import Direct
from synth_assets.prompts import load
from synth_assets.quality.scores import Score
from synth_assets.teacher.messages import Message, Plan, Profile, Reply, Request
from synth_assets_tests.methods.driving import LARGE, SMALL, Answer, drive, make_domain, mixtures, picking, reply, rules, run
from synth_assets_tests.methods.test_constitutional import response_rows

TEXTS = ["Guess.", "It is warm.", "It is warm, since heat rises.", "Warm, since heat rises; feel the shelf.", "I am not sure at all about that."]


def by_length(prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
    return [float(len(text)) for text in responses]


def attempt(domain: Domain, answer: Answer, profile: Profile = LARGE, score: Callable[..., Sequence[float]] = by_length) -> tuple[Outcome, list[list[Request]]]:
    rows = response_rows(domain.language)
    return run(lambda outcome: best_of_n.plan(domain, rows, profile, Direct("v1", lambda p, r: np.asarray(score(p, r), np.float64)), outcome), answer)


def texts(request: Request) -> Reply:
    return reply(request, TEXTS[request.sample])


def samples_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    return list(json.loads(row["samples"]))


@settings(max_examples=40, deadline=None)
@given(mixtures)
def test_every_mixture_of_replies_is_accounted_for_and_gives_the_same_rows_again(replies: list[dict[str, Any]]) -> None:
    for language in ("en", "zh"):
        domain = make_domain(language, best_of_n={"pairs": 4, "samples": 3})
        assert attempt(domain, picking(replies)) == attempt(domain, picking(replies))


def test_without_its_section_nothing_is_asked() -> None:
    assert attempt(make_domain(), texts)[1] == []


def test_the_papers_five_samples_at_its_temperature_and_the_best_against_the_worst() -> None:
    outcome, (batch,) = attempt(make_domain(best_of_n={"pairs": 4}), texts)
    assert len(batch) == 4 * 5 and {request.sampling for request in batch} == {(("temperature", 0.8),)}
    assert [request.sample for request in batch] == [0, 1, 2, 3, 4] * 4
    for row, answered in zip(outcome.kept, response_rows(), strict=True):
        assert (row["chosen"], row["rejected"]) == (max(TEXTS, key=len), min(TEXTS, key=len))
        assert [sample["response"] for sample in samples_of(row)] == TEXTS
        assert [sample["score"] for sample in samples_of(row)] == [len(text) for text in TEXTS]
        assert (row["response_id"], row["prompt"], row["method"], len(row["call_keys"])) == (answered["id"], answered["prompt"], "best_of_n", 5)


def test_rejected_may_be_a_random_one_below_the_best_and_always_the_same() -> None:
    domain = make_domain(best_of_n={"pairs": 4, "rejected": "random"})
    outcome, _ = attempt(domain, texts)
    assert {row["chosen"] for row in outcome.kept} == {TEXTS[3]}
    assert TEXTS[3] not in {row["rejected"] for row in outcome.kept} and len({row["rejected"] for row in outcome.kept}) > 1
    assert outcome == attempt(domain, texts)[0]


def test_a_small_teacher_is_asked_for_brevity_here_too() -> None:
    outcome, (batch,) = attempt(make_domain(best_of_n={"pairs": 1}), texts, profile=SMALL)
    assert {request.system for request in batch} == {load("distill_small").system}
    assert outcome.kept[0]["prompt_version"] == load("distill_small").version


@pytest.mark.parametrize(
    ("answer", "score", "rule"),
    [
        (lambda r: reply(r, "All the same." if r.sample % 2 else " all the  same"), by_length, "samples_tied"),
        (texts, lambda prompts, responses: [0.5] * len(responses), "samples_tied"),
        (lambda r: reply(r, TEXTS[r.sample], stop_reason="max_tokens" if r.sample else "end_turn"), by_length, "samples_unusable"),
        (lambda r: reply(r, "", stop_reason="refusal"), by_length, "samples_unusable"),
        (lambda r: reply(r, "", failure="teacher_error"), by_length, "samples_unusable"),
    ],
)
def test_samples_that_tie_or_cannot_be_used_are_no_pair_and_are_kept_all(answer: Answer, score: Callable[..., Sequence[float]], rule: str) -> None:
    outcome, _ = attempt(make_domain(best_of_n={"pairs": 4}), answer, score=score)
    assert rules(outcome) == [rule] * 4
    assert all(len(samples_of(rejection.row)) == 5 for rejection in outcome.rejected)


def test_a_cut_sample_is_left_out_of_the_ranking_and_stays_in_the_row() -> None:
    longest = TEXTS.index(max(TEXTS, key=len))
    outcome, _ = attempt(
        make_domain(best_of_n={"pairs": 1}), lambda r: reply(r, TEXTS[r.sample], stop_reason="max_tokens" if r.sample == longest else "end_turn")
    )
    assert outcome.kept[0]["chosen"] == sorted(TEXTS, key=len)[-2]
    assert samples_of(outcome.kept[0])[longest] == {"response": TEXTS[longest], "rule": "max_tokens"}


def test_equal_samples_share_the_best_place_and_the_earlier_one_is_chosen() -> None:
    said = ["Two.", "Four words are here.", "Four words are here!", "One."]
    outcome, _ = attempt(
        make_domain(best_of_n={"pairs": 1, "samples": 4}), lambda r: reply(r, said[r.sample]), score=lambda p, rs: [len(t.split()) for t in rs]
    )
    assert (outcome.kept[0]["chosen"], outcome.kept[0]["rejected"]) == (said[1], said[0])


def test_a_judges_aspects_and_calls_stay_in_the_row_and_what_it_cannot_score_is_no_pair() -> None:
    @dataclass(frozen=True)
    class Judge(Direct):
        """Marks by length, but says nothing of texts that are not sure."""

        def score(self, prompts: Sequence[str], responses: Sequence[str]) -> Plan[list[Score]]:
            yield [Request((Message("user", f"{n}: mark this."),), 10) for n in range(len(responses))]
            return [
                Score(len(r), aspects=(("honesty", 3.0),), calls=("judge",)) if len(r) in self.readable else Score(None, rule="judge_unreadable", evidence=r)
                for r in responses
            ]

        readable: frozenset[int] = frozenset(len(text) for text in TEXTS)

    scorer = Judge("judge", lambda prompts, responses: np.zeros(0))
    rows = response_rows()[:1]
    outcome = Outcome()
    drive(best_of_n.plan(make_domain(best_of_n={"pairs": 1}), rows, LARGE, scorer, outcome), texts_or_mark)
    (row,) = outcome.kept
    assert row["chosen"] == max(TEXTS, key=len) and "judge" in row["call_keys"]
    assert {sample["aspects"]["honesty"] for sample in samples_of(row)} == {3.0}
    outcome = Outcome()
    drive(best_of_n.plan(make_domain(best_of_n={"pairs": 1}), rows, LARGE, replace(scorer, readable=frozenset({len(TEXTS[0])})), outcome), texts_or_mark)
    assert [(r.rule, r.score, r.evidence) for r in outcome.rejected] == [("judge_unreadable", 1, TEXTS[1])]
    outcome.check_balance("preference_pairs", "home")


def texts_or_mark(request: Request) -> Reply:
    return reply(request, "4") if "mark this" in request.messages[-1].content else texts(request)
