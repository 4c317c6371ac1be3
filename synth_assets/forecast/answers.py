"""What teacher_responses and preference_pairs will ask: an answer or samples for every instruction, and rounds of critique and revision."""

from collections.abc import Sequence
from math import comb

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Constitutional, Domain
from synth_assets.forecast.best_of_n import forecast_best_of_n
from synth_assets.forecast.interval import NOTHING, Interval
from synth_assets.forecast.judging import MADE, forecast_verdicts
from synth_assets.forecast.known import Driven, requests_of
from synth_assets.forecast.parts import SAMPLES, Part, Rows, Samples, Setting, sample_rows
from synth_assets.forecast.sizes import LIKELY_RATIO, WORKING, filler
from synth_assets.methods import constitutional, distillation, reasoning, verified_pairs

__all__ = ["forecast_pairs", "forecast_responses", "kept_of"]

ANSWERED = 0.9
"""Share of instructions that have a usable answer, where no earlier run says it; so with the steps of a trace and a revision."""
CRITIQUE = 80.0
"""Tokens of a critique."""


def forecast_responses(setting: Setting, evolved: Rows, unanswered: Interval, verify: reasoning.Verify) -> tuple[list[Part], Rows, Rows]:
    """Parts of the stage, its plain answers, one of an instruction, and its traces, of which an instruction may have `keep`.

    Args:
        setting: The domain.
        evolved: The pool. Its evolutions were answered when they were evolved.
        unanswered: How many of the pool's rows that are not known are no evolutions.
        verify: Called only where the ledger has every trace.
    """
    domain, profile = setting.domain, setting.profile
    rows = sorted(evolved.known, key=lambda row: str(row["id"]))
    traced = [row for row in rows if reasoning.traced(domain, row)]
    plain = [row for row in rows if not reasoning.traced(domain, row)]
    answered, traces = Outcome(), Outcome()
    steps = setting.known.drive(reasoning.plan(domain, traced, profile, verify, traces))
    answers = setting.known.drive(distillation.plan(domain, plain, profile, answered))
    typical = setting.typical.response
    parts: list[Part] = []
    if not steps.ended:
        parts += _traces(setting, traced, steps)
    parts += setting.certain(distillation.METHOD, 1, answers.missing, typical)
    if unanswered.high:
        samples = Samples(*([distillation.request_for(domain, row, profile) for row in sized] for sized in _pools(setting)))
        parts.append(setting.part(distillation.METHOD, 1, unanswered, samples, typical, measured=True))
    # What is not known yet of the pool has no reference answer, and is asked for no traces.
    kept = Rows(traces.kept) if steps.ended else Rows(more=_kept_traces(setting, len(traced)))
    if evolved.exact and answers.ended:
        return parts, Rows(answered.kept), kept
    rate = setting.past[distillation.METHOD].rate if distillation.METHOD in setting.past else ANSWERED
    found = _answered(setting, plain)
    likely, most = evolved.count.likely - len(traced), evolved.count.high - len(traced)
    return parts, Rows(found, Interval(0, rate * likely - len(found), most - len(found))), kept


def _kept_traces(setting: Setting, traced: int) -> Interval:
    """Traces that are kept of so many instructions."""
    settings, past = setting.domain.methods.reasoning, setting.past.get(reasoning.METHOD)
    if settings is None:
        return NOTHING
    each = kept_of(settings.samples, settings.keep, past.rate) if past else ANSWERED * settings.keep
    return Interval(0, traced * each, traced * settings.keep)


def kept_of(samples: int, keep: int, rate: float) -> float:
    """Samples that are kept of one instruction on average: `keep` at most of those that are accepted, each with the chance `rate`."""
    return sum(min(n, keep) * comb(samples, n) * rate**n * (1 - rate) ** (samples - n) for n in range(samples + 1))


def _answered(setting: Setting, rows: Sequence[Row]) -> list[Row]:
    """The answers that are in the ledger already."""
    found = setting.known.lookup([distillation.request_for(setting.domain, row, setting.profile) for row in rows])
    outcome = Outcome()
    cached = [row for row, reply in zip(rows, found, strict=True) if reply is not None]
    setting.known.drive(distillation.plan(setting.domain, cached, setting.profile, outcome))
    return outcome.kept


def _pools(setting: Setting) -> tuple[Sequence[Row], Sequence[Row], Sequence[Row]]:
    """Generated instructions: the shortest, usual ones, and the longest."""
    domain = setting.domain
    usual = int(setting.generated_tokens() / LIKELY_RATIO[domain.language])
    return sample_rows(domain, 1), sample_rows(domain, usual), sample_rows(domain, setting.longest(), with_input=True)


def _traces(setting: Setting, traced: Sequence[Row], driven: Driven) -> list[Part]:
    method, typical = reasoning.METHOD, setting.typical.response
    written = (typical, typical) if setting.profile.small else (WORKING * typical, 0.0)
    parts = setting.certain(method, len(driven.sizes), driven.missing, written[len(driven.sizes) - 1])
    if setting.profile.small and len(driven.sizes) == 1:

        def second(size: int) -> Sequence[object]:
            plan = reasoning.plan(setting.domain, traced, setting.profile, _unverified, Outcome())
            return requests_of(plan, lambda request: filler(min(size, request.max_tokens)), 2)[1]

        usual = int(typical / LIKELY_RATIO[setting.domain.language])
        samples = Samples(second(1), second(usual), second(1 << 30))  # type: ignore[arg-type]
        parts.append(setting.part(method, 2, Interval(0, ANSWERED * driven.sizes[0], driven.sizes[0]), samples, written[1]))
    return parts


