"""Where a domain stands against its targets, what a top-up would do next, and why nothing more comes where it would do nothing."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from synth_assets.config import Domain
from synth_assets.errors import TeacherRefusedAccess
from synth_assets.teacher.messages import Profile
from synth_assets.warehouse import Warehouse
from synth_assets.waves.plans import BUDGET, EXHAUSTED, in_force
from synth_assets.waves.rates import KINDS, makes_more, rates_of

__all__ = ["Standing", "limits_of", "standing", "standing_now"]


@dataclass(frozen=True)
class Standing:
    """Accepted rows against wanted ones, after the last run."""

    domain: str
    run_id: str
    """The run that chose the rows."""
    wanted: Mapping[str, int]
    """By kind, those above 0."""
    accepted: Mapping[str, int]
    waves: int
    """Waves behind the rows."""
    following: int | None
    """Waves that a top-up makes next, all of them together; None where it does nothing."""
    why: str
    """Why it does that, or nothing."""

    @property
    def short(self) -> dict[str, int]:
        """Rows that are missing, by kind."""
        return {kind: wanted - self.accepted[kind] for kind, wanted in self.wanted.items() if self.accepted[kind] < wanted}

    @property
    def words(self) -> str:
        """The shortfall in one sentence or two; empty where there is none."""
        if not self.short:
            return ""
        missing = ", ".join(f"{kind} {self.accepted[kind]} of {self.wanted[kind]}" for kind in self.short)
        return f"{missing} after {self.waves} wave{'s' * (self.waves != 1)}. {self.why}"


def standing(database: Warehouse, domain: Domain, profile: Profile, limits: str) -> Standing | None:
    """Where `domain` stands; None where nothing was filtered yet. `limits` are those of the budget, in words."""
    newest = database.latest("filtered", domain.name)
    if newest is None:
        return None
    passed: dict[tuple[str, int], int] = {(row["kind"], row["wave"]): row["rows"] for row in database.query(_ACCEPTED, {"domain": domain.name})}
    wanted = {kind: rows for kind in KINDS if (rows := getattr(domain.targets, kind))}
    accepted = {kind: sum(rows for (of, _), rows in passed.items() if of == kind) for kind in wanted}
    waves = int(json.loads(newest["metrics"]).get("waves", 1))
    by_wave = [{kind: passed.get((kind, wave), 0) for kind in wanted} for wave in range(waves)]
    short = {kind: wanted[kind] - accepted[kind] for kind in wanted if accepted[kind] < wanted[kind]}
    following, why = _following(database, domain, profile, limits, short, by_wave) if short else (None, "every target is reached")
    return Standing(domain.name, newest["run_id"], wanted, accepted, waves, following, why)


def standing_now(database: Warehouse, domain: Domain, env: Mapping[str, str] = os.environ) -> Standing | None:
    """Where `domain` stands, with the teacher and the budget that `env` names; None where nothing was filtered yet, or `env` names no teacher."""
    from synth_assets.teacher.choice import choose

    try:
        profile = choose(env).profile
    except TeacherRefusedAccess:
        return None
    return standing(database, domain, profile, limits_of(domain, env))


def _following(
    database: Warehouse, domain: Domain, profile: Profile, limits: str, short: Mapping[str, int], by_wave: list[dict[str, int]]
) -> tuple[int | None, str]:
    """Waves to be made next, and the reason."""
    plan = in_force(database, domain, profile)
    waves = len(by_wave)
    if plan is None:
        return None, "Targets, methods, seed or teacher have changed since: run the domain first."
    if not makes_more(domain, profile):
        return None, "No method makes new instructions here: add methods.self_instruct, or more seeds."
    if plan.waves > waves:
        return plan.waves, f"{plan.waves} waves are planned and not all through: run the domain again."
    if plan.reason == BUDGET and plan.detail == limits:
        return None, f"The budget ended wave {plan.waves + 1} ({limits}): raise it, then top up again."
    if plan.reason == EXHAUSTED:
        return None, f"{plan.detail}: raise attempts_per_target, or add seeds, topics or attributes."
    if plan.waves >= domain.targets.waves:
        return None, f"That is the limit, targets.waves: {domain.targets.waves}. Raise it, widen what rejects most, or ask for less."
    if waves > 1 and not any(by_wave[-1][kind] for kind in short):
        return (
            None,
            f"The last wave had no row of {' or '.join(short)} accepted: the teacher repeats itself, or a gate lets nothing pass. See what rejects most.",
        )
    if waves > 1:
        likely = {kind: sum(wave[kind] for wave in by_wave[1:]) / (waves - 1) for kind in short}
    else:
        rates = rates_of(database, domain.name, profile.model)
        likely = rates.expected(domain, profile) if rates is not None else dict.fromkeys(short, 0.0)
    more = max(_ceil(rows / likely[kind]) if likely[kind] else 1 for kind, rows in short.items())
    following = min(waves + more, domain.targets.waves)
    each = ", ".join(f"{kind} {likely[kind]:.1f}" for kind in short)
    return following, f"A further wave is likely to add {each}: a top-up goes on to {following} waves."


def _ceil(amount: float) -> int:
    return max(1, int(-(-amount // 1)))


def limits_of(domain: Domain, env: Mapping[str, str] = os.environ) -> str:
    """The limits of the budget that are in force, in words."""
    own = "none" if domain.budget_usd is None else f"{domain.budget_usd:g}"
    return f"SYNTH_BUDGET_USD={env.get('SYNTH_BUDGET_USD', '').strip() or 'none'}, budget_usd={own}"


_ACCEPTED = """
select kind, wave, count(*) as rows from (
    select kind, coalesce(wave, 0) as wave from synth.filtered where domain = $domain
    union all
    select row->>'$.kind', coalesce(try_cast(row->>'$.wave' as integer), 0) from synth.surplus where domain = $domain and stage = 'filtered'
) group by all
"""
