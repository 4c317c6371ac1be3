"""The passage of a handful through the stages: the methods and gates of a run, without Dagster and without its warehouse.

Every request and reply is noted on its way, so that each row can be shown with what was asked for it. Calls go through the ledger of the home, under
its budgets. Invariant: the warehouse of the home is only read, for the reward model and
the calibration in force; where there is none yet, one is made in a temporary folder.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.defs.resources import TeacherResource
from synth_assets.defs.rewards import Rewards
from synth_assets.defs.selection import benchmark_items, benchmark_rows
from synth_assets.domain_files import LoadedDomain
from synth_assets.home import Home
from synth_assets.methods import (
    best_of_n,
    constitutional,
    distillation,
    evol_instruct,
    instruction_pool,
    magpie,
    reasoning,
    scoring,
    self_instruct,
    verified_pairs,
)
from synth_assets.methods import seeds as seeds_method
from synth_assets.preview.handful import made_small, seeds_for
from synth_assets.quality import gates
from synth_assets.quality.decontamination import Index
from synth_assets.quality.embeddings import Embedder
from synth_assets.quality.verification import verify_all
from synth_assets.teacher.choice import choose
from synth_assets.teacher.client import Teacher
from synth_assets.teacher.messages import Plan, Reply, Request
from synth_assets.warehouse import Warehouse

__all__ = ["Passage", "pass_through"]


@dataclass
class Passage:
    """What became of a handful."""

    domain: str
    stages: dict[str, Outcome] = field(default_factory=dict)
    """By stage, in the order of the graph."""
    asked: dict[str, tuple[Request, Reply]] = field(default_factory=dict)
    """By the call's key."""
    notes: list[str] = field(default_factory=list)
    """What was left out, and why."""


def pass_through(loaded: LoadedDomain, rows: int, teacher: Teacher, home: Home) -> Passage:
    """Take `rows` seeds and as many attempts of every method through all stages."""
    domain, profile = loaded.config, teacher.profile
    small = made_small(domain, rows)
    passage = Passage(domain.name)

    def drive(plan: Plan) -> None:
        teacher.run(_noted(plan, passage), max_failed_share=domain.gates.max_failed_share)

    def begin(stage: str) -> Outcome:
        return passage.stages.setdefault(stage, Outcome())

    seeded = Outcome()
    seeds_method.seeds(loaded, seeded)
    every = _in_order(seeded.kept)
    seeds = seeds_for(domain, every, rows, profile)
    generated = begin("generated_instructions")
    pool = instruction_pool.InstructionPool(domain.language, every)
    drive(self_instruct.plan(small, pool, profile, generated))
    if domain.methods.magpie is not None and (refusal := choose().refuses_magpie(domain.name)):
        passage.notes.append(refusal)
    else:
        drive(magpie.plan(small, pool, profile, generated))
    evolved = begin("evolved_instructions")
    made = _in_order(generated.kept)
    whole = domain.methods.evol_instruct is None or domain.methods.evol_instruct.roots is None
    drive(evol_instruct.plan(small, [*seeds, *made] if whole else seeds, profile, evolved))
    if not whole:
        drive(evol_instruct.plan(_unevolved(small), made, profile, evolved))
    answered = begin("teacher_responses")
    asked = _in_order(evolved.kept)
    drive(reasoning.plan(small, [row for row in asked if reasoning.traced(domain, row)], profile, verify_all, answered))
    drive(distillation.plan(small, [row for row in asked if not reasoning.traced(domain, row)], profile, answered))
    embedder = Embedder(home.embeddings)
    resource = TeacherResource()
    resource._teacher = teacher
    with tempfile.TemporaryDirectory() as folder:
        rewards = Rewards.of(_of_its_own(Path(folder), domain.name, seeded, home), embedder, domain, resource)
    paired = begin("preference_pairs")
    responses = _in_order(answered.kept)
    drive(constitutional.plan(small, responses, profile, rewards.similarity, paired))
    drive(best_of_n.plan(small, responses, profile, rewards.scorer, paired))
    verified_pairs.verify_pairs(responses, verify_all, paired)
    drive(scoring.score_pairs(rewards.scorer, rewards.calibration, paired))
    candidates = gates.candidates(responses, _in_order(paired.kept), evolved.kept, rewards.version, rewards.calibration)
    real = Outcome()
    seeds_method.real_data(loaded, real)
    texts = [f"{row['instruction']}\n{row['input']}\n{row['response']}" for row in real.kept]
    index = Index.build(benchmark_items(benchmark_rows(loaded)), texts, domain.gates.decontamination)
    embed = embedder.embed if embedder.supports(domain.language) else None
    gates.screen(domain, candidates, index=index, embed=embed, rewards=rewards.score, outcome=begin("filtered"))
    return passage


def _noted(plan: Plan, passage: Passage) -> Plan:
    """`plan`, whose requests and replies are noted as they pass."""
    try:
        batch = next(plan)
        while True:
            replies = yield batch
            passage.asked |= {reply.key: (request, reply) for request, reply in zip(batch, replies, strict=True) if reply.key not in passage.asked}
            batch = plan.send(replies)
    except StopIteration:
        return


def _of_its_own(folder: Path, domain: str, seeds: Outcome, home: Home) -> Warehouse:
    """A warehouse of the preview alone: the seeds, and what the home's has of reward models and calibrations."""
    own = Warehouse(folder / "preview.duckdb")
    own.commit_stage("seeds", domain, seeds, run_id="preview")
    own.mark_checked("seeds", domain, "preview", True)
    if home.warehouse.exists():
        for table in ("reward_model", "reward_calibrations"):
            own.append(table, Warehouse(home.warehouse).rows(table))
    return own


def _in_order(rows: Sequence[Row]) -> list[Row]:
    """Rows as the next stage reads them from a warehouse."""
    return sorted(rows, key=lambda row: str(row["id"]))


def _unevolved(domain: Domain) -> Domain:
    return domain.model_copy(update={"methods": domain.methods.model_copy(update={"evol_instruct": None})})
