"""Near-duplicates: of rows that say the same, exactly one survives.

Rows are taken in order of their score, the better first, of equal scores the earlier first; a row is dropped if it is a near-duplicate of a row
that was kept before it. So no two kept rows are near-duplicates of each other, and every dropped row has a kept, better near-duplicate that is
named. Groups are not connected components: in a chain a-b-c where a and c differ, a and c may both stay. The joins that find the pairs are in
`rouge`, `jaccard` and `cosine`. Invariant: kept and dropped are all rows, and none is both.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synth_assets import config
from synth_assets.quality.cosine import cosine_pairs, nearest_cosine
from synth_assets.quality.jaccard import jaccard_pairs, nearest_jaccard
from synth_assets.quality.pairs import Floats, Integers, Pairs
from synth_assets.quality.rouge import RougePool, nearest_rouge_l, rouge_l_exceeds, rouge_l_pairs

__all__ = [
    "Deduplicated",
    "Duplicate",
    "Pairs",
    "RougePool",
    "Survivors",
    "cosine_pairs",
    "deduplicate",
    "jaccard_pairs",
    "rouge_l_exceeds",
    "rouge_l_pairs",
    "survivors",
]


class Duplicate(NamedTuple):
    """Why one row was dropped, by one measure. A row that is a near-duplicate by two measures has two."""

    row: int
    """Position of the dropped row."""
    survivor: int
    """Position of the kept row that it is most like by this measure, among the kept rows that come before it."""
    measure: str
    """rouge_l, jaccard or cosine."""
    similarity: float


class Survivors(NamedTuple):
    """What became of every row."""

    kept: list[int]
    """Positions of the kept rows, ascending."""
    dropped: list[Duplicate]
    """By position of the dropped row, then by measure in the order in which the pairs were given."""


class Deduplicated(NamedTuple):
    """What became of every row, and how near each kept row is to the nearest other kept one; the columns follow `kept`."""

    kept: list[int]
    dropped: list[Duplicate]
    rouge_l: Floats
    """Highest ROUGE-L F between prompts, at most the threshold."""
    jaccard: Floats
    """Highest Jaccard similarity of word 5-grams, below the threshold."""
    cosine: Floats | None
    """Highest cosine between prompts, at most the threshold; None without embeddings."""


def deduplicate(
    prompts: Sequence[Sequence[str]],
    texts: Sequence[Sequence[str]],
    embeddings: NDArray[np.floating[Any]] | None,
    scores: Sequence[float],
    settings: config.NearDuplicates,
) -> Deduplicated:
    """Keep one row of every group of near-duplicates by any of the three measures.

    Args:
        prompts: Words of each row's prompt, compared by ROUGE-L.
        texts: Words of each row's prompt and response, compared by Jaccard similarity of 5-grams.
        embeddings: Rows x dimensions, of the prompts; None where semantic gates are off.
        scores: The better score survives; of equal scores the earlier row.
        settings: Thresholds.

    Raises:
        ValueError: The columns differ in length, or a score is not a number.
    """
    if not len(prompts) == len(texts) == len(scores) or (embeddings is not None and len(embeddings) != len(scores)):
        raise ValueError("prompts, texts, embeddings and scores must have one entry per row")
    pairs = [rouge_l_pairs(prompts, settings.rouge_l), jaccard_pairs(texts, settings.jaccard)]
    if embeddings is not None:
        pairs.append(cosine_pairs(embeddings, settings.cosine))
    kept, dropped = survivors(pairs, scores)
    return Deduplicated(
        kept,
        dropped,
        nearest_rouge_l([prompts[row] for row in kept]),
        nearest_jaccard([texts[row] for row in kept]),
        None if embeddings is None else nearest_cosine(embeddings[kept]),
    )


def survivors(pairs: Sequence[Pairs], scores: Sequence[float]) -> Survivors:
    """Kept and dropped rows, given all near-duplicate pairs and every row's score.

    Raises:
        ValueError: A score is not a number.
    """
    values = np.asarray(scores, dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError("a score is not a number: near-duplicates are ranked by score, so that every row needs one")
    order = np.argsort(-values, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    better = [_BetterRows(column, rank) for column in pairs]
    is_kept = np.ones(len(order), dtype=bool)
    for row in order:
        is_kept[row] = not any(is_kept[column.of(row)[0]].any() for column in better)
    dropped: list[Duplicate] = []
    for row in np.flatnonzero(~is_kept):
        for column in better:
            rows, similarity = column.of(row)
            similarity = similarity[is_kept[rows]]
            if len(similarity):
                best = int(np.argmax(similarity))
                dropped.append(Duplicate(int(row), int(rows[is_kept[rows]][best]), column.measure, float(similarity[best])))
    return Survivors([int(row) for row in np.flatnonzero(is_kept)], dropped)


class _BetterRows:
    """The pairs of one measure by their worse row."""

    def __init__(self, pairs: Pairs, rank: Integers) -> None:
        self.measure = pairs.measure
        left_is_better = rank[pairs.left] < rank[pairs.right]
        worse = np.where(left_is_better, pairs.right, pairs.left)
        better = np.where(left_is_better, pairs.left, pairs.right)
        by_worse = np.lexsort((rank[better], worse))
        self._better, self._similarity = better[by_worse], pairs.similarity[by_worse]
        self._bounds = np.searchsorted(worse[by_worse], np.arange(len(rank) + 1))

    def of(self, row: np.integer[Any]) -> tuple[NDArray[np.int32], Floats]:
        """Near-duplicates of `row` that come before it, in order, and their similarities."""
        here = slice(self._bounds[row], self._bounds[row + 1])
        return self._better[here], self._similarity[here]
