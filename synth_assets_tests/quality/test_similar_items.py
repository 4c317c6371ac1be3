from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from synth_assets.quality.decontamination import Item
from synth_assets.quality.embeddings import DIMENSION, Embedder, Matrix
from synth_assets.quality.similar_items import SimilarItems

ITEMS = [Item("b", "1", "prompt", "How  many\nhens?"), Item("b", "1", "answer", "Nine."), Item("b", "2", "prompt", "Who was Euclid?")]

Cosines = tuple[float, float]


def placed(cosines: dict[str, Cosines]) -> Callable[[Sequence[str]], Matrix]:
    """Embeds by a table of cosines to the two prompts among ITEMS."""

    def embed(texts: Sequence[str]) -> Matrix:
        made = np.zeros((len(texts), DIMENSION), np.float32)
        made[:, :2] = [cosines[text] for text in texts]
        made[:, 2] = np.sqrt(1 - (made[:, :2] ** 2).sum(axis=1))
        return made

    return embed


def test_each_row_is_told_with_its_nearest_prompt() -> None:
    rows: dict[str, Cosines] = {"r0": (0.8, 0.1), "r1": (0.4, 0.6), "r2": (0.5, 0.85), "r3": (0.79, 0)}
    embed = placed({ITEMS[0].text: (1, 0), ITEMS[2].text: (0, 1), **rows})
    hits = SimilarItems(ITEMS, embed, 0.8).hits([(name, name) for name in rows])
    assert [(hit.row_id, hit.item_id, hit.item_part, hit.rule, hit.ngram) for hit in hits] == [
        ("r0", "1", "prompt", "similar", "How many hens?"),
        ("r2", "2", "prompt", "similar", "Who was Euclid?"),
    ]
    assert [hit.score for hit in hits] == pytest.approx([0.8, 0.85])


@pytest.mark.parametrize(("items", "rows"), [([], 2), (ITEMS[1:2], 2), (ITEMS, 0)])
def test_nothing_to_compare_is_no_hit_and_embeds_nothing(items: list[Item], rows: int) -> None:
    assert SimilarItems(items, placed({}), 0.0).hits([("a", "text")] * rows) == []


def test_a_translated_item_is_found_in_either_direction(tmp_path: Path) -> None:
    """With the embedded model, which reads English only."""
    texts = {
        "hens": (
            "A farmer has 12 hens and each lays 5 eggs a week. How many eggs are that in a month?",
            "一个农民有12只母鸡，每只每周下5个蛋。一个月有多少个蛋？",
        ),
        "moon": ("Why does the Moon always show us the same side?", "为什么月亮总是以同一面对着我们？"),
        "code": ("Write a function that removes duplicates from a list.", "写一个函数，删除列表中的重复元素。"),
    }
    embed = Embedder(tmp_path / "vectors.sqlite").embed
    for here, there in ((0, 1), (1, 0)):
        items = [Item("b", name, "prompt", pair[here]) for name, pair in texts.items()]
        hits = SimilarItems(items, embed, 0.65).hits([(name, pair[there]) for name, pair in texts.items()])
        assert [(hit.row_id, hit.item_id) for hit in hits] == [(name, name) for name in texts]
        # What a person is shown is the item, not its gloss.
        assert [hit.ngram for hit in hits] == [pair[here] for pair in texts.values()]
