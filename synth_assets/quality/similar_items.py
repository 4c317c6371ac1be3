"""The embedding tier of decontamination: prompts that say what a benchmark item says in other words, for people to look at.

No word rule sees a paraphrase, and no cosine proves one: two problems of one kind are as near to each other as a problem and its rewording. So the
tier fills a review queue and rejects nothing. Chinese is compared by its English gloss, so that a translated item is found like a reworded one.
Invariant: each row is told with its nearest item, the cosine, and no other.
"""

from collections.abc import Sequence

import numpy as np

from synth_assets.quality.decontamination import MAX_NGRAM, Hit, Item
from synth_assets.quality.embeddings import Embed
from synth_assets.quality.glosses import english_gloss

__all__ = ["similar_items"]

SOURCES = ("glosses",)

_BLOCK = 4_096
"""Rows that are compared with all items at once."""


def similar_items(items: Sequence[Item], prompts: Sequence[tuple[str, str]], embed: Embed, least: float) -> list[Hit]:
    """A hit of the rule `similar` for each row whose prompt has a cosine of at least `least` to a benchmark's prompt.

    Args:
        items: Benchmark items; only their prompts are compared.
        prompts: Id and prompt of each row.
        embed: What makes unit vectors of texts.
        least: Cosine from which a row is told.
    """
    asked = [item for item in items if item.part == "prompt"]
    if not asked or not prompts:
        return []
    targets = embed([english_gloss(item.text) for item in asked]).T
    vectors = embed([english_gloss(prompt) for _, prompt in prompts])
    hits: list[Hit] = []
    for start in range(0, len(vectors), _BLOCK):
        cosines = vectors[start : start + _BLOCK] @ targets
        nearest = cosines.argmax(axis=1)
        best = np.clip(cosines[np.arange(len(nearest)), nearest], -1, 1)
        for place in np.flatnonzero(best >= least).tolist():
            item = asked[int(nearest[place])]
            text = " ".join(item.text.split())[:MAX_NGRAM]
            hits.append(Hit(prompts[start + place][0], "prompt", item.benchmark, item.item_id, "prompt", "similar", text, float(best[place])))
    return hits
