"""The waves of a stage: made one after the other, each whole or not at all, and its rows marked with its number.

The plan is settled once per run, by the first stage that asks the teacher; the stages after it make the waves that they find in its rows. Where the
budget ends a wave beyond the first, the plan is lowered to the waves before it and the stage goes on with those; a wave without a new instruction is
the last.
"""

from collections.abc import Callable, Mapping, Sequence

import dagster as dg

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.errors import BudgetExceeded
from synth_assets.teacher.messages import Profile
from synth_assets.warehouse import Warehouse
from synth_assets.waves import plans
from synth_assets.waves.standing import limits_of

__all__ = ["TAG", "in_waves", "inherit", "settle", "waves_in"]

TAG = "synth/waves"
"""A run with this tag makes so many waves from now on: how the sensor `top_up` and `synth-assets run --top-up` ask for more."""


def settle(context: dg.AssetExecutionContext, database: Warehouse, domain: Domain, profile: Profile, seeds: int) -> plans.Plan:
    """The plan of this run, written."""
    plan = plans.decide(database, domain, profile, seeds)
    asked = context.run.tags.get(TAG, "")
    if asked.isdecimal():
        plan = plans.raise_to(plan, min(int(asked), domain.targets.waves), f"asked for by run {context.run.run_id}")
    return plans.record(database, domain, plan)


def waves_in(rows: Sequence[Row]) -> int:
    """Waves that the rows of a stage are of."""
    return 1 + max((row["wave"] or 0 for row in rows), default=0)


def in_waves(
    context: dg.AssetExecutionContext,
    database: Warehouse,
    domain: Domain,
    profile: Profile,
    waves: int,
    outcome: Outcome,
    make: Callable[[int], None],
    *,
    to_last: bool = False,
) -> int:
    """Let `make` fill `outcome` wave by wave; returns how many were made. With `to_last` one that keeps nothing ends it, for the stages after it too."""
    for wave in range(waves):
        kept, rejected = len(outcome.kept), len(outcome.rejected)
        try:
            with outcome.all_or_nothing():
                make(wave)
        except BudgetExceeded as stop:
            if wave == 0:
                raise
            context.log.warning(f"The budget ended wave {wave + 1} of {domain.name}: {stop}")
            _end(database, domain, profile, wave, plans.BUDGET, limits_of(domain))
            return wave
        for row in (*outcome.kept[kept:], *(r.row for r in outcome.rejected[rejected:]), *(row for row in outcome.surplus if "wave" not in row)):
            row["wave"] = wave
        if wave and to_last and len(outcome.kept) == kept:
            _end(database, domain, profile, wave + 1, plans.EXHAUSTED, f"Wave {wave + 1} had no new instruction accepted within its limit of attempts")
            return wave + 1
    return waves


def _end(database: Warehouse, domain: Domain, profile: Profile, waves: int, reason: str, detail: str) -> None:
    plan = plans.in_force(database, domain, profile)
    if plan is not None:
        plans.record(database, domain, plans.end_at(plan, waves, reason, detail))


def inherit(outcome: Outcome, parents: Mapping[str, Row], by: str) -> None:
    """Give every candidate the attributes of its parent, which `by` names."""
    for row in (*outcome.kept, *(r.row for r in outcome.rejected), *outcome.surplus):
        row["attributes"] = parents[row[by]]["attributes"]
