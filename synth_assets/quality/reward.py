"""The embedded reward model: a Bradley-Terry head over readable features, small enough to be retrained on a laptop in seconds.

It knows a finished, relevant, coherent answer from a spoiled one; it does not know facts. Scores are unbounded and mean nothing alone: compare
two answers to one prompt, or calibrate against reference answers. Weights are plain JSON and named by their digest; none has the wrong sign.

Invariant: the reported accuracy belongs to the published weights, on prompts that they were not fitted to.

Measured: the shipped version orders 0.92 of its held-out pairs, length alone 0.53. Between whole models, on 200 AlpacaEval prompts: it prefers
claude-3-5-sonnet's answer to falcon-7b's in 0.98 (length alone: 0.93), Llama-3-70B's to Llama-3-8B's in 0.60 (0.50) and Llama-3-8B's to
Qwen1.5-1.8B's in 0.86 (0.33). 8 to 32 principal components of the answer's embedding, or of its product with the prompt's, moved accuracy in
cross-validation by less than 0.5 points, so they are left out. On two cores it scores 15 answers of 322 words a second, 340 where their embeddings
are known, in 1.0 GB; a cross-encoder of MiniLM's size scored 0.56 times as many, in 1.1 GB (`bench/cross_encoder.py`).
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib.resources import files
from math import sqrt
from typing import Any

import numpy as np

from synth_assets.errors import StageFailed
from synth_assets.identity import ID_LENGTH, digest, seeded
from synth_assets.quality.bradley_terry import Floats, bradley_terry
from synth_assets.quality.embeddings import Embed
from synth_assets.quality.reward_features import FEATURE_SET, FEATURES, RELEVANCE, Table, features
from synth_assets.quality.reward_pairs import HUMAN, Pair, training_pairs
from synth_assets.quality.scores import calibrate
from synth_assets.quality.words import words

__all__ = ["Pair", "Report", "RewardModel", "published", "rank_correlation", "train", "training_pairs", "wilson_interval"]

HELD_OUT = 0.2
"""Share of the prompts that accuracy is measured on."""

MIN_PROMPTS = 10
"""Prompts below which nothing can be held out."""

_L2 = 1.0
"""Strength of the regularisation, on standardised features. From 0.1 to 10 accuracy moved by less than 0.3 points in each of four splits."""

_COUNTS = {HUMAN: 5.0, "mixed_up": 0.1, "swapped": 0.25}
"""How often a pair of a kind counts, where it is not once. People are asked about hundreds of rows, and corruptions make thousands. Text about something
else teaches a head of this kind that length and new words are faults, and relevance tells it apart anyhow. Our figures."""

_DIGITS = 6
"""Decimals of weights: far below what matters, and equal on machines whose last bits differ."""


@dataclass(frozen=True)
class Report:
    """How a model did on prompts that it was not fitted to."""

    pairs: int
    """Pairs that it was fitted to."""
    held_out_pairs: int
    held_out_prompts: int
    accuracy: float
    """Share of the held-out pairs whose better answer scores higher; a tie counts half."""
    accuracy_low: float
    """Lower end of Wilson's 95 % interval for `accuracy`. Counted in prompts and not in pairs, because the pairs of one prompt go together."""
    accuracy_high: float
    length_accuracy: float
    """The same if the longer answer is taken for the better one: the baseline."""
    blind_accuracy: float
    """The same without embeddings, as for Chinese."""
    length_bias: float
    """Spearman correlation of score and length in words, over all held-out answers."""
    by_kind: dict[str, float] = field(default_factory=dict)
    """Accuracy per kind of pair."""
    pairs_by_kind: dict[str, int] = field(default_factory=dict)
    """Held-out pairs per kind."""
    fitted_by_kind: dict[str, int] = field(default_factory=dict)
    """Pairs that it was fitted to, per kind."""
    sources: dict[str, int] = field(default_factory=dict)
    """Rows that the pairs were made from, by where they come from: seeds, curated rows, pairs of the teacher, verdicts of people."""


