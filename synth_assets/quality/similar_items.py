"""The embedding tier of decontamination: prompts that say what a benchmark item says in other words, for people to look at.

No word rule sees a paraphrase, and no cosine proves one: two problems of one kind are as near to each other as a problem and its rewording. So the
tier fills a review queue and rejects nothing. Invariant: each row is told with its nearest item, the cosine, and no other.
"""

from collections.abc import Sequence

import numpy as np

from synth_assets.quality.decontamination import MAX_NGRAM, Hit, Item
from synth_assets.quality.embeddings import Matrix

__all__ = ["similar_items"]

_BLOCK = 4_096
"""Rows that are compared with all items at once."""


def similar_items(items: Sequence[Item], item_vectors: Matrix, row_ids: Sequence[str], row_vectors: Matrix, least: float) -> list[Hit]:
    """A hit of the rule `similar` for each row whose prompt has a cosine of at least `least` to a benchmark's prompt.

    Args:
        items: Benchmark items; only their prompts are compared.
        item_vectors: A unit vector per item.
        row_ids: Ids of the rows.
        row_vectors: A unit vector per row's prompt.
        least: Cosine from which a row is told.
    """
    prompts = [number for number, item in enumerate(items) if item.part == "prompt"]
    if not prompts or not len(row_vectors):
        return []
    targets = item_vectors[prompts]
    hits: list[Hit] = []
    for start in range(0, len(row_vectors), _BLOCK):
        cosines = row_vectors[start : start + _BLOCK] @ targets.T
        nearest = cosines.argmax(axis=1)
        best = np.clip(cosines[np.arange(len(nearest)), nearest], -1, 1)
        for place in np.flatnonzero(best >= least).tolist():
            item = items[prompts[int(nearest[place])]]
            text = " ".join(item.text.split())[:MAX_NGRAM]
            hits.append(Hit(row_ids[start + place], "prompt", item.benchmark, item.item_id, "prompt", "similar", text, float(best[place])))
    return hits
