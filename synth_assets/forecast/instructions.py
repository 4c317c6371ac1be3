"""What generated_instructions will ask: batches until enough is accepted, or the attempt limit is reached, and what Self-Instruct asks of each accepted one.

The batches of a plan are attempts, kinds and examples in turn; which one a batch is, its system message tells.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Magpie, SelfInstruct
from synth_assets.forecast.interval import NOTHING, Interval
from synth_assets.forecast.known import Driven, requests_of
from synth_assets.forecast.parts import Part, Rows, Samples, Setting, sample_rows
from synth_assets.forecast.sizes import LIKELY_RATIO
from synth_assets.methods import instances, magpie, self_instruct
from synth_assets.methods.instruction_pool import InstructionPool
from synth_assets.prompts import load
from synth_assets.teacher.messages import Plan, Request

__all__ = ["forecast_generated"]

ACCEPTED = {self_instruct.METHOD: 0.7, magpie.METHOD: 0.6}
"""Share of attempts that pass the filters, where no earlier run says it."""
NEEDING = 0.4
"""Share of the accepted instructions that need examples, likewise."""
KIND_WRITTEN, EXAMPLES = 3.0, 4.0
"""Tokens of a kind, and of a reply with examples as a multiple of an instruction's."""
STATES = 200_000
"""Above so many steps of the exact expectation, the simple ratio is near enough."""

Begin = Callable[[InstructionPool, Outcome], Plan]


def forecast_generated(setting: Setting, seeds: Sequence[Row], pool: InstructionPool, outcome: Outcome, *, known: bool = True) -> tuple[list[Part], Rows]:
    """Parts of the stage for one wave, and the instructions that it makes.

    Args:
        setting: The domain.
        seeds: For the sizes of requests.
        pool: With what the waves before it made; it grows.
        outcome: Likewise.
        known: Whether those are all that the waves before it make.
    """
    domain, profile = setting.domain, setting.profile
    parts: list[Part] = []
    rows = Rows()
    methods: list[tuple[str, SelfInstruct | Magpie | None, Begin]] = [
        (self_instruct.METHOD, domain.methods.self_instruct, lambda into, outcome: self_instruct.plan(domain, into, profile, outcome)),
        (magpie.METHOD, domain.methods.magpie if profile.raw_prompt else None, lambda into, outcome: magpie.plan(domain, into, profile, outcome)),
    ]
    for method, settings, begin in methods:
        if settings is None:
            continue
        before = len(outcome.kept)
        watched = Watched(setting, begin(pool, outcome))
        # Where the pool is not known, no more than the first batch is: what is accepted depends on the pool. Of a later wave not even that.
        driven = setting.known.drive(watched.plan(), None if rows.exact else 1) if known else Driven([], [], False)
        more = NOTHING
        if not driven.ended:
            own, more = _rest(setting, method, settings, driven, watched, outcome.kept[before:], _samples(setting, seeds, settings, begin))
            parts += own
        rows = Rows([*rows.known, *outcome.kept[before:]], rows.more + more)
    return parts, rows


@dataclass
class Watched:
    """A plan on its way, and the step of each of its batches: 1 for attempts, 2 for kinds, 3 for examples."""

    setting: Setting
    inner: Plan
    steps: list[tuple[int, int]] = field(default_factory=list)
    """(step, requests) of every batch."""

    def plan(self) -> Plan:
        """The plan itself."""
        language = self.setting.domain.language
        systems = {load(name, language).system: step for name, step in zip(instances.TEMPLATES, (2, 3, 3), strict=True)}
        step = 1
        try:
            batch = next(self.inner)
            while True:
                # An empty batch has no system message: it is the one after the last.
                step = systems.get(batch[0].system, 1) if batch else step + 1
                self.steps.append((step, len(batch)))
                batch = self.inner.send((yield batch))
        except StopIteration:
            return

    @property
    def attempts(self) -> int:
        """Attempts so far, those of the present batch included."""
        return sum(size for step, size in self.steps if step == 1)


def _rest(
    setting: Setting, method: str, settings: SelfInstruct | Magpie, driven: Driven, watched: Watched, kept: Sequence[Row], samples: Samples
) -> tuple[list[Part], Interval]:
    """Parts of the batches from the present one on, and the instructions that come of them."""
    limit = math.ceil(settings.target * settings.attempts_per_target)
    attempts, accepted = watched.attempts, len({row.get("task_id", row["id"]) for row in kept if row["method"] == method})
    step, size = watched.steps[-1] if watched.steps else (1, 0)
    under_way = next((size for step, size in reversed(watched.steps) if step == 1), 0)
    rate = setting.past[method].rate if method in setting.past else ACCEPTED[method]
    wanted = settings.target - accepted
    least = min(limit - attempts, math.ceil(max(0, wanted - under_way) / settings.batch) * settings.batch) if setting.known.empty else 0
    likely = expected_attempts(wanted, settings.batch, limit - attempts + under_way, rate) - under_way
    following = Interval(least, likely, limit - attempts)
    typical, batched = setting.typical.instruction, method != magpie.METHOD
    written = (typical, KIND_WRITTEN, EXAMPLES * typical)[step - 1]
    parts = setting.certain(method, step, driven.missing, written, batched=batched)
    parts.append(setting.part(method, 1, following, samples, typical, batched=batched))
    if not isinstance(settings, SelfInstruct) or settings.style == "inline":
        return parts, Interval(0, min(wanted, rate * (under_way + following.likely)), wanted)
    # Every attempt may be accepted and fail as a task; the present batch's tasks are counted where it has not come as far.
    most = following.high + (under_way if step == 1 else 0)
    tasks = Interval(0, min(wanted, rate * most), most)
    examples = tasks.scaled(0, NEEDING, 1) + (Interval(0, NEEDING * size, size) if step == 2 else NOTHING)
    longest = setting.longest()
    for place, calls, name in ((2, tasks, "kind"), (3, examples, "examples")):
        own = Samples(*(_of_tasks(setting, settings, name, size) for size in (1, int(typical / LIKELY_RATIO[setting.domain.language]), longest)))
        parts.append(setting.part(method, place, calls, own, (KIND_WRITTEN, EXAMPLES * typical)[place - 2]))
    rows = wanted * settings.instances
    return parts, Interval(0, min(wanted, rate * (under_way + following.likely)), rows)


def _of_tasks(setting: Setting, settings: SelfInstruct, name: str, size: int) -> list[Request]:
    """Requests about instructions of `size` bytes: their kinds, or examples of them, of both kinds."""
    made: list[Request] = []
    for kind in ("Classification", "Input", "分类", "输入")[2 * (setting.domain.language == "zh") :][:2]:
        tasks = [{**row, "call_keys": []} for row in sample_rows(setting.domain, size)]
        batches = requests_of(instances.plan(setting.domain, settings, tasks, setting.profile, Outcome()), lambda request, kind=kind: kind, 2)  # type: ignore[misc]
        made += batches[0] if name == "kind" else batches[-1]
    return made


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
