"""Acceptance rates, learned from what a domain's last run made and what became of it, and what a wave is likely to have accepted by them.

Rates are per instruction and per pair, not per wave, so that they hold where a method's target or the share of evolved roots has changed since. Rates
of another teacher are none: a small model's would have a strong one, which is paid, make many times what is needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from synth_assets.config import Domain
from synth_assets.teacher.messages import Profile
from synth_assets.warehouse import Warehouse

__all__ = ["KINDS", "Rates", "makes_more", "rates_of"]

KINDS = ("sft", "preference")


@dataclass(frozen=True)
class Rates:
    """What a domain's last run says about the next one."""

    standing: float
    """Evolutions that stood per evolution that was tried, 0 to 1."""
    accepted: Mapping[str, float]
    """Rows that passed every gate, kept or surplus: of sft per instruction of the pool, of preference per pair that was begun."""

    def expected(self, domain: Domain, profile: Profile, seeds: int = 0) -> dict[str, float]:
        """Rows by kind that one wave is likely to have accepted; the first wave has `seeds` too."""
        methods = domain.methods
        pool = float(seeds + _instructions(domain, profile))
        if methods.evol_instruct is not None:
            pool += min(pool, methods.evol_instruct.roots or pool) * methods.evol_instruct.rounds * self.standing
        pairs = sum(min(pool, section.pairs) for name in ("constitutional", "best_of_n") if (section := getattr(methods, name, None)) is not None)
        return {"sft": pool * self.accepted["sft"], "preference": pairs * self.accepted["preference"]}

    def waves_for(self, domain: Domain, profile: Profile, seeds: int) -> int:
        """Waves after which every target is likely to be reached, by `targets.waves` at most."""
        first, later = self.expected(domain, profile, seeds), self.expected(domain, profile)
        for waves in range(1, domain.targets.waves):
            if all(first[kind] + (waves - 1) * later[kind] >= getattr(domain.targets, kind) for kind in KINDS):
                return waves
        return domain.targets.waves


def makes_more(domain: Domain, profile: Profile) -> bool:
    """Whether a further wave can have anything in it: whether a method that this teacher can be asked for makes new instructions."""
    return _instructions(domain, profile) > 0


def _instructions(domain: Domain, profile: Profile) -> int:
    """New instructions in a wave."""
    made = (domain.methods.self_instruct, domain.methods.magpie if profile.raw_prompt else None)
    return sum(section.target for section in made if section is not None)


def rates_of(database: Warehouse, domain: str, model: str) -> Rates | None:
    """The rates of the last run of `domain`; None where it did not come to the gates, or `model` did not write its answers.

    A run that was killed leaves rows that the gates never saw beside those that they accepted of an earlier run.
    """
    (found,) = database.query(_COUNTS, {"domain": domain, "model": model})
    if not found["pool"] or not found["answers"] or not found["gated"]:
        return None
    tried = max(1, found["evolved_planned"] - found["roots"])
    accepted = {"sft": found["sft"] / found["pool"], "preference": found["preference"] / max(1, found["pairs"])}
    return Rates(found["evolved"] / tried, accepted)


_COUNTS = """
with passed as (
    select kind from synth.filtered where domain = $domain
    union all select row->>'$.kind' from synth.surplus where domain = $domain and stage = 'filtered'
),
account as (select stage, planned from synth.stage_accounts where domain = $domain),
gates as (select max(materialized_at) as at from synth.stage_history where domain = $domain and stage = 'filtered'),
candidates as (
    select arg_max(data_version, materialized_at) as standing, arg_max(data_version, materialized_at) filter (where materialized_at < gates.at) as gated
    from synth.stage_history, gates
    where domain = $domain and stage in ('evolved_instructions', 'teacher_responses', 'preference_pairs')
    group by stage
)
select
    (select bool_and(standing is not distinct from gated) from candidates) as gated,
    (select count(*) from synth.evolved_instructions where domain = $domain) as pool,
    (select count(*) from synth.evolved_instructions where domain = $domain and round = 0) as roots,
    (select count(*) from synth.evolved_instructions where domain = $domain and round > 0) as evolved,
    coalesce((select planned from account where stage = 'evolved_instructions'), 0) as evolved_planned,
    coalesce((select planned from account where stage = 'preference_pairs'), 0) as pairs,
    (select count(*) from synth.teacher_responses where domain = $domain and model = $model) as answers,
    (select count(*) from passed where kind = 'sft') as sft,
    (select count(*) from passed where kind = 'preference') as preference
"""
