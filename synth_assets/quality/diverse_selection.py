"""Which rows to take when more pass than are wanted: good and hard ones first, none too near to one already taken (DEITA, arXiv 2312.15685).

Rows are sorted by quality times complexity and accepted greedily while their cosine to every ACCEPTED row is at most the limit. DEITA scores both by
models that it trains; here quality is the reward's percentile, and complexity the percentile of the number of different words that a prompt has,
which is ours. Invariant: what is taken depends on the rows and their order alone, and no two rows that were taken for their variety are nearer than
the limit; where too few are left, the best of the others follow, so that the number wanted is reached.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synth_assets.quality.embeddings import Matrix
from synth_assets.quality.words import words

__all__ = ["complexities", "select_diverse"]


def complexities(prompts: Sequence[str]) -> NDArray[np.float64]:
    """For each prompt the share of prompts that have no more different words than it, 0 to 1."""
    counts = np.array([len(set(words(prompt))) for prompt in prompts], np.int64)
    return np.searchsorted(np.sort(counts), counts, side="right") / max(1, len(counts))


def select_diverse(scores: Sequence[float], vectors: Matrix | None, wanted: int, max_cosine: float = 0.9, before: Matrix | None = None) -> list[int]:
    """Numbers of the `wanted` rows to take, ascending.

    Args:
        scores: Quality times complexity, higher is better; of equal ones the earlier row is first.
        vectors: A unit vector per row; None where no model knows the language, and only the scores decide.
        wanted: Rows to take; fewer where there are fewer.
        max_cosine: To a row already taken.
        before: Unit vectors of rows that stand already, and are not among these; None for none.
    """
    order = sorted(range(len(scores)), key=lambda row: (-scores[row], row))
    if vectors is None:
        return sorted(order[:wanted])
    taken: list[int] = []
    left: list[int] = []
    # The highest cosine of every row to those taken, brought up to date with each.
    nearest = np.full(len(scores), -np.inf, np.float32)
    if before is not None and len(before):
        nearest = (vectors @ before.T).max(axis=1)
    for row in order:
        if len(taken) == wanted:
            break
        if nearest[row] > max_cosine:
            left.append(row)
            continue
        taken.append(row)
        np.maximum(nearest, vectors @ vectors[row], out=nearest)
    return sorted(taken + left[: wanted - len(taken)])
