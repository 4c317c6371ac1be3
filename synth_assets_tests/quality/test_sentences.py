"""Where sentences end."""

import pytest

from synth_assets.quality.sentences import sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("First line\n\nSecond line. Third.", ["First line", "Second line.", "Third."]),
        ("1. Boil water. Wait.\n2. Add tea.", ["1. Boil water.", "Wait.", "2. Add tea."]),
        ("That leaves 23. Then stop.", ["That leaves 23.", "Then stop."]),
        ("Mr. Novak met J. Smith. They talked.", ["Mr. Novak met J. Smith.", "They talked."]),
        ("Use acid, e.g. vinegar. Rinse.", ["Use acid, e.g. vinegar.", "Rinse."]),
        ("It costs 4.60 dollars.", ["It costs 4.60 dollars."]),
        ("好的。我来了！真的吗？", ["好的。", "我来了！", "真的吗？"]),
        ("The end is 3.\n4.", ["The end is 3.", "4."]),
        (" \n ", []),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected
    assert "".join(sentences(text)).replace(" ", "") == "".join(text.split())
