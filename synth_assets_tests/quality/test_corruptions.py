"""Corruptions and the pairs made of them, in both languages."""

import pytest

from synth_assets.identity import seeded
from synth_assets.quality.corruptions import KINDS, corrupted
from synth_assets.quality.reward_features import is_chinese
from synth_assets.quality.reward_pairs import Pair, training_pairs
from synth_assets.quality.words import words

ENGLISH = (
    "Tom has 12 apples and gives away 5. How many are left?",
    "Tom starts with 12 apples.\nHe gives away 5 of them.\nThat leaves 12 - 5 = 7.\nAnswer: 7",
)
CHINESE = ("小明有12个苹果，送出5个，还剩几个？", "小明一开始有12个苹果。\n他送出了5个。\n还剩12 - 5 = 7个。\n答案：7")
OTHERS = {ENGLISH: ["Water boils at 100 degrees.", "A lever lifts loads."], CHINESE: ["水在一百度沸腾。", "杠杆可以省力。"]}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_every_kind_spoils_both_languages(kind: str, row: tuple[str, str]) -> None:
    prompt, answer = row
    for seed in range(20):
        worse = corrupted(kind, prompt, answer, OTHERS[row], seeded(seed))
        assert worse is not None
        assert worse.strip() not in ("", answer)
        assert worse == corrupted(kind, prompt, answer, OTHERS[row], seeded(seed))
        assert is_chinese(worse) is (is_chinese(answer) is not (kind == "foreign"))


@pytest.mark.parametrize(
    ("kind", "longer"), [("padded", True), ("chatty", True), ("looped", None), ("mixed_up", True), ("leaked", True), ("truncated", False), ("thinned", False)]
)
def test_what_lengthens_and_what_shortens(kind: str, longer: bool | None) -> None:
    worse = corrupted(kind, *ENGLISH, OTHERS[ENGLISH], seeded(1))
    assert worse is not None
    if longer is not None:
        assert (len(words(worse)) > len(words(ENGLISH[1]))) is longer


def test_a_wrong_number_stands_where_the_right_one_stood() -> None:
    worse = {corrupted("miscalculated", *ENGLISH, [], seeded(seed)) for seed in range(30)}
    finals = {text.rpartition("Answer: ")[2] for text in worse if text}
    assert "7" not in finals
    assert len(finals) > 3
    assert any(text and "12 - 5 = 7." in text for text in worse)  # on the answer line alone
    assert any(text and "12 - 5 = 7." not in text for text in worse)  # wherever it occurs


@pytest.mark.parametrize(
    ("kind", "answer"), [("miscalculated", "No number."), ("shuffled", "One. Two."), ("thinned", "One."), ("opening", "One."), ("truncated", "Too short.")]
)
def test_what_cannot_be_spoiled_is_left_out(kind: str, answer: str) -> None:
    assert corrupted(kind, "prompt", answer, [], seeded(0)) is None


@pytest.mark.parametrize("kind", ["swapped", "mixed_up"])
def test_without_other_answers_nothing_is_swapped(kind: str) -> None:
    assert corrupted(kind, *ENGLISH, [], seeded(0)) is None


def rows(*texts: tuple[str, str]) -> list[dict[str, str]]:
    return [{"prompt": prompt, "response": answer} for prompt, answer in texts]


def test_training_pairs_hold_references_and_preferences() -> None:
    preference = {"prompt": "p", "chosen": "better", "rejected": "worse", "principle": "ignored"}
    same = {"prompt": "p", "chosen": "equal", "rejected": "equal "}
    pairs = training_pairs(rows(ENGLISH, CHINESE, ("q", "..."), ("r", "A fine answer.")), [preference, same], seed=3)
    assert Pair("p", "better", "worse") in pairs
    assert not [pair for pair in pairs if pair.chosen.strip() == pair.rejected.strip()]
    assert {pair.prompt for pair in pairs} == {"p", ENGLISH[0], CHINESE[0], "r"}  # "..." has no words to spoil
    assert {pair.kind for pair in pairs if pair.prompt == ENGLISH[0]} == set(KINDS)
    swapped = {pair.prompt: pair.rejected for pair in pairs if pair.kind == "swapped"}
    assert swapped == {ENGLISH[0]: "A fine answer.", "r": ENGLISH[1]}  # never an answer in the other language


def test_training_pairs_follow_from_rows_and_seed() -> None:
    texts = rows(ENGLISH, CHINESE, ("r", "A fine answer. It has two sentences."))
    assert training_pairs(texts, [], 1) == training_pairs(texts[::-1], [], 1)
    assert training_pairs(texts, [], 1) != training_pairs(texts, [], 2)