def _unverified(pairs: Sequence[tuple[str, str]]) -> list[str]:
    return ["correct"] * len(pairs)


def forecast_pairs(setting: Setting, plain: Rows, traces: Rows, verify: reasoning.Verify) -> tuple[list[Part], Rows]:
    """Parts of preference_pairs, and its rows."""
    responses = _one_each(setting, plain, traces)
    revisions, revised = _revisions(setting, responses)
    samples, sampled = forecast_best_of_n(setting, responses)
    made = Outcome(kept=[*revised.known, *sampled.known])
    verified_pairs.verify_pairs(responses.known, verify, made)
    verdicts, pairs = forecast_verdicts(setting, Rows(made.kept, revised.more + sampled.more))
    return [*revisions, *samples, *verdicts], pairs


def _one_each(setting: Setting, plain: Rows, traces: Rows) -> Rows:
    """What pairs are drawn from: of an instruction's traces no more than the first."""
    settings = setting.domain.methods.reasoning
    share = 1 / settings.keep if settings is not None else 0.0
    first: dict[str, Row] = {}
    for row in sorted([*plain.known, *traces.known], key=lambda row: str(row["id"])):
        first.setdefault(row["instruction_id"], row)
    return Rows(list(first.values()), plain.more + traces.more.scaled(share, share, share))


def _revisions(setting: Setting, responses: Rows) -> tuple[list[Part], Rows]:
    domain, settings = setting.domain, setting.domain.methods.constitutional
    if settings is None:
        return [], Rows()
    driven, outcome = Driven([], [], False), Outcome()
    if responses.exact:
        rows = sorted(responses.known, key=lambda row: str(row["id"]))
        driven = setting.known.drive(constitutional.plan(domain, rows, setting.profile, setting.similarity, outcome))
        if driven.ended:
            return [], _compared(setting, outcome.kept)
    method, written = constitutional.METHOD, (CRITIQUE, setting.typical.response)
    number, at = divmod(len(driven.sizes) - 1, 2) if driven.sizes else (-1, 1)
    pairs = Interval.exactly(driven.sizes[-1]) if driven.sizes else responses.count.capped(settings.pairs)
    parts = setting.certain(method, at + 1, driven.missing, written[at])
    samples = _pair_samples(setting, settings)
    rounds = settings.rounds - number - 1
    # Of answers that an earlier run had put through, some draw the same principle again: all of their first round is in the ledger.
    new_rounds = rounds - (0 if driven.sizes else _repeated(setting, settings, responses))
    for place in (0, 1):
        this_round = pairs.scaled(0, ANSWERED, 1) if place > at else NOTHING
        parts.append(setting.part(method, place + 1, this_round + pairs.scaled(0, new_rounds, rounds), samples[place], written[place]))
    return parts, Rows(more=pairs.scaled(0, MADE, 1))


def _compared(setting: Setting, pairs: list[Row]) -> Rows:
    """Of `pairs` that nothing is known against: those whose sides are compared already are certain, and any of the others may prove to be unchanged."""
    if setting.similarity is None:
        return Rows(pairs)
    cosines = setting.similarity([(pair["chosen"], pair["rejected"]) for pair in pairs])
    certain = [pair for pair, cosine in zip(pairs, cosines, strict=True) if cosine is not None]
    others = len(pairs) - len(certain)
    return Rows(certain, Interval(0, others, others))


def _repeated(setting: Setting, settings: Constitutional, responses: Rows) -> float:
    """Share of the answers, from 0 to 1, whose first critique is in the ledger."""
    every = _one_round(setting.domain, settings, max(1, len(responses.known)))
    plan = constitutional.plan(every, responses.known, setting.profile, None, Outcome())
    return (1 - setting.known.new_share(plan)) * len(responses.known) / max(1.0, responses.count.likely)


def _one_round(domain: Domain, settings: Constitutional, pairs: int) -> Domain:
    """The domain with one round for so many answers."""
    whole = settings.model_copy(update={"rounds": 1, "pairs": pairs})
    return domain.model_copy(update={"methods": domain.methods.model_copy(update={"constitutional": whole})})


def _pair_samples(setting: Setting, settings: Constitutional) -> list[Samples]:
    """Critiques and revisions over the shortest answers, over usual ones, and over the longest."""
    domain, methods, typical = setting.domain, setting.domain.methods, setting.typical
    ratio = LIKELY_RATIO[domain.language]
    one_round = _one_round(domain, settings, SAMPLES)
    longest = max(methods.distillation.max_tokens, settings.max_tokens, methods.reasoning.max_tokens if methods.reasoning else 0)
    made = []
    for prompt, response, critique in (
        (1, 1, 1),
        (int(typical.instruction / ratio), int(typical.response / ratio), int(CRITIQUE / ratio)),
        (2 * setting.longest() + 2, longest, 1 << 30),
    ):
        rows = [
            {"id": row["id"], "instruction_id": row["id"], "topic": row["topic"], "prompt": row["instruction"], "response": filler(response), "model": ""}
            for row in sample_rows(domain, prompt)
        ]
        plan = constitutional.plan(one_round, rows, setting.profile, None, Outcome())
        made.append(requests_of(plan, lambda request, size=critique: filler(min(size, request.max_tokens)), 2))  # type: ignore[misc]
    short, usual, long = made
    return [Samples(short[place], usual[place], long[place]) for place in (0, 1)]
