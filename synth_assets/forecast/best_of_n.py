"""What best-of-n will ask: samples of drawn answers, and where the reward model is a judge, its judgement of each."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from synth_assets.accounts import Outcome, Row
from synth_assets.config import BestOfN
from synth_assets.forecast.interval import NOTHING, Interval
from synth_assets.forecast.judging import MADE, judge_of, judged_rows
from synth_assets.forecast.known import requests_of
from synth_assets.forecast.parts import SAMPLES, Part, Rows, Samples, Setting, sample_rows
from synth_assets.forecast.sizes import LIKELY_RATIO
from synth_assets.methods import best_of_n
from synth_assets.methods.scoring import Direct, Scorer
from synth_assets.teacher.messages import Plan, Request

__all__ = ["forecast_best_of_n"]

_NOBODY = Direct("", lambda prompts, responses: np.zeros(len(responses)))
"""Scores change no request of the method's own."""


def forecast_best_of_n(setting: Setting, responses: Rows) -> tuple[list[Part], Rows]:
    """Parts of preference_pairs that are best-of-n's, and its pairs."""
    settings, method, typical = setting.domain.methods.best_of_n, best_of_n.METHOD, setting.typical.response
    if settings is None:
        return [], Rows()
    judge, outcome = judge_of(setting), Outcome()
    pairs = responses.count.capped(settings.pairs)
    if not responses.exact:
        calls = pairs.scaled(0, settings.samples, settings.samples)
        parts = [setting.part(method, 1, calls, _samples(setting, settings), typical)]
        return parts + (judged_rows(setting, judge, [], calls) if judge else []), Rows(more=pairs.scaled(0, MADE, 1))
    driven = setting.known.drive(_plan(setting, sorted(responses.known, key=lambda row: str(row["id"])), judge or _NOBODY, outcome))
    if driven.ended:
        return [], Rows(outcome.kept)
    unknown = Rows(more=pairs.scaled(0, MADE, 1))
    if judge is not None and len(driven.sizes) == 2:
        return judged_rows(setting, judge, driven.missing, NOTHING), unknown
    parts = setting.certain(method, 1, driven.missing, typical)
    return parts + (judged_rows(setting, judge, [], Interval(0, driven.sizes[0], driven.sizes[0])) if judge else []), unknown


def _plan(setting: Setting, rows: Sequence[Row], scorer: Scorer, outcome: Outcome) -> Plan:
    return best_of_n.plan(setting.domain, rows, setting.profile, scorer, outcome)


def _samples(setting: Setting, settings: BestOfN) -> Samples:
    """Requests for the shortest prompts, for usual ones, and for the longest with their inputs."""
    methods = setting.domain.methods.model_copy(update={"best_of_n": settings.model_copy(update={"pairs": SAMPLES})})
    every = replace(setting, domain=setting.domain.model_copy(update={"methods": methods}))

    def sized(size: int) -> Sequence[Request]:
        asked = sample_rows(setting.domain, size)
        rows = [{"id": r["id"], "instruction_id": r["id"], "topic": r["topic"], "prompt": r["instruction"], "model": ""} for r in asked]
        return requests_of(_plan(every, rows, _NOBODY, Outcome()), lambda request: "x", 1)[0]

    return Samples(sized(1), sized(int(setting.typical.instruction / LIKELY_RATIO[setting.domain.language])), sized(2 * setting.longest() + 2))