@dataclass(frozen=True)
class RewardModel:
    """A linear score over standardised features. All tuples are in the order of `names`."""

    names: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    """Per standard deviation of the feature, so that they can be compared."""
    blind_weights: tuple[float, ...]
    """Likewise, for rows whose relevance is unknown: what relevance takes the weight from (refusals, the wrong script) counts by itself there."""
    report: Report
    feature_set: int = FEATURE_SET

    @property
    def version(self) -> str:
        """Digest of weights and feature set; what is reported about them has no part in it."""
        return digest([self.feature_set, self.names, self.means, self.scales, self.weights, self.blind_weights])[:ID_LENGTH]

    def score(self, prompts: Sequence[str], responses: Sequence[str], embed: Embed | None) -> Floats:
        """Scores of the responses, shape (n,), higher is better, unbounded.

        Args:
            prompts: What was asked, input included.
            responses: What was answered.
            embed: The sentence embedder; None where it does not know the language: the blind weights then score all of them.
        """
        scores: Floats = self.contributions(features(prompts, responses, embed)).sum(axis=1)
        return scores

    def contributions(self, table: Table) -> Table:
        """What each feature adds to the score of each row of `table` (as `features` makes it): the score, explained."""
        standard = np.nan_to_num((table - np.array(self.means)) / np.array(self.scales))
        blind = np.isnan(table[:, [RELEVANCE]])
        return np.asarray(standard * np.where(blind, self.blind_weights, self.weights), np.float64)

    def to_json(self) -> str:
        """The model as JSON text, with its version and what its features mean."""
        meanings = {f.name: f.meaning for f in FEATURES}
        return json.dumps({"version": self.version, **asdict(self), "meanings": meanings}, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "RewardModel":
        """The model that `to_json` wrote.

        Raises:
            StageFailed: the text is no such model, was changed, or was trained on other features than this code computes.
        """
        remedy = "Train a new version: materialize the asset reward_model."
        try:
            content: dict[str, Any] = json.loads(text)
            parts = {key: tuple(content[key]) for key in ("names", "means", "scales", "weights", "blind_weights")}
            model = cls(**parts, report=Report(**content["report"]), feature_set=content["feature_set"])
            version = content["version"]
        except (ValueError, KeyError, TypeError) as error:
            raise StageFailed(f"This is no reward model: {error!r}. {remedy}") from error
        if version != model.version:
            raise StageFailed(f"Reward model {version}: its weights have digest {model.version}, so they were changed after training. {remedy}")
        if model.feature_set != FEATURE_SET or model.names != tuple(f.name for f in FEATURES):
            raise StageFailed(f"Reward model {version} was trained on feature set {model.feature_set}, this code computes {FEATURE_SET}. {remedy}")
        return model


@cache
def published() -> RewardModel:
    """The version that ships with the package."""
    return RewardModel.from_json(files("synth_assets.quality").joinpath("reward_v1.json").read_text(encoding="utf-8"))


def train(pairs: Sequence[Pair], embed: Embed | None, seed: int = 0, sources: Mapping[str, int] | None = None) -> RewardModel:
    """Fit a model to `pairs` and test it on a fifth of the prompts, which it is not fitted to.

    Args:
        pairs: As `training_pairs` makes them.
        embed: The sentence embedder; None leaves relevance unknown.
        seed: Of the prompts that are held out.
        sources: Rows behind the pairs, by where they come from, for the report.

    Raises:
        StageFailed: fewer than 10 different prompts.
    """
    prompts = sorted({p for pair in pairs for p in (pair.prompt, pair.rejected_prompt)}, key=lambda p: (seeded(seed, "held out", p).random(), p))
    if len(prompts) < MIN_PROMPTS:
        raise StageFailed(
            f"The reward model has pairs of {len(prompts)} prompts, and needs {MIN_PROMPTS}: add seeds with responses to the domain files, or preference pairs."
        )
    held_out = set(prompts[: round(HELD_OUT * len(prompts))])
    chosen = features([pair.prompt for pair in pairs], [pair.chosen for pair in pairs], embed)
    rejected = features([pair.rejected_prompt for pair in pairs], [pair.rejected for pair in pairs], embed)
    # A pair of two prompts that stand on different sides is neither fitted nor tested.
    test = np.array([{pair.prompt, pair.rejected_prompt} <= held_out for pair in pairs])
    fit = np.array([not {pair.prompt, pair.rejected_prompt} & held_out for pair in pairs])
    counts = np.array([_COUNTS.get(pair.kind, 1.0) for pair in pairs])[fit]
    means, scales = _moments(np.vstack([chosen[fit], rejected[fit]]))
    better, worse = (np.nan_to_num((side - means) / scales) for side in (chosen, rejected))
    differences, signs = better - worse, [f.sign for f in FEATURES]
    blind = differences.copy()
    blind[:, RELEVANCE] = 0
    weights, blind_weights = (bradley_terry(side[fit], signs, _L2, counts).round(_DIGITS) for side in (differences, blind))
    tested = [pair for pair, held in zip(pairs, test.tolist(), strict=True) if held]
    blind_accuracy = float(_ordered(blind[test] @ blind_weights).mean())
    report = _report(tested, better[test] @ weights, worse[test] @ weights, blind_accuracy, int(fit.sum()))
    fitted = Counter(pair.kind for pair, used in zip(pairs, fit.tolist(), strict=True) if used)
    report = replace(report, fitted_by_kind=dict(sorted(fitted.items())), sources=dict(sources or {}))
    names = tuple(f.name for f in FEATURES)
    return RewardModel(names, _tuple(means), _tuple(scales), _tuple(weights), _tuple(blind_weights), report)


def rank_correlation(a: Floats, b: Floats) -> float:
    """Spearman's correlation; ties have the mean of their ranks. 0 where one side is constant."""
    ranks = np.stack([calibrate(a, a), calibrate(b, b)])
    ranks -= ranks.mean(axis=1, keepdims=True)
    norm = float(np.linalg.norm(ranks[0]) * np.linalg.norm(ranks[1]))
    return float(ranks[0] @ ranks[1]) / norm if norm else 0.0


def wilson_interval(successes: float, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval for a share (1927), by default at 95 %; (0, 1) without trials."""
    if not trials:
        return 0.0, 1.0
    share = successes / trials
    centre = share + z * z / (2 * trials)
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def _report(tested: Sequence[Pair], chosen: Floats, rejected: Floats, blind_accuracy: float, fitted_pairs: int) -> Report:
    """What `chosen` and `rejected`, the scores of the pairs `tested`, say about the model."""
    prompts = len({p for pair in tested for p in (pair.prompt, pair.rejected_prompt)})
    lengths = np.array([[len(words(pair.chosen)), len(words(pair.rejected))] for pair in tested], np.float64)
    right = _ordered(chosen - rejected)
    accuracy = float(right.mean())
    low, high = wilson_interval(accuracy * prompts, prompts)
    kinds = np.array([pair.kind for pair in tested])
    return Report(
        pairs=fitted_pairs,
        held_out_pairs=len(tested),
        held_out_prompts=prompts,
        accuracy=round(accuracy, 4),
        accuracy_low=round(low, 4),
        accuracy_high=round(high, 4),
        length_accuracy=round(float(_ordered(lengths[:, 0] - lengths[:, 1]).mean()), 4),
        blind_accuracy=round(blind_accuracy, 4),
        length_bias=round(rank_correlation(np.concatenate([chosen, rejected]), lengths.T.ravel()), 4),
        by_kind={kind: round(float(right[kinds == kind].mean()), 4) for kind in sorted(set(kinds.tolist()))},
        pairs_by_kind={kind: int((kinds == kind).sum()) for kind in sorted(set(kinds.tolist()))},
    )


def _tuple(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _ordered(margins: Floats) -> Floats:
    return np.where(margins > 0, 1.0, np.where(margins == 0, 0.5, 0.0))


def _moments(table: Table) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each column without its NaNs; 0 and 1 where nothing varies."""
    known = ~np.isnan(table)
    counts = np.maximum(known.sum(axis=0), 1)
    means = (np.where(known, table, 0).sum(axis=0) / counts).round(_DIGITS)
    deviations = np.sqrt((np.where(known, table - means, 0) ** 2).sum(axis=0) / counts).round(_DIGITS)
    return means, np.where(deviations > 0, deviations, 1.0)
