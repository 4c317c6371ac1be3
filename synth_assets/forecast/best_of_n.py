"""What best-of-n will ask: samples of drawn answers. What a judge is asked about them belongs to the reward model."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from synth_assets.accounts import Outcome, Row
from synth_assets.config import BestOfN
from synth_assets.forecast.known import requests_of
from synth_assets.forecast.parts import SAMPLES, Part, Rows, Samples, Setting, sample_rows
from synth_assets.forecast.sizes import LIKELY_RATIO
from synth_assets.methods import best_of_n
from synth_assets.methods.scoring import Direct
from synth_assets.teacher.messages import Plan, Request

__all__ = ["forecast_best_of_n"]

_NOBODY = Direct("", lambda prompts, responses: np.zeros(len(responses)))
"""Scores change no request of the method's own."""


def forecast_best_of_n(setting: Setting, responses: Rows) -> list[Part]:
    """Parts of preference_pairs that are best-of-n's."""
    settings, method, typical = setting.domain.methods.best_of_n, best_of_n.METHOD, setting.typical.response
    if settings is None:
        return []
    if responses.exact:
        driven = setting.known.drive(_plan(setting, sorted(responses.known, key=lambda row: str(row["id"]))))
        return [] if driven.ended else setting.certain(method, 1, driven.missing, typical)
    calls = responses.count.capped(settings.pairs).scaled(0, settings.samples, settings.samples)
    return [setting.part(method, 1, calls, _samples(setting, settings), typical)]


def _plan(setting: Setting, rows: Sequence[Row]) -> Plan:
    return best_of_n.plan(setting.domain, rows, setting.profile, _NOBODY, Outcome())


def _samples(setting: Setting, settings: BestOfN) -> Samples:
    """Requests for the shortest prompts, for usual ones, and for the longest with their inputs."""
    methods = setting.domain.methods.model_copy(update={"best_of_n": settings.model_copy(update={"pairs": SAMPLES})})
    every = replace(setting, domain=setting.domain.model_copy(update={"methods": methods}))

    def sized(size: int) -> Sequence[Request]:
        asked = sample_rows(setting.domain, size)
        rows = [{"id": r["id"], "instruction_id": r["id"], "topic": r["topic"], "prompt": r["instruction"], "model": ""} for r in asked]
        return requests_of(_plan(every, rows), lambda request: "x", 1)[0]

    return Samples(sized(1), sized(int(setting.typical.instruction / LIKELY_RATIO[setting.domain.language])), sized(2 * setting.longest() + 2))
