import pytest

from synth_assets.quality.glosses import english_gloss


@pytest.mark.parametrize(
    ("text", "gloss"),
    [
        ("", ""),
        ("How many hens,  and why? 12 × 5", "How many hens,  and why? 12 × 5"),
        ("\ud800 no Han character", "\ud800 no Han character"),
        # A classifier counts, and does not mean.
        ("一本书", "one book"),
        ("他买了24个面包", "he buy 24 bread"),
        # A word with several entries: ice, not the old character for it.
        ("为什么冰会浮在水上？", "why ice will float in on water?"),
        ("為什麼冰會浮在水上？", "why ice will float in on water?"),
        # What is not Chinese stays: names, numbers, code.
        ("用Python写函数`f(x)`。", "with Python write function `f(x)`."),
        ("\ud800水", "\ud800 water"),
        # A Han character without an entry says nothing.
        ("\U000323af", ""),
    ],
)
def test_gloss(text: str, gloss: str) -> None:
    assert english_gloss(text) == gloss


def test_a_long_text_is_glossed_whole() -> None:
    assert english_gloss("冰和水" * 25_000).count("ice and water") == 25_000
