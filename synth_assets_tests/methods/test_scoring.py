"""The interface of reward models: scores of a list, percentiles, pairs, and what becomes of an answer that has no score."""

from collections.abc import Sequence

import numpy as np
import pytest

from synth_assets.accounts import Outcome
from synth_assets.errors import StageFailed
from synth_assets.methods.scoring import Calibrated, Comparison, Direct, score_pairs, without_teacher
from synth_assets.quality.bradley_terry import Floats
from synth_assets.quality.scores import Score, calibrated
from synth_assets.teacher.messages import Message, Plan, Request
from synth_assets_tests.methods.driving import drive, run, saying


def letters(prompts: Sequence[str], responses: Sequence[str]) -> Floats:
    return np.array([len(text) for text in responses], np.float64)


LETTERS = Calibrated(Direct("letters@1", letters), np.array([1.0, 2.0, 3.0, 4.0]))


def test_a_direct_scorer_gives_one_score_per_answer_and_asks_nobody() -> None:
    assert without_teacher(LETTERS.score(["p", "p", "q"], ["a", "bbb", "cccccc"])) == [Score(1.0, 0.125), Score(3.0, 0.625), Score(6.0, 1.0)]
    assert without_teacher(LETTERS.compare(["p", "q"], ["a", "bb"], ["ccc", ""])) == [
        Comparison(Score(1.0, 0.125), Score(3.0, 0.625)),
        Comparison(Score(2.0, 0.375), Score(0.0, 0.0)),
    ]
    assert without_teacher(LETTERS.score([], [])) == [] == without_teacher(LETTERS.compare([], [], []))
    assert LETTERS.version == "letters@1"


def test_what_has_no_score_has_no_percentile() -> None:
    scores = [Score(None, rule="judge_unreadable"), Score(3.0)]
    assert calibrated(scores, np.array([1.0, 5.0])) == [scores[0], Score(3.0, 0.5)]


class _Asking:
    """Asks about every pair, and cannot read what it is told of the second."""

    version = "asking"

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> Plan[list[Score]]:
        replies = yield [Request((Message("user", text),), 5) for text in responses]
        return [Score(1.0, 1.0, calls=(reply.key,)) for reply in replies]

    def compare(self, prompts: Sequence[str], first: Sequence[str], second: Sequence[str]) -> Plan[list[Comparison]]:
        scores = yield from self.score(prompts, first)
        unread = [Score(None, rule="judge_unreadable", evidence="Ten!", calls=score.calls) for score in scores]
        return [Comparison(a, b if place else a) for place, (a, b) in enumerate(zip(scores, unread, strict=True))]


def test_pairs_get_both_scores_and_what_cannot_be_scored_is_rejected() -> None:
    def plan(outcome: Outcome) -> Plan:
        outcome.planned = 2
        outcome.kept = [{"id": str(n), "prompt": "p", "chosen": f"good {n}", "rejected": "bad"} for n in range(2)]
        return score_pairs(_Asking(), 1, outcome)

    outcome, batches = run(plan, saying("?"))
    assert [len(batch) for batch in batches] == [2]
    assert [(row["id"], row["chosen_score"], row["rejected_score"], row["reward_version"]) for row in outcome.kept] == [("0", 1.0, 1.0, "asking")]
    assert [(r.row["id"], r.rule, r.evidence, r.row["rejected"]) for r in outcome.rejected] == [("1", "judge_unreadable", "Ten!", "bad")]
    assert {row for _, row in outcome.call_uses} == {"0", "1"}


def test_a_judge_cannot_score_where_no_teacher_is() -> None:
    with pytest.raises(StageFailed, match="without a teacher"):
        without_teacher(_Asking().score(["p"], ["a"]))
    drive(score_pairs(_Asking(), 1, Outcome()), saying("?"))
