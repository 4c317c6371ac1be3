"""What generated_instructions will ask: batches until enough is accepted, or the attempt limit is reached."""

import math
from collections.abc import Callable, Sequence

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Magpie, SelfInstruct
from synth_assets.forecast.interval import NOTHING, Interval
from synth_assets.forecast.known import Driven
from synth_assets.forecast.parts import Part, Rows, Samples, Setting, sample_rows
from synth_assets.methods import magpie, self_instruct
from synth_assets.methods.instruction_pool import InstructionPool
from synth_assets.teacher.messages import Plan, Request

__all__ = ["forecast_generated"]

ACCEPTED = {self_instruct.METHOD: 0.7, magpie.METHOD: 0.6}
"""Share of attempts that pass the filters, where no earlier run says it."""
STATES = 200_000
"""Above so many steps of the exact expectation, the simple ratio is near enough."""

Begin = Callable[[InstructionPool, Outcome], Plan]


def forecast_generated(setting: Setting, seeds: Sequence[Row]) -> tuple[list[Part], Rows]:
    """Parts of the stage, and the instructions that it makes."""
    domain, profile = setting.domain, setting.profile
    pool = InstructionPool(domain.language, seeds)
    parts: list[Part] = []
    rows = Rows()
    methods: list[tuple[str, SelfInstruct | Magpie | None, Begin]] = [
        (self_instruct.METHOD, domain.methods.self_instruct, lambda into, outcome: self_instruct.plan(domain, into, profile, outcome)),
        (magpie.METHOD, domain.methods.magpie if profile.raw_prompt else None, lambda into, outcome: magpie.plan(domain, into, outcome)),
    ]
    for method, settings, begin in methods:
        if settings is None:
            continue
        outcome = Outcome()
        # Where the pool is not known, no more than the first batch is: what is accepted depends on the pool.
        driven = setting.known.drive(begin(pool, outcome), None if rows.exact else 1)
        more = NOTHING
        if not driven.ended:
            own, more = _rest(setting, method, settings, driven, outcome, _samples(setting, seeds, settings, begin))
            parts += own
        rows = Rows([*rows.known, *outcome.kept], rows.more + more)
    return parts, rows


def _rest(setting: Setting, method: str, settings: SelfInstruct | Magpie, driven: Driven, outcome: Outcome, samples: Samples) -> tuple[list[Part], Interval]:
    """Parts of the batches from the present one on, and the instructions that come of them."""
    limit = math.ceil(settings.target * settings.attempts_per_target)
    attempts, accepted, under_way = sum(driven.sizes), len(outcome.kept), driven.sizes[-1]
    rate = setting.past[method].rate if method in setting.past else ACCEPTED[method]
    wanted = settings.target - accepted
    least = min(limit - attempts, math.ceil(max(0, wanted - under_way) / settings.batch) * settings.batch) if setting.known.empty else 0
    likely = expected_attempts(wanted, settings.batch, limit - attempts + under_way, rate) - under_way
    following = Interval(least, likely, limit - attempts)
    made = Interval(0, min(wanted, rate * (under_way + following.likely)), wanted)
    typical, batched = setting.typical.instruction, method != magpie.METHOD
    parts = setting.certain(method, 1, driven.missing, typical, batched=batched)
    return [*parts, setting.part(method, 1, following, samples, typical, batched=batched)], made


def expected_attempts(wanted: int, batch: int, limit: int, rate: float) -> float:
    """Attempts that are made on average until `wanted` are accepted, batch by batch, each with the chance `rate`; `limit` at most."""
    rate = min(max(rate, 1e-3), 1 - 1e-9)
    if wanted * limit > STATES:
        return min(limit, math.ceil(wanted / rate / batch) * batch)
    chances = {0: 1.0}
    made = 0.0
    for begun in range(0, limit, batch):
        size = min(batch, limit - begun)
        made += size * sum(chances.values())
        log = [math.lgamma(size + 1) - math.lgamma(k + 1) - math.lgamma(size - k + 1) for k in range(size + 1)]
        binomial = [math.exp(log[k] + k * math.log(rate) + (size - k) * math.log1p(-rate)) for k in range(size + 1)]
        after: dict[int, float] = {}
        for accepted, chance in chances.items():
            for k, share in enumerate(binomial):
                if accepted + k < wanted:
                    after[accepted + k] = after.get(accepted + k, 0.0) + chance * share
        chances = after
    return made


def _samples(setting: Setting, seeds: Sequence[Row], settings: SelfInstruct | Magpie, begin: Begin) -> Samples:
    """First batches over a pool of the shortest examples, over the seeds, and over a pool of the longest."""
    examples = settings.human_examples + settings.machine_examples if isinstance(settings, SelfInstruct) else 1
    short = sample_rows(setting.domain, setting.typical.shortest, count=min(examples, len(seeds)))
    long = sample_rows(setting.domain, setting.longest(), count=examples)
    return Samples(*(_first(setting, begin, rows) for rows in (short, seeds, long)))


def _first(setting: Setting, begin: Begin, rows: Sequence[Row]) -> list[Request]:
    plan = begin(InstructionPool(setting.domain.language, rows), Outcome())
    try:
        return next(plan)
    finally:
        plan.close()
