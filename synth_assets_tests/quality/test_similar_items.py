import numpy as np
import pytest

from synth_assets.quality.decontamination import Item
from synth_assets.quality.embeddings import DIMENSION, Matrix
from synth_assets.quality.similar_items import similar_items

ITEMS = [Item("b", "1", "prompt", "How  many\nhens?"), Item("b", "1", "answer", "Nine."), Item("b", "2", "prompt", "Who was Euclid?")]


def vectors(*cosines: tuple[float, float, float]) -> Matrix:
    """Unit vectors of these cosines to the three first axes."""
    made = np.zeros((len(cosines), DIMENSION), np.float32)
    made[:, :3] = cosines
    made[:, 3] = np.sqrt(1 - (made[:, :3] ** 2).sum(axis=1))
    return made


def test_each_row_is_told_with_its_nearest_prompt() -> None:
    rows = vectors((0.8, 0, 0.1), (0, 0.99, 0), (0.5, 0, 0.85), (0.79, 0, 0))
    hits = similar_items(ITEMS, np.eye(3, DIMENSION, dtype=np.float32), ["r0", "r1", "r2", "r3"], rows, 0.8)
    assert [(hit.row_id, hit.item_id, hit.item_part, hit.rule, hit.ngram) for hit in hits] == [
        ("r0", "1", "prompt", "similar", "How many hens?"),
        ("r2", "2", "prompt", "similar", "Who was Euclid?"),
    ]
    assert [hit.score for hit in hits] == pytest.approx([0.8, 0.85])


@pytest.mark.parametrize(("items", "rows"), [([], 2), (ITEMS[1:2], 2), (ITEMS, 0)])
def test_nothing_to_compare_is_no_hit(items: list[Item], rows: int) -> None:
    made = np.eye(max(rows, len(items)), DIMENSION, dtype=np.float32)
    assert similar_items(items, made[: len(items)], ["a"] * rows, made[:rows], 0.0) == []
