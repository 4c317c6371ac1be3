"""The reward model as the stages use it: its last published version, calibrated against the domain's own reference responses.

References are the seeds' responses, written by people: a percentile of 0.5 reads "as the median seed". The version is kept in every
row that it scored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth_assets.accounts import Row
from synth_assets.config import Domain
from synth_assets.conversations import prompt_of
from synth_assets.quality.embeddings import Embedder
from synth_assets.quality.reward import RewardModel, calibrate, published
from synth_assets.warehouse import Warehouse


@dataclass(frozen=True)
class Rewards:
    """One version of the reward model for one domain."""

    model: RewardModel
    embedder: Embedder
    language: str
    references: NDArray[np.float64]
    """Raw scores of the reference responses."""

    @classmethod
    def of(cls, database: Warehouse, embedder: Embedder, domain: Domain) -> "Rewards":
        """The newest version in the warehouse, or the one that the package ships."""
        versions = database.rows("reward_model", order=("published_at",))
        model = RewardModel.from_json(versions[-1]["weights"]) if versions else published()
        seeds = database.read_passed("seeds", domain.name)
        raw = _score(model, embedder, domain.language, [prompt_of(row) for row in seeds], [row["response"] for row in seeds])
        return cls(model, embedder, domain.language, raw)

    @property
    def version(self) -> str:
        """The model's version."""
        return self.model.version

    def percentiles(self, prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
        """Share of the reference responses that score lower, 0 to 1, ties counted half."""
        if not prompts:
            return []
        raw = _score(self.model, self.embedder, self.language, prompts, responses)
        return [float(p) for p in calibrate(raw, self.references)]

    def score_pairs(self, rows: Sequence[Row]) -> None:
        """Put both scores and the version into rows of preference_pairs."""
        prompts = [row["prompt"] for row in rows]
        chosen = self.percentiles(prompts, [row["chosen"] for row in rows])
        rejected = self.percentiles(prompts, [row["rejected"] for row in rows])
        for row, better, worse in zip(rows, chosen, rejected, strict=True):
            row |= {"chosen_score": better, "rejected_score": worse, "reward_version": self.version}

    def similarity(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        """Cosines of text pairs; None where no model knows the language."""
        if not self.embedder.supports(self.language):
            return [None] * len(pairs)
        left, right = (self.embedder.embed([pair[side] for pair in pairs]) for side in (0, 1))
        return [float(value) for value in np.einsum("ij,ij->i", left, right)]


def _score(model: RewardModel, embedder: Embedder, language: str, prompts: Sequence[str], responses: Sequence[str]) -> NDArray[np.float64]:
    embed = embedder.embed if embedder.supports(language) else None
    return np.asarray(model.score(list(prompts), list(responses), embed), dtype=np.float64)
