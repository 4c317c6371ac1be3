"""Near-duplicates: of rows that say the same, exactly one survives.

Rows are taken in order of their score, the better first, of equal scores the earlier first; a row is dropped if it is a near-duplicate of a row
that was kept before it. So no two kept rows are near-duplicates of each other, and every dropped row has a kept, better near-duplicate that is
named. Groups are not connected components: in a chain a-b-c where a and c differ, a and c may both stay. The joins that find what is near are in
`rouge`, `jaccard` and `cosine`. Invariant: kept and dropped are all rows, and none is both.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from synth_assets import config
from synth_assets.quality.approximate import Approximate, Recall
from synth_assets.quality.cosine import Vectors, cosine_join, cosine_pairs, nearest_cosine
from synth_assets.quality.jaccard import jaccard_join, jaccard_pairs, nearest_jaccard
from synth_assets.quality.joins import Flags, Join, Near, blocks
from synth_assets.quality.pairs import Floats, Integers, Pairs, exact
from synth_assets.quality.rouge import RougePool, nearest_rouge_l, rouge_l_exceeds, rouge_l_join, rouge_l_pairs
from synth_assets.quality.shared_texts import QuestionsApart

__all__ = [
    "Deduplicated",
    "Duplicate",
    "Pairs",
    "RougePool",
    "Survivors",
    "cosine_pairs",
    "deduplicate",
    "jaccard_pairs",
    "ranked",
    "rouge_l_exceeds",
    "rouge_l_pairs",
    "rouge_l_survivors",
    "survivors",
]


SOURCES = (
    *("approximate", "joins", "numbering", "pairs", "postings", "rouge", "rouge_index", "rouge_kernels", "shared_texts"),
    *("jaccard", "jaccard_index", "jaccard_kernels", "jaccard_minhash", "cosine", "cosine_lists"),
)
"""The modules beside this one that decide what is near: a change in one makes what was filtered stale."""


class Duplicate(NamedTuple):
    """Why one row was dropped, by one measure. A row that is a near-duplicate by two measures has two."""

    row: int
    """Position of the dropped row."""
    survivor: int
    """Position of the kept row that it is most like by this measure, among the kept rows that come before it in the order of survival."""
    measure: str
    """rouge_l, jaccard or cosine."""
    similarity: float


class Survivors(NamedTuple):
    """What became of every row."""

    kept: list[int]
    """Positions of the kept rows, ascending."""
    dropped: list[Duplicate]
    """By position of the dropped row, then by measure in the order of the joins."""


class Deduplicated(NamedTuple):
    """What became of every row, and, where that was asked for, how near each kept row is to a kept one before it; these columns follow `kept`.

    Before it means: with a better score, or with the same and earlier. The row that comes first has zeros.
    """

    kept: list[int]
    dropped: list[Duplicate]
    rouge_l: Floats | None
    """Highest ROUGE-L F between prompts, at most the threshold."""
    jaccard: Floats | None
    """Highest Jaccard similarity of word 5-grams, below the threshold."""
    cosine: Floats | None
    """Highest cosine between prompts, at most the threshold; None without embeddings too."""
    recall: dict[str, Recall]
    """By measure, for those whose search was approximate because of the number of rows: what it found of a sample's near pairs."""


