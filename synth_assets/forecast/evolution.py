"""What evolved_instructions will ask: per round a rewrite of every parent, a judgement of what is left, and an answer to what is left then."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain, EvolInstruct
from synth_assets.forecast.interval import NOTHING, Interval
from synth_assets.forecast.known import Driven, requests_of
from synth_assets.forecast.parts import Part, Rows, Samples, Setting, sample_rows
from synth_assets.forecast.sizes import LIKELY_RATIO, filler
from synth_assets.methods import evol_instruct
from synth_assets.teacher.messages import Profile, Request

__all__ = ["forecast_evolved"]

GROWTH = 1.4
"""A rewritten instruction as a multiple of its parent, where no earlier run says it."""
REACHED = (1.0, 0.85, 0.7)
"""Share of evolutions that come as far as rewrite, judge and answer, likewise."""
STANDING = 0.65
"""Share of evolutions that stand, likewise."""
VERDICT_TOKENS = 3


def forecast_evolved(setting: Setting, seeds: Sequence[Row], generated: Rows, outcome: Outcome, *, first: bool = True) -> tuple[list[Part], Rows]:
    """Parts of the stage for one wave, and its rows: the roots among those that are known are round 0.

    The `first` wave evolves the seeds too, which say for all how long a text usually is; `outcome` has what the waves before it made.
    """
    domain, settings = setting.domain, setting.domain.methods.evol_instruct
    roots = [*(seeds if first else ()), *sorted(generated.known, key=lambda row: str(row["id"]))]
    before = len(outcome.kept)
    if settings is None:
        return [], Rows(_round_zero(domain, roots), generated.more)
    parents = (Interval.exactly(len(roots)) + generated.more).capped(settings.roots or float("inf"))
    plan = evol_instruct.plan(domain, roots, setting.profile, outcome)
    if generated.exact:
        driven = setting.known.drive(plan)
        if driven.ended:
            return [], Rows(outcome.kept[before:])
    elif settings.roots is None:
        driven = setting.known.drive(plan, 1)
    else:
        next(plan, None)  # round 0 is noted; which roots are drawn is not known
        plan.close()
        driven = Driven([], [], False)
    children = len(outcome.kept) - before - len(roots)
    standing = setting.past[evol_instruct.METHOD].rate if evol_instruct.METHOD in setting.past else STANDING
    made = parents.scaled(0, settings.rounds * standing, settings.rounds)
    more = Interval(0, max(0.0, made.likely - children), max(0.0, made.high - children))
    return _parts(setting, settings, seeds, driven, Interval.exactly(len(roots)) + generated.more, first=first), Rows(
        outcome.kept[before:], generated.more + more
    )


def _parts(setting: Setting, settings: EvolInstruct, seeds: Sequence[Row], driven: Driven, roots: Interval, *, first: bool) -> list[Part]:
    method = evol_instruct.METHOD
    steps = 3 if settings.judge else 2
    parents = roots.capped(settings.roots or float("inf"))
    past = setting.past.get(method)
    reached = [past.reached(place + 1) if past else REACHED[place] for place in range(steps)]
    written = [GROWTH * setting.typical.instruction, *([VERDICT_TOKENS] if settings.judge else []), setting.typical.response]
    samples = _samples(setting, seeds, settings, steps)
    # Where the plan stands: in the step `at` of the round `number`; before the first where nothing is known of it.
    number, at = divmod(len(driven.sizes) - 1, steps) if driven.sizes else (-1, steps - 1)
    under_way = driven.sizes[-1] if driven.sizes else 0
    rounds_left = settings.rounds - number - 1
    # Of roots that an earlier run had evolved, some draw the same operation again: all of their first round is in the ledger.
    new_rounds = rounds_left - (0 if driven.sizes or not first else _repeated(setting, settings, seeds, roots))
    parts = setting.certain(method, at + 1, driven.missing, written[at])
    for place in range(steps):
        this_round = NOTHING
        if number == 0 and len(driven.sizes) == 1 and place == 0:
            this_round = Interval(0, parents.likely - under_way, parents.high - under_way)
        elif place > at:
            begun = parents if len(driven.sizes) == 1 else Interval.exactly(under_way)
            this_round = begun.scaled(0, reached[place] / (reached[at] or 1), 1)
        later = parents.scaled(0, new_rounds * reached[place], rounds_left)
        if place == 0 and setting.known.empty:
            later = Interval(rounds_left * (_fewest(seeds, parents) if first else 0), later.likely, later.high)
        parts.append(setting.part(method, place + 1, this_round + later, samples[place], written[place]))
    return parts


def _fewest(seeds: Sequence[Row], parents: Interval) -> float:
    """Distinct rewrites of one round at the least: seeds may share an instruction and differ in their inputs."""
    alike = len(seeds) - len({row["instruction"] for row in seeds})
    return max(min(1.0, parents.low), parents.low - alike)


def _repeated(setting: Setting, settings: EvolInstruct, seeds: Sequence[Row], roots: Interval) -> float:
    """Share of the roots, from 0 to 1, that are seeds whose first rewrite is in the ledger."""
    plan = evol_instruct.plan(_one_round(setting.domain, settings), seeds, setting.profile, Outcome())
    return (1 - setting.known.new_share(plan)) * len(seeds) / max(1.0, roots.likely)


def _one_round(domain: Domain, settings: EvolInstruct) -> Domain:
    """The domain with one round over all roots."""
    whole = settings.model_copy(update={"rounds": 1, "roots": None})
    return domain.model_copy(update={"methods": domain.methods.model_copy(update={"evol_instruct": whole})})


def _round_zero(domain: Domain, roots: Sequence[Row]) -> list[Row]:
    outcome = Outcome()
    alone = domain.model_copy(update={"methods": domain.methods.model_copy(update={"evol_instruct": None})})
    for _ in evol_instruct.plan(alone, roots, Profile(""), outcome):
        raise AssertionError("without a section nothing is asked")
    return outcome.kept


def _samples(setting: Setting, seeds: Sequence[Row], settings: EvolInstruct, steps: int) -> list[Samples]:
    """Requests of each step over the shortest roots, over the seeds, and over the longest."""
    domain, longest = setting.domain, setting.longest()
    one_round = _one_round(domain, settings)
    usual = int(GROWTH * setting.typical.instruction / LIKELY_RATIO[domain.language])
    made = []
    for rows, size in (
        (sample_rows(domain, setting.typical.shortest), 1),
        (seeds, usual),
        (sample_rows(domain, longest, with_input=True), longest),
    ):
        plan = evol_instruct.plan(one_round, rows, setting.profile, Outcome())
        made.append(requests_of(plan, _answers(size, count(1000)), steps))
    short, between, long = made
    return [Samples(short[place], between[place], long[place]) for place in range(steps)]


def _answers(size: int, numbers: Iterator[int]) -> Callable[[Request], str]:
    """Evolutions of `size` bytes, each another, that every judge lets through."""
    return lambda request: "Not equal" if request.max_tokens == evol_instruct.JUDGE_TOKENS else filler(size, next(numbers))
