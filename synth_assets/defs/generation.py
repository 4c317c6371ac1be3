"""The assets in which text is made: seeds, generated and evolved instructions, the teacher's responses, preference pairs."""

from typing import Any

import dagster as dg

from synth_assets import progress
from synth_assets.accounts import Outcome
from synth_assets.config import Domain
from synth_assets.defs.resources import DomainsResource, EmbedderResource, TeacherResource, WarehouseResource
from synth_assets.defs.stage import code_version, stage_asset, store
from synth_assets.defs.waves import in_waves, inherit, settle, waves_in
from synth_assets.methods import (
    best_of_n,
    constitutional,
    distillation,
    elimination,
    evol_instruct,
    instances,
    instruction_pool,
    judge,
    magpie,
    reasoning,
    revisions,
    scoring,
    self_instruct,
    verified_pairs,
)
from synth_assets.methods import seeds as seeds_method

GROUP = "generation"


def begin(domain: Domain, stage: str) -> Outcome:
    """An empty account for a stage, shown to whoever watches."""
    outcome = Outcome()
    watcher = progress.current()
    if watcher is not None:
        watcher.begins(domain.name, stage, outcome)
    return outcome


@stage_asset("seeds", group=GROUP, version=code_version(seeds_method), kinds=["python"])
def seeds(context: dg.AssetExecutionContext, warehouse: WarehouseResource, domains: DomainsResource) -> dg.MaterializeResult[Any]:
    """Seeds as the domain's file has them now."""
    loaded = domains.load(context.partition_key)
    outcome = begin(loaded.config, "seeds")
    seeds_method.seeds(loaded, outcome)
    return store(context, warehouse.open(), "seeds", outcome, domain=loaded.config)


@stage_asset(
    "generated_instructions", group=GROUP, version=code_version(self_instruct, instances, magpie, instruction_pool), deps=["seeds"], kinds=["anthropic"]
)
def generated_instructions(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, domains: DomainsResource, teacher: TeacherResource
) -> dg.MaterializeResult[Any]:
    """Self-Instruct and Magpie over one growing pool."""
    domain, database = domains.load(context.partition_key).config, warehouse.open()
    outcome = begin(domain, "generated_instructions")
    profile, seed_rows = teacher.profile(domain), database.read_passed("seeds", domain.name)
    pool = instruction_pool.InstructionPool(domain.language, seed_rows)
    plan = settle(context, database, domain, profile, len(seed_rows))
    notes: dict[str, str] = {}

    def make(wave: int) -> None:
        teacher.drive(domain, self_instruct.plan(domain, pool, profile, outcome))
        if refused := teacher.magpie(domain, magpie.plan(domain, pool, profile, outcome), outcome):
            context.log.warning(refused)
            notes["magpie"] = refused

    waves = in_waves(context, database, domain, profile, plan.waves, outcome, make, to_last=True)
    return store(context, database, "generated_instructions", outcome, domain=domain, calls=teacher.calls(outcome), metrics={"waves": waves}, notes=notes)


@stage_asset(
    "evolved_instructions",
    group=GROUP,
    version=code_version(evol_instruct, elimination, distillation),
    deps=["seeds", "generated_instructions"],
    kinds=["anthropic"],
)
def evolved_instructions(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, domains: DomainsResource, teacher: TeacherResource
) -> dg.MaterializeResult[Any]:
    """The pool to be answered: seeds, generated instructions and their evolutions."""
    domain, database = domains.load(context.partition_key).config, warehouse.open()
    outcome = begin(domain, "evolved_instructions")
    profile, seed_rows = teacher.profile(domain), database.read_passed("seeds", domain.name)
    generated = database.read_passed("generated_instructions", domain.name)

    def make(wave: int) -> None:
        roots = [row for row in generated if (row["wave"] or 0) == wave]
        teacher.drive(domain, evol_instruct.plan(domain, roots if wave else [*seed_rows, *roots], profile, outcome))

    in_waves(context, database, domain, profile, waves_in(generated), outcome, make)
    return store(context, database, "evolved_instructions", outcome, domain=domain, calls=teacher.calls(outcome))


@stage_asset("teacher_responses", group=GROUP, version=code_version(distillation, reasoning), deps=["evolved_instructions"], kinds=["anthropic"])
def teacher_responses(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, domains: DomainsResource, teacher: TeacherResource
) -> dg.MaterializeResult[Any]:
    """Reasoning traces for instructions with a reference answer where the domain wants them, plain answers for the others."""
    from synth_assets.quality.verification import verify_all

    domain, database = domains.load(context.partition_key).config, warehouse.open()
    outcome = begin(domain, "teacher_responses")
    profile, pool = teacher.profile(domain), database.read_passed("evolved_instructions", domain.name)

    def make(wave: int) -> None:
        asked = [row for row in pool if (row["wave"] or 0) == wave]
        traced = [row for row in asked if reasoning.traced(domain, row)]
        plain = [row for row in asked if not reasoning.traced(domain, row)]
        teacher.drive(domain, reasoning.plan(domain, traced, profile, verify_all, outcome))
        teacher.drive(domain, distillation.plan(domain, plain, profile, outcome))

    in_waves(context, database, domain, profile, waves_in(pool), outcome, make)
    inherit(outcome, {row["id"]: row for row in pool}, "instruction_id")
    return store(context, database, "teacher_responses", outcome, domain=domain, calls=teacher.calls(outcome))


@stage_asset(
    "preference_pairs",
    group=GROUP,
    version=code_version(constitutional, revisions, best_of_n, judge, scoring, verified_pairs),
    deps=["seeds", "teacher_responses", "reward_model"],
    kinds=["anthropic"],
)
def preference_pairs(
    context: dg.AssetExecutionContext,
    warehouse: WarehouseResource,
    domains: DomainsResource,
    teacher: TeacherResource,
    embedder: EmbedderResource,
) -> dg.MaterializeResult[Any]:
    """Critique and revision of the teacher's own answers, and the best and worst of n new ones; both sides scored by the reward model."""
    from synth_assets.defs.rewards import Rewards
    from synth_assets.quality.verification import verify_all

    domain, database = domains.load(context.partition_key).config, warehouse.open()
    outcome = begin(domain, "preference_pairs")
    responses = database.read_passed("teacher_responses", domain.name)
    rewards, profile = Rewards.of(database, embedder.open(), domain, teacher), teacher.profile(domain)

    def make(wave: int) -> None:
        answered = [row for row in responses if (row["wave"] or 0) == wave]
        teacher.drive(domain, constitutional.plan(domain, answered, profile, rewards.similarity, outcome))
        teacher.drive(domain, best_of_n.plan(domain, answered, profile, rewards.scorer, outcome))

    in_waves(context, database, domain, profile, waves_in(responses), outcome, make)
    verified_pairs.verify_pairs(responses, verify_all, outcome)
    inherit(outcome, {row["id"]: row for row in responses}, "response_id")
    teacher.drive(domain, scoring.score_pairs(rewards.scorer, rewards.calibration, outcome))
    return store(context, database, "preference_pairs", outcome, domain=domain, calls=teacher.calls(outcome))
