import pytest

from synth_assets.quality.instruction_filters import FILTERS, instruction_findings


def broken(text: str, language: str = "en", min_words: int = 4, max_words: int = 150) -> set[str]:
    return {f.rule for f in instruction_findings(text, language, min_words, max_words)}


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("Name three birds of prey.", set()),
        ("Name three birds", {"instruction_too_short"}),
        ("", {"instruction_too_short"}),
        ("word " * 150, set()),
        ("word " * 151, {"instruction_too_long"}),
        ("Describe the image in words.", {"banned_word"}),
        ("DRAW a cat for me.", {"banned_word"}),
        ("Please go  to the shop.", {"banned_word"}),
        ("Explain imagery in this poem.", set()),
        ("Profile a famous cartographer briefly.", set()),
        ("Explain mapping and graphing to children.", set()),
        ("Suggest music for a wedding.", {"banned_word"}),
        ("Explain what a flowchart is.", {"banned_word"}),
        ("Write a program that sorts numbers.", {"write_a_program"}),
        ("write a PROGRAM that sorts numbers.", {"write_a_program"}),
        ("Write a programme for the evening.", set()),
        ("Help me write a program now.", set()),
        ("- Name three birds of prey.", {"leading_punctuation"}),
        ("$x$ is what number here?", {"leading_punctuation"}),
        ("“Name” three birds of prey.", {"leading_punctuation", "non_ascii_start"}),
        ("Élise wants three birds, why?", {"non_ascii_start"}),
        ("3 birds of prey, please.", set()),
        ("Draw", {"instruction_too_short", "banned_word"}),
    ],
)
def test_english(text: str, rules: set[str]) -> None:
    assert broken(text) == rules


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("请说出三种猛禽。", set()),
        ("说三种", {"instruction_too_short"}),
        ("请描述这张图片。", {"banned_word"}),
        ("请画一只猫给我。", {"banned_word"}),
        ("介绍齐白石的国画艺术。", set()),
        ("，请说出三种猛禽。", {"leading_punctuation"}),
        ("鸟" * 151, {"instruction_too_long"}),
    ],
)
def test_chinese(text: str, rules: set[str]) -> None:
    assert broken(text, "zh") == rules


def test_findings_are_for_reading() -> None:
    text = "Explain, for a reader who has never seen one, what NASA's first photograph of the far side shows and how to draw it " + "well " * 200
    findings = instruction_findings(text, "en", 4, 150)
    assert [(f.rule, f.score) for f in findings] == [("instruction_too_long", 223), ("banned_word", None)]
    assert all(len(f.evidence) <= 120 for f in findings)
    assert "draw" in findings[1].evidence
    assert "NASA" in findings[0].evidence
    assert {f.rule for f in findings} <= set(FILTERS)
