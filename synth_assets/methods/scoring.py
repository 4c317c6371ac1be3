"""The interface of every reward model: a plan that is given prompts and responses and returns one Score each.

A judge asks the teacher, a cross-encoder and the embedded head ask nobody; whoever writes `scores = yield from scorer.score(prompts, responses)`
need not know which it is. So a method that scores is a plan like the others: same replies, same rows, and every call through the ledger and the
budget. A pair is compared by `compare`, where a judge sees both answers, in both orders. Invariant: one Score per answer, in order, whatever came back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from synth_assets.accounts import Outcome
from synth_assets.errors import StageFailed
from synth_assets.quality.bradley_terry import Floats
from synth_assets.quality.scores import Score, calibrated, ratings_json
from synth_assets.teacher.messages import Plan, Result

__all__ = ["Calibrated", "Comparison", "Direct", "Scorer", "score_pairs", "without_teacher"]


@dataclass(frozen=True)
class Comparison:
    """Two answers to one prompt, scored together."""

    first: Score
    second: Score
    agrees: bool | None = None
    """Whether both orders of a judge prefer the same one; None where nothing depends on the order."""


class Scorer(Protocol):
    """What scores answers."""

    @property
    def version(self) -> str:
        """Names the model and all that decides its scores; kept in every row that it scored."""

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> Plan[list[Score]]:
        """One Score per response, as an answer to the prompt at the same place (what was asked, input included)."""

    def compare(self, prompts: Sequence[str], first: Sequence[str], second: Sequence[str]) -> Plan[list[Comparison]]:
        """Both answers to each prompt, scored so that they can be compared."""


@dataclass(frozen=True)
class Direct:
    """A scorer that computes and asks nobody."""

    version: str
    function: Callable[[Sequence[str], Sequence[str]], Floats]
    """Prompts and responses to raw scores, shape (n,)."""

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> Plan[list[Score]]:
        """As `Scorer.score`."""
        yield from ()
        return [Score(float(raw)) for raw in self.function(prompts, responses)] if prompts else []

    def compare(self, prompts: Sequence[str], first: Sequence[str], second: Sequence[str]) -> Plan[list[Comparison]]:
        """As `Scorer.compare`."""
        scores = yield from self.score([*prompts, *prompts], [*first, *second])
        return [Comparison(a, b) for a, b in zip(scores[: len(prompts)], scores[len(prompts) :], strict=True)]


@dataclass(frozen=True)
class Calibrated:
    """A scorer whose scores carry percentiles of a domain's reference responses."""

    scorer: Scorer
    references: Floats
    """Raw scores of the reference responses, shape (n,)."""

    @property
    def version(self) -> str:
        """The scorer's own."""
        return self.scorer.version

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> Plan[list[Score]]:
        """As `Scorer.score`."""
        return calibrated((yield from self.scorer.score(prompts, responses)), self.references)

    def compare(self, prompts: Sequence[str], first: Sequence[str], second: Sequence[str]) -> Plan[list[Comparison]]:
        """As `Scorer.compare`."""
        found = yield from self.scorer.compare(prompts, first, second)
        scores = calibrated([score for pair in found for score in (pair.first, pair.second)], self.references)
        return [Comparison(a, b, pair.agrees) for pair, a, b in zip(found, scores[::2], scores[1::2], strict=True)]


def score_pairs(scorer: Scorer, calibration: int, outcome: Outcome) -> Plan:
    """Put both percentiles, and what they are of, into the kept rows of preference_pairs; a pair that cannot be scored is rejected."""
    rows, outcome.kept = outcome.kept, []
    found = yield from scorer.compare([row["prompt"] for row in rows], [row["chosen"] for row in rows], [row["rejected"] for row in rows])
    for row, pair in zip(rows, found, strict=True):
        outcome.use(row["id"], dict.fromkeys((*pair.first.calls, *pair.second.calls)))
        row |= {"chosen_score": pair.first.percentile, "rejected_score": pair.second.percentile, "reward_version": scorer.version, "calibration": calibration}
        row |= {"orders_agree": pair.agrees, "ratings": ratings_json(chosen=pair.first, rejected=pair.second)}
        broken = pair.first if pair.first.rule else pair.second
        if broken.rule:
            outcome.reject(row, broken.rule, evidence=broken.evidence)
        else:
            outcome.kept.append(row)


def without_teacher(plan: Plan[Result]) -> Result:
    """What `plan` returns, where it asks nobody.

    Raises:
        StageFailed: it asks.
    """
    try:
        next(plan)
    except StopIteration as end:
        result: Result = end.value
        return result
    plan.close()
    raise StageFailed("this reward model is a judge: it cannot score without a teacher.")
