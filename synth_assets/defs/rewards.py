"""The reward model as the stages use it: what the domain's file chooses, under the domain's frozen calibration.

References are the seeds' responses, written by people: a percentile of 0.5 reads "as the median seed". Version and calibration are kept in every
row that they scored. A judge asks the teacher, through the ledger and the budget; what it said of an answer it is not asked again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from synth_assets.config import Domain
from synth_assets.defs.calibrations import frozen
from synth_assets.defs.resources import TeacherResource
from synth_assets.methods.judge import Judge
from synth_assets.methods.scoring import Calibrated, Direct, Scorer, without_teacher
from synth_assets.quality.embeddings import Embedder, cosines
from synth_assets.quality.reward import RewardModel, published
from synth_assets.quality.scores import Score
from synth_assets.teacher.messages import Plan, Result
from synth_assets.warehouse import Warehouse


@dataclass(frozen=True)
class Rewards:
    """The reward model of one domain."""

    scorer: Calibrated
    calibration: int
    """Number of the frozen calibration."""
    domain: Domain
    embedder: Embedder
    teacher: TeacherResource

    @classmethod
    def of(cls, database: Warehouse, embedder: Embedder, domain: Domain, teacher: TeacherResource) -> "Rewards":
        """What the domain's file chooses, calibrated when it is used for the first time.

        Raises:
            StageFailed: a model that it names cannot be loaded, or no reference response has a score.
            UpstreamNotPassed: it is the first time, and the seeds did not pass their checks.
        """
        scorer = scorer_of(database, embedder, domain, teacher)
        calibration = frozen(database, domain.name, scorer, lambda plan: driven(plan, domain, teacher))
        return cls(Calibrated(scorer, calibration.references), calibration.number, domain, embedder, teacher)

    @property
    def version(self) -> str:
        """The model's version."""
        return self.scorer.version

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> list[Score]:
        """Scores with percentiles of the reference responses."""
        return driven(self.scorer.score(prompts, responses), self.domain, self.teacher)

    def similarity(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float | None]:
        """Cosines of text pairs; None where no model knows the language."""
        if not self.embedder.supports(self.domain.language):
            return [None] * len(pairs)
        left, right = (self.embedder.embed([pair[side] for pair in pairs]) for side in (0, 1))
        return cosines(left, right)


def scorer_of(database: Warehouse, embedder: Embedder, domain: Domain, teacher: TeacherResource) -> Scorer:
    """The scorer that the domain's file chooses, not calibrated."""
    settings = domain.gates.reward
    if settings.by == "judge":
        return Judge(teacher.profile(domain), domain.language, domain.gates.max_failed_share)
    if settings.model is not None:
        from synth_assets.quality.cross_encoder import load_cross_encoder

        named = load_cross_encoder(settings.model)
        return Direct(named.version, named.score)
    versions = database.rows("reward_model", order=("published_at",))
    model = RewardModel.from_json(versions[-1]["weights"]) if versions else published()
    embed = embedder.embed if embedder.supports(domain.language) else None
    return Direct(model.version, lambda prompts, responses: model.score(prompts, responses, embed))


def driven(plan: Plan[Result], domain: Domain, teacher: TeacherResource) -> Result:
    """What `plan` returns; the teacher is opened only where a judge asks."""
    return teacher.drive(domain, plan) if domain.gates.reward.by == "judge" else without_teacher(plan)
