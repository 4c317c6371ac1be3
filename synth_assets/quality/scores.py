"""One answer's score, and its percentile among reference answers: what every kind of reward model gives.

Raw scores are unbounded logits, or means of a judge's ratings, so they mean nothing alone: they order answers to one prompt. Percentiles of a domain's
frozen reference responses are what thresholds, tables and people read. Invariant: a higher raw score never has a lower percentile.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from synth_assets.errors import StageFailed
from synth_assets.identity import canonical
from synth_assets.quality.bradley_terry import Floats

__all__ = ["Score", "calibrate", "calibrated", "ratings_json"]


@dataclass(frozen=True)
class Score:
    """What a reward model says about one answer."""

    raw: float | None
    """Higher is better, in the model's own unit: for choosing among answers to one prompt. None where there is no score."""
    percentile: float | None = None
    """Share of the domain's reference responses that score lower, 0 to 1, ties counted half; None where there is no score, or before calibration."""
    aspects: tuple[tuple[str, float], ...] = ()
    """A judge's rating of each aspect, 1 to 5."""
    calls: tuple[str, ...] = ()
    """Ledger keys of the teacher calls behind it."""
    rule: str = ""
    """Name of the rule that rejects an answer that could not be scored; else empty."""
    evidence: str = ""
    """What came in the place of a score."""


def calibrate(scores: Floats, references: Floats) -> Floats:
    """Percentiles of `scores` among `references`, 0 to 1: the share of references below, plus half the share that is equal (mid-rank).

    Raises:
        StageFailed: there are no references.
    """
    if not len(references):
        raise StageFailed("The reward model has no reference responses to calibrate against: give the domain's seeds responses.")
    ordered = np.sort(references)
    below, not_above = np.searchsorted(ordered, scores, "left"), np.searchsorted(ordered, scores, "right")
    return (below + not_above) / (2 * len(ordered))


def calibrated(scores: Sequence[Score], references: Floats) -> list[Score]:
    """`scores` with their percentiles among the raw scores `references`; what has no raw score has no percentile."""
    known = [score.raw for score in scores if score.raw is not None]
    percentiles = iter(calibrate(np.array(known, np.float64), references).tolist() if known else [])
    return [score if score.raw is None else replace(score, percentile=next(percentiles)) for score in scores]


def ratings_json(**scores: Score) -> str | None:
    """The aspects of one or more answers by name, as JSON; None where no judge rated them."""
    rated = {name: dict(score.aspects) for name, score in scores.items() if score.aspects}
    return canonical(rated) if rated else None
