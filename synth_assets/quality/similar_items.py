"""The embedding tier of decontamination: prompts that say what a benchmark item says in other words, for people to look at.

No word rule sees a paraphrase, and no cosine proves one: two problems of one kind are as near to each other as a problem and its rewording. So the
tier fills a review queue and rejects nothing. Chinese is compared by its English gloss, so that a translated item is found like a reworded one.
Invariant: each row is told with its nearest item, the cosine, and no other.
"""

from collections.abc import Sequence

import numpy as np

from synth_assets.quality.decontamination import MAX_NGRAM, Hit, Item
from synth_assets.quality.embeddings import Embed, Matrix
from synth_assets.quality.glosses import english_gloss

__all__ = ["SimilarItems"]

SOURCES = ("glosses",)

_BLOCK = 4_096
"""Rows that are compared with all items at once."""


class SimilarItems:
    """The prompts of a benchmark, to compare rows with.

    Args:
        items: Benchmark items; only their prompts are compared.
        embed: What makes unit vectors of texts.
        least: Cosine from which a row is told.
    """

    def __init__(self, items: Sequence[Item], embed: Embed, least: float) -> None:
        self._asked = [item for item in items if item.part == "prompt"]
        self._embed, self._least = embed, least
        self._targets: Matrix | None = None

    def hits(self, prompts: Sequence[tuple[str, str]]) -> list[Hit]:
        """A hit of the rule `similar` for each row (id and prompt) whose prompt is that near to a benchmark's; in the order of the rows."""
        if not self._asked or not prompts:
            return []
        if self._targets is None:
            self._targets = self._embed([english_gloss(item.text) for item in self._asked])
        vectors = self._embed([english_gloss(prompt) for _, prompt in prompts])
        hits: list[Hit] = []
        for start in range(0, len(vectors), _BLOCK):
            cosines = vectors[start : start + _BLOCK] @ self._targets.T
            nearest = cosines.argmax(axis=1)
            best = np.clip(cosines[np.arange(len(nearest)), nearest], -1, 1)
            for place in np.flatnonzero(best >= self._least).tolist():
                item = self._asked[int(nearest[place])]
                text = " ".join(item.text.split())[:MAX_NGRAM]
                hits.append(Hit(prompts[start + place][0], "prompt", item.benchmark, item.item_id, "prompt", "similar", text, float(best[place])))
        return hits
