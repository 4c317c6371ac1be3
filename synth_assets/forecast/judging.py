"""What the teacher is asked as a judge: every reference response once, best-of-n's samples, every pair in both orders, and every row that may be released.

Nothing where the domain's reward model asks nobody. References that are calibrated already are not judged again, which only the warehouse knows, so
that their low end is nothing. Left out are answers that people corrected, with one call each and two where it is the chosen one of a pair: they are
as few as people can write, stand in a store that only a run brings into the warehouse, and which of their candidates are made again shows at the
gates. Invariant: as of every forecast, what a run then asks is within low and high, apart from these.
"""

from collections.abc import Sequence
from typing import Any

from synth_assets.accounts import Outcome, Row
from synth_assets.conversations import prompt_of, response_of, with_thinking
from synth_assets.forecast.interval import NOTHING, Interval
from synth_assets.forecast.known import requests_of
from synth_assets.forecast.parts import Part, Rows, Samples, Setting, sample_rows
from synth_assets.forecast.past import JUDGE, JUDGED_PAIR, JUDGED_ROW
from synth_assets.forecast.sizes import LIKELY_RATIO, WORKING, filler
from synth_assets.methods import scoring
from synth_assets.methods.judge import Judge
from synth_assets.teacher.messages import Plan, Request
from synth_assets.teacher.prices import LEAST_BUDGET

__all__ = ["MADE", "forecast_candidates", "forecast_references", "forecast_verdicts", "judge_of", "judged_rows"]

VERDICT_TOKENS = 80.0
"""Of a judgement, where no earlier run says it: a reason and four lines."""
MADE = 0.8
"""Share of the pairs that are drawn which have two sides, likewise."""


def judge_of(setting: Setting) -> Judge | None:
    """The judge of the domain, if it has one."""
    # However many judgements cannot be read: that ends a run, and no estimate.
    return Judge(setting.profile, setting.domain.language, 1.0) if setting.domain.gates.reward.by == "judge" else None


def forecast_references(setting: Setting, seeds: Sequence[Row]) -> list[Part]:
    """Parts of preference_pairs: the seeds' responses, once for the domain and the judge."""
    judge = judge_of(setting)
    if judge is None:
        return []
    missing = setting.known.drive(judge.score([prompt_of(row) for row in seeds], [row["response"] for row in seeds])).missing
    return [_part(setting, JUDGED_ROW, Interval(0, len(missing), len(missing)), Samples.exactly(missing))] if missing else []


def judged_rows(setting: Setting, judge: Judge, missing: Sequence[Request], more: Interval, *, traces: bool = False) -> list[Part]:
    """Single answers, or `traces` with their thinking: requests that are certain, and others of which only the number is known."""
    found = [_part(setting, JUDGED_ROW, Interval.exactly(len(missing)), Samples.exactly(missing))] if missing else []
    return found + ([_part(setting, JUDGED_ROW, more, _samples(setting, judge, traces=traces))] if more.high else [])


def forecast_verdicts(setting: Setting, pairs: Rows) -> tuple[list[Part], Rows]:
    """Parts of preference_pairs: every pair, in both orders; and the pairs that then stand."""
    judge = judge_of(setting)
    if judge is None:
        return [], pairs
    if not pairs.exact:
        return [_part(setting, JUDGED_PAIR, pairs.count.scaled(0, 2, 2), _samples(setting, judge, pairs=True))], pairs
    outcome = Outcome(planned=len(pairs.known), kept=[dict(row) for row in pairs.known])
    driven = setting.known.drive(scoring.score_pairs(judge, 0, outcome))
    if driven.ended:
        return [], Rows(outcome.kept)
    # A pair whose judgement cannot be read is none.
    stand = Rows(more=Interval(0, len(pairs.known), len(pairs.known)))
    return [_part(setting, JUDGED_PAIR, Interval.exactly(len(driven.missing)), Samples.exactly(driven.missing))], stand


def forecast_candidates(setting: Setting, plain: Rows, traces: Rows, pairs: Rows) -> list[Part]:
    """Parts of filtered: every plain answer, every trace with its thinking, and the chosen answer of every pair."""
    judge = judge_of(setting)
    if judge is None:
        return []
    if plain.exact and traces.exact and pairs.exact:
        rows = [*plain.known, *traces.known, *pairs.known]
        plan = judge.score([row["prompt"] for row in rows], [response_of(row) for row in rows])
        return judged_rows(setting, judge, setting.known.drive(plan).missing, NOTHING)
    answers, thought = (count.scaled(0, 1, 1) for count in (plain.count + pairs.count, traces.count))
    return judged_rows(setting, judge, [], answers) + judged_rows(setting, judge, [], thought, traces=True)


def _part(setting: Setting, place: int, calls: Interval, samples: Samples) -> Part:
    return setting.part(JUDGE, place, calls, samples, VERDICT_TOKENS, measured=samples.short is samples.long)


def _samples(setting: Setting, judge: Judge, *, pairs: bool = False, traces: bool = False) -> Samples:
    """Judgements of the shortest answers, of usual ones, and of the longest."""
    ratio, longest = LIKELY_RATIO[setting.domain.language], _longest(setting, traced=pairs or traces)
    usual = int(setting.typical.response / ratio)

    def sized(prompt: int, thinking: int, response: int) -> Sequence[Request]:
        prompts = [row["instruction"] for row in sample_rows(setting.domain, prompt)]
        responses = [with_thinking(filler(thinking) if thinking else "", filler(response))] * len(prompts)
        plan: Plan[Any] = judge.compare(prompts, responses, responses) if pairs else judge.score(prompts, responses)
        return requests_of(plan, lambda request: "x", 1)[0]

    between = sized(int(setting.typical.instruction / ratio), int((WORKING - 1) * usual) if traces else 0, usual)
    return Samples(sized(1, 0, 1), between, sized(2 * setting.longest() + 2, 1, longest))


def _longest(setting: Setting, *, traced: bool) -> int:
    """Bytes, one for a token, of the longest answer together with its thinking."""
    methods, profile = setting.domain.methods, setting.profile
    asked = (methods.distillation, methods.constitutional, methods.best_of_n)
    plain = setting.room + max(settings.max_tokens for settings in asked if settings is not None)
    if not traced or methods.reasoning is None:
        return plain
    # A small model is given as many tokens for its thinking as for the answer behind it.
    return max(plain, methods.reasoning.max_tokens * (1 + profile.small) + (LEAST_BUDGET if profile.thinks else setting.room))
