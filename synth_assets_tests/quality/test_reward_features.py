"""Each feature on answers where a reader knows what it should be."""

from math import isnan, log1p

import pytest

from synth_assets.quality.reward_features import FEATURES, features, is_chinese

NAMES = [feature.name for feature in FEATURES]


def value(name: str, answer: str, prompt: str = "List two uses of vinegar in the kitchen.") -> float:
    return float(features([prompt], [answer], None)[0, NAMES.index(name)])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Vinegar cleans and pickles.", 0),
        ("Vinegar cleans and", 1),
        ("Vinegar cleans,", 1),
        ("Two uses:", 1),
        ("", 1),
        ("3 + 4 = 7\nAnswer: 7", 0),
        ("Dear Ann,\nplease call me.\nKind regards,\nTom Reyes", 0),
        ("- cleaning glass\n- pickling", 0),
        ("First line.\nThen it goes on and on without any", 1),
        ("```python\nprint(1)\n```", 0),
        ("```python\nprint(1)", 1),
        ("他说“好。”", 0),
        ("醋可以用来清洁", 1),
        ("**Done.**", 0),
    ],
)
def test_unfinished(answer: str, expected: float) -> None:
    assert value("unfinished", answer) == expected


@pytest.mark.parametrize(
    ("name", "answer", "expected"),
    [
        ("late_start", "Therefore it boils.", 1),
        ("late_start", "it boils.", 1),
        ("late_start", "Italy is warm.", 0),
        ("late_start", "因此水会沸腾。", 1),
        ("coverage", "The kitchen uses of vinegar: two.", 0.4),
        ("coverage", "Nothing of the kind.", 0),
        ("echo", "List two uses of vinegar in the kitchen.", 1),
        ("echo", "It cleans.", 0),
        ("repetition", "It cleans the glass well.", 0),
        ("repetition", "It cleans the glass. It cleans the glass.", 1),
        ("compression", "Short.", 0),
        ("declines", "I'm sorry, but I can't help with that request.", 1),
        ("declines", "It cleans.", 0),
        ("scaffold", "### Response:\nIt cleans.", 1),
        ("scaffold", "It cleans.", 0),
        ("other_script", "它可以清洁玻璃，也可以腌菜。", 1),
        ("other_script", "It cleans.", 0),
        ("other_script", "", 0),
        ("small_talk", "Sure! It cleans. I hope this helps.", 2 / 3),
        ("small_talk", "It cleans.", 0),
        ("false_sum", "Two spoons: 2 + 2 = 5.", 1),
        ("false_sum", "Two spoons: 2 + 2 = 4.", 0),
        ("unsupported_result", "2 + 2 = 4\nAnswer: 5", 1),
        ("unsupported_result", "2 + 2 = 4\nAnswer: 4", 0),
        ("unsupported_result", "Answer: 5", 0),
        ("lists", "No list here.", 0),
        ("structure", "One plain paragraph.", 0),
        ("structure", "**Glass:** wipe it.\n\nThen rinse `twice`.", log1p(3)),
        ("structure", "## Cleaning\nWipe.\n\n## Pickling\nBoil.", log1p(3)),
        ("specific", "It cleans some things.", 0),
        ("specific", "Wipe glass in Rome at 40 degrees with 2 spoons.", log1p(3)),
        ("fulfils", "1. cleaning\n2. pickling", 1),
        ("fulfils", "1. cleaning\n2. pickling\n3. cooking", 0),
    ],
)
def test_features(name: str, answer: str, expected: float) -> None:
    assert value(name, answer) == pytest.approx(expected)


def test_a_prompt_that_asks_for_no_form_says_nothing() -> None:
    assert isnan(value("fulfils", "It cleans.", prompt="What is vinegar good for?"))


def test_a_translation_may_be_in_the_other_script() -> None:
    assert value("other_script", "你好，世界", prompt="Translate 'hello, world' into Chinese.") == 0


def test_length_and_content_count_up_to_a_limit() -> None:
    many = " ".join(f"word{i}" for i in range(400))
    assert value("length", "one two") < value("length", "one two three") < value("length", many)
    assert value("length", many) == value("length", f"{many} {many}")
    assert value("content", many) == value("content", many + " more and more")
    assert value("content", "glass pickles") > value("content", "vinegar and the kitchen")


def test_repetition_compresses() -> None:
    assert value("compression", "The same line again and again. " * 40) > 5


@pytest.mark.parametrize(
    ("text", "chinese"), [("写一首诗", True), ("Write a poem", False), ("", False), ("用 Python 写一个函数", True), ("The word 水 means water", False)]
)
def test_is_chinese(text: str, chinese: bool) -> None:
    assert is_chinese(text) is chinese
