import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_assets.accounts import Outcome
from synth_assets.methods.instruction_pool import InstructionPool
from synth_assets.quality.instruction_filters import FILTERS, instruction_findings


def broken(text: str, language: str = "en", min_words: int = 4, max_words: int = 150) -> set[str]:
    return {f.rule for f in instruction_findings(text, language, min_words, max_words)}


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("Name three birds of prey.", set()),
        ("Name three birds", {"instruction_too_short"}),
        ("", {"instruction_too_short", "asks_nothing"}),
        ("You're right, the answer would be 8 cm, not 9 cm.", {"asks_nothing"}),
        ("To find out how much of the cake is left, you need to divide the total amount by 25%.", {"asks_nothing"}),
        ("word " * 150, set()),
        ("word " * 151, {"instruction_too_long"}),
        ("Describe the image in words.", {"banned_word"}),
        ("DRAW a cat for me.", {"banned_word"}),
        ("Please go  to the shop.", {"banned_word"}),
        ("Explain imagery in this poem.", set()),
        ("Describe a famous cartographer briefly.", set()),
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
        ("说三种", {"instruction_too_short", "asks_nothing"}),
        ("请描述这张图片。", {"banned_word"}),
        ("请画一只猫给我。", {"banned_word"}),
        ("介绍齐白石的国画艺术。", set()),
        ("，请说出三种猛禽。", {"leading_punctuation"}),
        ("鸟" * 151, {"instruction_too_long", "asks_nothing"}),
        ("你说得对，正确答案应该是八厘米。", {"asks_nothing"}),
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


plain = st.text("abcdefg hij", min_size=1, max_size=60).filter(lambda text: text[:1].isalpha() and text.strip() != "")


@given(plain, st.sampled_from(["image", "Graphs", "PICTURES", "go to", "map", "flowchart"]), st.integers(0, 60))
def test_a_banned_word_is_found_in_any_case_and_place_but_only_whole(text: str, banned: str, place: int) -> None:
    cut = min(place, len(text))
    alone, within = (f"{text[:cut]}{gap}{banned}{gap}{text[cut:]}" for gap in (" ", "x"))
    assert "banned_word" in {f.rule for f in instruction_findings(f"why {alone}", "en", 0, 1000)}
    assert "banned_word" not in {f.rule for f in instruction_findings(f"why {within}", "en", 0, 1000)}


@given(st.lists(st.sampled_from(["leaf", "don't", "3.5", "A-b", "é"]), max_size=30), st.integers(0, 20), st.integers(0, 20))
def test_a_limit_of_words_is_as_its_reader_counts(chunks: list[str], least: int, extra: int) -> None:
    found = {f.rule: f.score for f in instruction_findings(" ".join(chunks), "en", least, least + extra)}
    assert ("instruction_too_short" in found) is (len(chunks) < least) and ("instruction_too_long" in found) is (len(chunks) > least + extra)
    han = "叶" * len(chunks)
    found = {f.rule: f.score for f in instruction_findings(han, "zh", least, least + extra)}
    assert ("instruction_too_short" in found) is (len(chunks) < least) and ("instruction_too_long" in found) is (len(chunks) > least + extra)


@given(st.text(max_size=80), st.sampled_from(["en", "zh"]))
def test_any_text_has_at_most_one_finding_per_rule_and_white_space_around_it_does_not_count(text: str, language: str) -> None:
    rules = [f.rule for f in instruction_findings(text, language, 4, 150)]
    assert len(rules) == len(set(rules)) and set(rules) <= set(FILTERS)
    assert [f.rule for f in instruction_findings(f"  {text}\n", language, 4, 150)] == rules
    assert language == "en" or "non_ascii_start" not in rules


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["rye", "oats", "bran", "malt", "spelt", "bread"]), min_size=4, max_size=9), max_size=14))
def test_the_pool_keeps_what_a_comparison_with_everything_keeps(texts: list[list[str]]) -> None:
    def lcs(a: list[str], b: list[str]) -> int:
        row = [0] * (len(b) + 1)
        for x in a:
            before = 0
            for j, y in enumerate(b, start=1):
                row[j], before = (before + 1 if x == y else max(row[j], row[j - 1])), row[j]
        return row[-1]

    pool, outcome = InstructionPool("en", [{"id": "seed", "instruction": "rye oats bran malt"}]), Outcome()
    kept = [
        n for n, text in enumerate(texts) if pool.offer({"id": str(n), "instruction": " ".join(text) + "?"}, outcome, min_words=4, max_words=150, rouge_l=0.7)
    ]
    wanted, known = [], [["rye", "oats", "bran", "malt"]]
    for n, text in enumerate(texts):
        if all(20 * lcs(text, other) <= 7 * (len(text) + len(other)) for other in known):
            wanted.append(n)
            known.append(text)
    assert kept == wanted and {r.rule for r in outcome.rejected} <= {"near_duplicate_rouge_l"}
