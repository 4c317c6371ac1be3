"""The teacher as a judge: four aspects from 1 to 5 per answer, after UltraFeedback (Cui et al. 2023, arXiv 2310.01377).

A score is the mean of the four aspects and never a judge's overall figure: UltraFeedback's had 2,628 parse errors, a "10" read as "1". So parsing is
strict, and a reply that does not have every aspect once, with one digit from 1 to 5 alone behind it, gives no score at all. The two answers of a
pair are shown together and asked about in both orders, since judges prefer a place (Zheng et al. 2023, arXiv 2306.05685): the scores are the means
of both, and whether the orders agree is told. Invariant: what is asked about an answer or a pair does not depend on its neighbours.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synth_assets.errors import StageFailed
from synth_assets.methods.scoring import Comparison
from synth_assets.prompts import load
from synth_assets.quality.findings import EVIDENCE, one_line
from synth_assets.quality.scores import Score
from synth_assets.teacher.messages import Message, Plan, Profile, Reply, Request

__all__ = ["ASPECTS", "TEMPLATES", "UNREADABLE", "Judge", "read_ratings"]

TEMPLATES = ("judge", "judge_pair")

ASPECTS = ("instruction_following", "truthfulness", "honesty", "helpfulness")
"""Names of the aspects, in the order of their lines."""

UNREADABLE = "judge_unreadable"
"""The rule that rejects an answer whose judgement cannot be read."""

_NAMES = {
    "en": ("Instruction following", "Truthfulness", "Honesty", "Helpfulness"),
    "zh": ("遵循指令", "真实性", "诚实性", "有用性"),
}
_LINE = re.compile(r"(?P<name>[^:：]+)[:：](?P<value>.*)")
_RATING = re.compile(r"[1-5]")
_BULLETS, _EMPHASIS = " \t*_`-•", " \t*_`"
"""What models put around a line, and around a name or figure. A minus before a figure is none of it."""

_TOKENS = 300
"""Of a judgement: its reason and four or eight short lines."""

_FEWEST = 5
"""Judgements from which it is said that too many cannot be read."""


@dataclass(frozen=True)
class Judge:
    """A scorer (`methods.scoring.Scorer`) that asks the teacher."""

    profile: Profile
    language: str
    max_unreadable: float = 0.5
    """Share of the judgements of one plan that may be unreadable."""

    @property
    def version(self) -> str:
        """The model that judges, and the versions of both templates."""
        return " ".join((self.profile.model, *(load(name, self.language).version for name in TEMPLATES)))

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> Plan[list[Score]]:
        """As `Scorer.score`.

        Raises:
            StageFailed: more judgements than `max_unreadable` cannot be read.
        """
        if not prompts:
            return []
        template = load("judge", self.language)
        replies = yield [self._request(*template.render(prompt=p, response=r)) for p, r in zip(prompts, responses, strict=True)]
        scores = [_score([(reply, read_ratings(reply.text, self.language))]) for reply in replies]
        self._require_readable(scores, replies)
        return scores

    def compare(self, prompts: Sequence[str], first: Sequence[str], second: Sequence[str]) -> Plan[list[Comparison]]:
        """As `Scorer.compare`: two calls a pair.

        Raises:
            StageFailed: more judgements than `max_unreadable` cannot be read.
        """
        if not prompts:
            return []
        template = load("judge_pair", self.language)
        orders = [order for p, a, b in zip(prompts, first, second, strict=True) for order in ((p, a, b), (p, b, a))]
        replies = yield [self._request(*template.render(prompt=p, first=a, second=b)) for p, a, b in orders]
        found = [_compared(ahead, back, self.language) for ahead, back in zip(replies[::2], replies[1::2], strict=True)]
        self._require_readable([pair.first for pair in found], replies)
        return found

    def _request(self, system: str, messages: tuple[Message, ...]) -> Request:
        return Request(messages, _TOKENS, system, sampling=self.profile.sampling(temperature=0.0))

    def _require_readable(self, scores: Sequence[Score], replies: Sequence[Reply]) -> None:
        unread = [score for score in scores if score.rule == UNREADABLE]
        if len(scores) >= _FEWEST and len(unread) > self.max_unreadable * len(scores):
            raise StageFailed(
                f"the judge {replies[0].model}: {len(unread)} of {len(scores)} judgements cannot be read; the first says {unread[0].evidence!r}. "
                "Choose a model that keeps to a form, or another gates.reward.by."
            )


def read_ratings(text: str, language: str, answer: str = "") -> dict[str, int] | None:
    """The rating of each aspect in a judgement; None unless every aspect stands there exactly once, with one whole number from 1 to 5.

    Args:
        text: The judge's reply.
        language: Of the aspects' names: en or zh.
        answer: The letter in front of the names, A or B, where two answers are judged; ratings of the other one are passed over.
    """
    names = {_key(f"{answer}{name}"): aspect for name, aspect in zip(_NAMES[language], ASPECTS, strict=True)}
    found: dict[str, int] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line.lstrip(_BULLETS).rstrip(_EMPHASIS))
        aspect = names.get(_key(match["name"].strip(_EMPHASIS))) if match else None
        if match is None or aspect is None:
            continue
        value = match["value"].strip(_EMPHASIS)
        if aspect in found or not _RATING.fullmatch(value):
            return None
        found[aspect] = int(value)
    return {aspect: found[aspect] for aspect in ASPECTS} if len(found) == len(ASPECTS) else None


def _key(name: str) -> str:
    return "".join(name.casefold().split())


def _compared(ahead: Reply, back: Reply, language: str) -> Comparison:
    """A pair from its judgement in order, and the one in which the second answer came first."""
    first = _score([(ahead, read_ratings(ahead.text, language, "A")), (back, read_ratings(back.text, language, "B"))])
    second = _score([(ahead, read_ratings(ahead.text, language, "B")), (back, read_ratings(back.text, language, "A"))])
    broken = first if first.rule else second
    if broken.rule:
        return Comparison(broken, broken)
    margins = [
        _mean(read_ratings(reply.text, language, a)) - _mean(read_ratings(reply.text, language, b)) for reply, a, b in ((ahead, "A", "B"), (back, "B", "A"))
    ]
    return Comparison(first, second, (margins[0] > 0) == (margins[1] > 0) and (margins[0] < 0) == (margins[1] < 0))


def _score(judged: Sequence[tuple[Reply, Mapping[str, int] | None]]) -> Score:
    """The mean of several judgements of one answer; none where one of them cannot be used."""
    calls = tuple(dict.fromkeys(reply.key for reply, _ in judged))
    for reply, ratings in judged:
        if reply.rule or ratings is None:
            return Score(
                None, calls=calls, rule=f"judge_{reply.rule}" if reply.rule else UNREADABLE, evidence=reply.evidence or one_line(reply.text[-EVIDENCE:])
            )
    aspects = tuple((aspect, sum(ratings[aspect] for _, ratings in judged if ratings) / len(judged)) for aspect in ASPECTS)
    return Score(sum(value for _, value in aspects) / len(aspects), aspects=aspects, calls=calls)


def _mean(ratings: Mapping[str, int] | None) -> float:
    return sum(ratings.values()) / len(ratings) if ratings else 0.0
