"""How near two texts are, as far as an earlier run had it computed: only what is in the cache of embeddings, so that no model is loaded."""

from collections.abc import Sequence

import numpy as np

from synth_assets.methods.constitutional import Similarity
from synth_assets.quality.embeddings import Embedder, cosines

__all__ = ["compared_in"]


def compared_in(embedder: Embedder, language: str) -> Similarity | None:
    """Pairs of texts to their cosines, None for a pair that only a run will compare; None instead of it where runs compare nothing in `language`."""
    if not embedder.supports(language):
        return None

    def similarity(pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        left, right = (embedder.stored([pair[side] for pair in pairs]) for side in (0, 1))
        both = [None if a is None or b is None else (a, b) for a, b in zip(left, right, strict=True)]
        known = [found for found in both if found is not None]
        values = iter(cosines(np.stack([a for a, _ in known]), np.stack([b for _, b in known])) if known else [])
        return [None if found is None else next(values) for found in both]

    return similarity
