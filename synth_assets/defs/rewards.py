"""The reward model as the stages use it: its last published version, calibrated against the domain's own reference responses.

References are the seeds' responses, written by people: a percentile of 0.5 reads "as the median seed". The version is kept in every
row that it scored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synth_assets.config import Domain
from synth_assets.conversations import prompt_of
from synth_assets.methods.scoring import Calibrated, Direct, without_teacher
from synth_assets.quality.embeddings import Embedder
from synth_assets.quality.reward import RewardModel, published
from synth_assets.warehouse import Warehouse


@dataclass(frozen=True)
class Rewards:
    """One version of the reward model for one domain."""

    scorer: Calibrated
    embedder: Embedder
    language: str

    @classmethod
    def of(cls, database: Warehouse, embedder: Embedder, domain: Domain) -> "Rewards":
        """The newest version in the warehouse, or the one that the package ships."""
        versions = database.rows("reward_model", order=("published_at",))
        model = RewardModel.from_json(versions[-1]["weights"]) if versions else published()
        embed = embedder.embed if embedder.supports(domain.language) else None
        direct = Direct(model.version, lambda prompts, responses: model.score(prompts, responses, embed))
        seeds = database.read_passed("seeds", domain.name)
        references = without_teacher(direct.score([prompt_of(row) for row in seeds], [row["response"] for row in seeds]))
        return cls(Calibrated(direct, np.array([score.raw for score in references], np.float64)), embedder, domain.language)

    @property
    def version(self) -> str:
        """The model's version."""
        return self.scorer.version

    def percentiles(self, prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
        """Share of the reference responses that score lower, 0 to 1, ties counted half."""
        return [score.percentile or 0.0 for score in without_teacher(self.scorer.score(prompts, responses))]

    def similarity(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        """Cosines of text pairs; None where no model knows the language."""
        if not self.embedder.supports(self.language):
            return [None] * len(pairs)
        left, right = (self.embedder.embed([pair[side] for pair in pairs]) for side in (0, 1))
        return [float(value) for value in np.einsum("ij,ij->i", left, right)]
