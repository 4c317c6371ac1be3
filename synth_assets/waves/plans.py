"""The decision how many waves a domain makes: a row of `wave_plans`, written before anything is asked.

So a rerun makes the same waves and asks nothing, and a run that was killed goes on. A domain makes one wave at first; with new targets, methods or
another teacher as many as the rates of its last run promise to need. Invariant: the plan for unchanged settings only grows, unless the budget ends a
wave, which then is none (waves are made whole or not at all), or one has no instruction accepted within its limit of attempts, and is the last.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from synth_assets.config import Domain
from synth_assets.identity import digest
from synth_assets.teacher.messages import Profile
from synth_assets.warehouse import Warehouse
from synth_assets.waves.rates import rates_of

__all__ = ["BUDGET", "EXHAUSTED", "Plan", "decide", "end_at", "in_force", "last", "raise_to", "record"]

FIRST, LEARNED, TOP_UP, BUDGET, EXHAUSTED = "first", "learned", "top_up", "budget", "exhausted"


@dataclass(frozen=True)
class Plan:
    """How many waves a domain makes, and why."""

    settings: str
    """Digest of what a wave is made by."""
    waves: int
    reason: str
    detail: str
    number: int = 0
    """Of the decision; 0 for one that is not written yet."""


def settings_of(domain: Domain, profile: Profile) -> str:
    """Digest of what decides how many waves are needed: targets, methods, seed and teacher. The limit of waves is none of it: it may be raised."""
    targets = domain.targets.model_dump(exclude={"waves"})
    return digest([targets, domain.methods.model_dump(mode="json"), domain.seed, profile.model])[:20]


def in_force(database: Warehouse, domain: Domain, profile: Profile) -> Plan | None:
    """The last decision for these settings; None where there is none yet."""
    found = database.query(f"{_PLANS} and settings = ? order by number desc limit 1", [domain.name, settings_of(domain, profile)])
    return Plan(**found[0]) if found else None


def last(database: Warehouse, domain: str) -> Plan | None:
    """The last decision for whatever settings: the one that the rows in the warehouse were made by."""
    found = database.query(f"{_PLANS} order by decided_at desc, number desc limit 1", [domain])
    return Plan(**found[0]) if found else None


def decide(database: Warehouse, domain: Domain, profile: Profile, seeds: int) -> Plan:
    """The plan in force, or the one that is made now where there is none; nothing is written."""
    if (plan := in_force(database, domain, profile)) is not None:
        return plan
    settings, rates = settings_of(domain, profile), rates_of(database, domain.name, profile.model)
    if rates is None:
        return Plan(settings, 1, FIRST, "no earlier run by this teacher says how much is accepted")
    accepted = ", ".join(f"{kind} {rate:.2f}" for kind, rate in rates.accepted.items())
    return Plan(settings, rates.waves_for(domain, profile, seeds), LEARNED, f"accepted per instruction and per pair in the last run: {accepted}")


def record(database: Warehouse, domain: Domain, plan: Plan) -> Plan:
    """Write a decision, if it is not written yet."""
    if plan.number:
        return plan
    newest = database.query(f"{_PLANS} and settings = ? order by number desc limit 1", [domain.name, plan.settings])
    written = replace(plan, number=1 + (newest[0]["number"] if newest else 0))
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    database.append("wave_plans", [{"domain": domain.name, **vars(written), "decided_at": now}])
    return written


def raise_to(plan: Plan, waves: int, detail: str) -> Plan:
    """A decision for more waves; the same where there are as many."""
    return plan if plan.waves >= waves else replace(plan, waves=waves, reason=TOP_UP, detail=detail, number=0)


def end_at(plan: Plan, waves: int, reason: str, detail: str) -> Plan:
    """A decision for no more than the `waves` that were made, because the budget or the limit of attempts ended it; the same where it says so already."""
    return plan if (plan.waves, plan.reason) == (waves, reason) else replace(plan, waves=waves, reason=reason, detail=detail, number=0)


_PLANS = "select settings, waves, reason, detail, number from synth.wave_plans where domain = ?"
