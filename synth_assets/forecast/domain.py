"""A domain's forecast: the stages in the order of the graph, each from what the one before it makes, priced.

The methods' own plans say what is asked: driven by the ledger as far as it goes, and by made-up rows of the shortest, usual and longest
texts for what is not known yet. Invariant: nothing is asked, written or started, and what a run that reaches its end then pays is within
low and high; a run that stops earlier pays less, and calls whose outcome was lost on the wire count beside their three tries. What a judge is asked
about answers that people corrected counts beside it too (`judging`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from synth_assets.accounts import Outcome
from synth_assets.domain_files import LoadedDomain
from synth_assets.forecast.answers import forecast_pairs, forecast_responses
from synth_assets.forecast.evolution import forecast_evolved
from synth_assets.forecast.instructions import forecast_generated
from synth_assets.forecast.interval import NOTHING, Interval
from synth_assets.forecast.judging import forecast_candidates, forecast_references, judge_of
from synth_assets.forecast.known import Known
from synth_assets.forecast.parts import Part, Setting
from synth_assets.forecast.past import STAGES, Past
from synth_assets.forecast.sizes import typical_of
from synth_assets.methods import constitutional, reasoning
from synth_assets.methods import seeds as seeds_method
from synth_assets.methods.instruction_pool import InstructionPool
from synth_assets.teacher.messages import Profile
from synth_assets.teacher.prices import BATCH, CACHE_READ, CACHE_WRITE, Price, thinking_of

__all__ = ["DomainForecast", "Terms", "Use", "forecast", "total"]


@dataclass(frozen=True)
class Terms:
    """What a call costs."""

    price: Price | None
    """None where nobody knows it."""
    caches_prompts: bool = False
    """Whether the endpoint may read a part of a prompt from its cache, at a lower price."""


@dataclass(frozen=True)
class Use:
    """What one stage, one domain or all of them will use."""

    calls: Interval = NOTHING
    input_tokens: Interval = NOTHING
    output_tokens: Interval = NOTHING
    usd: Interval | None = NOTHING
    """None where the price is unknown."""

    def __add__(self, other: "Use") -> "Use":
        usd = None if self.usd is None or other.usd is None else self.usd + other.usd
        return Use(self.calls + other.calls, self.input_tokens + other.input_tokens, self.output_tokens + other.output_tokens, usd)


@dataclass(frozen=True)
class DomainForecast:
    """The forecast of one domain."""

    domain: str
    stages: Mapping[str, Use]
    """By stage, in the order of the graph; a call that two stages use is the earlier one's."""
    measured: bool
    """Whether an earlier run says what is likely."""
    notes: tuple[str, ...] = ()
    """What the reader must know: what was left out, and why."""

    @property
    def use(self) -> Use:
        """All stages together."""
        return total(self.stages.values())


def total(uses: Iterable[Use]) -> Use:
    """The sum of uses."""
    found = Use()
    for use in uses:
        found += use
    return found


def forecast(
    loaded: LoadedDomain,
    profile: Profile,
    terms: Terms,
    known: Known,
    past: Past,
    verify: reasoning.Verify,
    waves: int = 1,
    similarity: constitutional.Similarity | None = None,
) -> DomainForecast:
    """What a run of this domain will ask and pay from now on, for so many waves of candidates.

    Args:
        loaded: The domain.
        profile: The teacher.
        terms: What its calls cost.
        known: What the ledger has.
        past: What an earlier run used.
        verify: As for traces.
        waves: Of candidates.
        similarity: As the run's own, with None for a pair that it will compare first; None where runs compare nothing in the domain's language.
    """
    domain = loaded.config
    outcome = Outcome()
    seeds_method.seeds(loaded, outcome)
    seeds = sorted(outcome.kept, key=lambda row: str(row["id"]))
    typical = typical_of(domain, [(f"{row['instruction']}{row['input']}", row["response"]) for row in seeds])
    setting = Setting(domain, profile, known, past, typical, thinking_of(profile.model).room, similarity)
    pool = InstructionPool(domain.language, seeds)
    made, pooled = Outcome(), Outcome()
    judged = judge_of(setting) is not None
    parts: dict[str, list[Part]] = {stage: [] for stage in (*STAGES, *(["filtered"] if judged else []))}
    parts["preference_pairs"] += forecast_references(setting, seeds)
    certain = True
    for wave in range(waves):
        instructions, generated = forecast_generated(setting, seeds, pool, made, known=certain)
        evolutions, evolved = forecast_evolved(setting, seeds, generated, pooled, first=not wave)
        answers, plain, traces = forecast_responses(setting, evolved, generated.more, verify)
        revisions, pairs = forecast_pairs(setting, plain, traces, verify)
        for stage, own in zip(STAGES, (instructions, evolutions, answers, revisions), strict=True):
            parts[stage] += own
        if judged:
            parts["filtered"] += forecast_candidates(setting, plain, traces, pairs)
        certain = certain and generated.exact
        if wave and generated.exact and not generated.known:
            break
    by_batch = domain.mode == "batch" and not profile.small
    notes = [f"{waves} waves of candidates are planned: targets, and what was accepted so far, ask for them."] if waves > 1 else []
    if domain.methods.magpie is not None and not profile.raw_prompt:
        notes.append("magpie needs an endpoint that takes raw prompts, and this one takes none: no Magpie row will be made.")
    return DomainForecast(domain.name, {stage: _use(own, terms, by_batch=by_batch) for stage, own in parts.items()}, bool(past), tuple(notes))


def _use(parts: Sequence[Part], terms: Terms, *, by_batch: bool) -> Use:
    whole = Use()
    for part in parts:
        read, written = part.calls * part.read, part.calls * part.written
        use = Use(part.calls, read, written, None)
        if terms.price is not None:
            discount = BATCH if by_batch and part.batched else 1.0
            into, out = (discount * price / 1e6 for price in (terms.price.input, terms.price.output))
            low = CACHE_READ if terms.caches_prompts else 1.0
            use = replace(use, usd=read.scaled(low * into, into, CACHE_WRITE * into) + written.scaled(out, out, out))
        whole += use
    return whole