def deduplicate(
    prompts: Sequence[Sequence[str]],
    texts: Sequence[Sequence[str]],
    embeddings: Vectors | None,
    scores: Sequence[float],
    settings: config.NearDuplicates,
    *,
    asked: Sequence[int] | None = None,
    nearest: bool = True,
) -> Deduplicated:
    """Keep one row of every group of near-duplicates by any of the three measures.

    Args:
        prompts: Words of each row's prompt, compared by ROUGE-L.
        texts: Words of each row's prompt and response, compared by Jaccard similarity of 5-grams.
        embeddings: Rows x dimensions, of the prompts; None where semantic gates are off.
        scores: The better score survives; of equal scores the earlier row.
        settings: Thresholds.
        asked: How many words of each row's prompt are the question itself, where the rest is a text that it is about (see `QuestionsApart`); 0 for a
            prompt of one piece, None where all are.
        nearest: Whether to measure how near the kept rows are, below the thresholds too. It takes a comparison of all pairs, which grows with the
            square of the rows: for a stage, whose reviewers sort by it, not for a file of a million rows.

    Raises:
        ValueError: The columns differ in length, or a score is not a number.
        MissingExtra: There are more rows than are searched exactly, and the extra `large` is not installed.
    """
    if not len(prompts) == len(texts) == len(scores) or any(column is not None and len(column) != len(scores) for column in (embeddings, asked)):
        raise ValueError("prompts, texts, embeddings, asked and scores must have one entry per row")
    order = ranked(scores)
    in_order = order.tolist()
    joins: list[Join] = [
        rouge_l_join([prompts[row] for row in in_order], settings.rouge_l),
        jaccard_join([texts[row] for row in in_order], settings.jaccard),
    ]
    if embeddings is not None:
        joins.append(cosine_join(embeddings[order], settings.cosine))
    questions = np.asarray(asked if asked is not None else (), dtype=np.int64)
    apart = [QuestionsApart(join, order, prompts, questions, exact(settings.rouge_l)) for join in joins] if questions.any() else joins
    kept, dropped = survivors(apart, order)
    recall = {join.measure: join.recall for join in joins if isinstance(join, Approximate)}
    if not nearest:
        return Deduplicated(kept, dropped, None, None, None, recall)
    rank = np.argsort(order)
    before = np.argsort(rank[kept])
    kept_in_order = [kept[place] for place in before.tolist()]
    back = np.argsort(before)
    return Deduplicated(
        kept,
        dropped,
        nearest_rouge_l([prompts[row] for row in kept_in_order])[back],
        nearest_jaccard([texts[row] for row in kept_in_order])[back],
        None if embeddings is None else nearest_cosine(embeddings[kept_in_order])[back],
        recall,
    )


def rouge_l_survivors(texts: Sequence[Sequence[str]], threshold: float) -> Survivors:
    """The Self-Instruct filter over `texts` (word lists): each is kept if its ROUGE-L F with every kept one before it is at most `threshold`."""
    return survivors([rouge_l_join(texts, threshold)], np.arange(len(texts)))


def ranked(scores: Sequence[float]) -> Integers:
    """Positions of the rows in the order of survival: the better score first, of equal scores the earlier row.

    Raises:
        ValueError: A score is not a number.
    """
    values = np.asarray(scores, dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError("a score is not a number: near-duplicates are ranked by score, so that every row needs one")
    return np.argsort(-values, kind="stable")


def survivors(joins: Sequence[Join], order: Integers) -> Survivors:
    """Kept and dropped rows of joins whose rows stand in the order of survival; `order` holds the row that stands at each place."""
    kept: list[Integers] = []
    dropped: list[Duplicate] = []
    for start, stop in blocks(len(order)):
        found = [join.near(start, stop) for join in joins]
        stays = _stays(found, start, stop)
        for join in joins:
            join.settle(start, stays)
        kept.append(order[start:stop][stays])
        for join, near in zip(joins, found, strict=True):
            named = zip(*(column.tolist() for column in _named(near, start, stays)), strict=True)
            dropped.extend(Duplicate(int(order[row]), int(order[other]), join.measure, similarity) for row, other, similarity in named)
    measures = {join.measure: place for place, join in enumerate(joins)}
    dropped.sort(key=lambda d: (d.row, measures[d.measure]))
    return Survivors(np.sort(np.concatenate(kept)).tolist() if kept else [], dropped)


def _stays(found: Sequence[Near], start: int, stop: int) -> Flags:
    """Which rows of a block stay: those near no kept row, before the block or in it."""
    stays = np.ones(stop - start, np.bool_)
    for near in found:
        # Whatever is in an index before the block was kept.
        stays[near.row[near.other < start] - start] = False
    inside = [np.stack([near.row, near.other])[:, near.other >= start] - start for near in found]
    if inside:
        pairs = np.concatenate(inside, axis=1)
        for row, other in pairs[:, np.argsort(pairs[0], kind="stable")].T.tolist():
            if stays[other]:
                stays[row] = False
    return stays


def _named(near: Near, start: int, stays: Flags) -> Near:
    """Each dropped row of a block with the kept row that it is most like, of equals the first."""
    in_block = near.other >= start
    valid = ~stays[near.row - start] & (~in_block | stays[np.where(in_block, near.other - start, 0)])
    row, other, similarity = near.row[valid], near.other[valid], near.similarity[valid]
    order = np.lexsort((other, -similarity, row))
    first = order[np.unique(row[order], return_index=True)[1]]
    return Near(row[first], other[first], similarity[first])
