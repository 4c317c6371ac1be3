"""The estimate of a run: the forecasts of its domains, from the domain files, the ledger and the warehouse as they are now.

Invariant: only reads. A ledger, a warehouse or a cache of embeddings that is not there is not made, no teacher is started, and no key of access is needed.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from synth_assets.domain_files import LoadedDomain
from synth_assets.errors import BudgetExceeded
from synth_assets.forecast.compared import compared_in
from synth_assets.forecast.domain import DomainForecast, Terms, Use, forecast, total
from synth_assets.forecast.interval import Interval
from synth_assets.forecast.known import known_in, nothing_known
from synth_assets.forecast.past import Past, past_of, seconds_per_token
from synth_assets.home import Home
from synth_assets.quality.embeddings import Embedder
from synth_assets.quality.verification import verify_all
from synth_assets.teacher.choice import Choice, choose, concurrency_of, endpoint_of
from synth_assets.teacher.ledger_report import reading, spent_usd
from synth_assets.warehouse import Warehouse
from synth_assets.waves.plans import decide

__all__ = ["Estimate", "estimate", "require_budget"]


@dataclass(frozen=True)
class Estimate:
    """What a run of these domains will ask and pay."""

    choice: Choice
    domains: Sequence[DomainForecast]
    spent_usd: float
    """What this home has spent so far: the budget counts it."""
    seconds: Interval | None
    """How long the teacher will write, at the pace of earlier runs; None where there is none."""

    @property
    def use(self) -> Use:
        """All domains together."""
        return total(domain.use for domain in self.domains)


def estimate(home: Home, env: Mapping[str, str], domains: Sequence[LoadedDomain]) -> Estimate:
    """Forecast a run of `domains` with the teacher that `env` asks for."""
    choice = choose(env)
    warehouse = Warehouse(home.warehouse) if home.warehouse.exists() else None
    ledger, embedder = home.root / "ledger.sqlite", Embedder(home.embeddings)
    terms = Terms(choice.price, "claude" in choice.model)
    spent = 0.0
    forecasts = []
    with ExitStack() as stack:
        con, endpoint = None, None
        if ledger.exists():
            con, endpoint = stack.enter_context(reading(ledger)), endpoint_of(choice, home.root, env)
            spent = spent_usd(con)
        for loaded in domains:
            domain = loaded.config
            past: Past = past_of(warehouse, domain.name) if warehouse is not None else {}
            known = known_in(con, endpoint, domain.name, domain.language) if con is not None and endpoint is not None else nothing_known()
            waves = decide(warehouse, domain, choice.profile, len(loaded.seeds)).waves if warehouse is not None else 1
            similarity = compared_in(embedder, domain.language)
            forecasts.append(forecast(loaded, choice.profile, terms, known, past, verify_all, waves, similarity))
    pace = seconds_per_token(warehouse, choice.model) if warehouse is not None else None
    written = total(domain.use for domain in forecasts).output_tokens
    at_once = concurrency_of(choice, env)
    seconds = None if pace is None else written.scaled(pace / at_once, pace / at_once, pace)
    return Estimate(choice, forecasts, spent, seconds)


def require_budget(home: Home, env: Mapping[str, str], domains: Sequence[LoadedDomain]) -> None:
    """Return where calls cost nothing, or somebody said for each of `domains` how much they may cost.

    Raises:
        BudgetExceeded: nobody did. The message has the estimate, and what to set.
    """
    choice = choose(env)
    without = [loaded.config.name for loaded in domains if loaded.config.budget_usd is None]
    if not choice.paid or env.get("SYNTH_BUDGET_USD", "").strip() or not without:
        return
    found = estimate(home, env, domains)
    lines = [f"{choice.announcement} A paid teacher does not start without a budget, and {', '.join(without)} {'has' if len(without) == 1 else 'have'} none."]
    usd = found.use.usd
    if usd is None:
        calls, read, written = found.use.calls, found.use.input_tokens, found.use.output_tokens
        lines.append(
            f"The run will make some {calls.likely:,.0f} calls, with {read.likely:,.0f} tokens read and {written.likely:,.0f} written. Set "
            "SYNTH_PRICE_USD_PER_MTOK to the model's price, such as 3,15, and `synth-assets estimate` says what they cost. Then set SYNTH_BUDGET_USD."
        )
        raise BudgetExceeded("\n".join(lines))
    lines.append("What this run is going to cost (likely, and from the least to the most that it can):")
    for name, own in [*((domain.domain, domain.use.usd) for domain in found.domains), ("all", usd)]:
        if own is not None:
            lines.append(f"  {name}: ${own.likely:.4f} ($ {own.low:.4f} to {own.high:.4f})".replace("$ ", "$"))
    most, likely = _cents(found.spent_usd + usd.high), _cents(found.spent_usd + 1.5 * usd.likely)
    before = f" with the ${found.spent_usd:.4f} that this home has spent already" if found.spent_usd else ""
    lines.append(
        f"Set SYNTH_BUDGET_USD={most} to allow the most{before}, or SYNTH_BUDGET_USD={likely} for half more than is likely; or budget_usd in a domain's file. "
        "A run stops at its budget with what it has, and goes on when the budget is raised."
    )
    raise BudgetExceeded("\n".join(lines))


def _cents(usd: float) -> str:
    return f"{math.ceil(usd * 100) / 100:.2f}"
