import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_assets.quality.words import count_words, is_signs, join_words, ngrams, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  \n\t ", []),
        ("—…!?", []),
        ("Explain NASA's DART mission.", ["explain", "nasa", "s", "dart", "mission"]),
        ("snake_case and kebab-case", ["snake", "case", "and", "kebab", "case"]),
        ("3.14 is 1,000", ["3", "14", "is", "1", "000"]),
        ("Café NAÏVE", ["café", "naïve"]),
        ("Ｆｕｌｌ　ｗｉｄｔｈ ﬁne", ["full", "width", "fine"]),
        ("café", ["café"]),
        ("İstanbul", ["istanbul"]),
        ("Объясните ΩMEGA", ["объясните", "ωmega"]),
        ("请解释GPT4的原理。", ["请", "解", "释", "gpt4", "的", "原", "理"]),
        ("一、2个苹果", ["一", "2", "个", "苹", "果"]),
        ("人々〇", ["人", "々", "〇"]),
        ("𠀀𠀁a", ["𠀀", "𠀁", "a"]),
        ("x\x00y \ud800z", ["x", "y", "z"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_case_can_be_kept() -> None:
    assert words("Ask Anna about NASA", keep_case=True) == ["Ask", "Anna", "about", "NASA"]
    assert words("Élan", keep_case=True) == ["Élan"]


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_ascii_words_are_those_of_rouge_score(text: str) -> None:
    assert words(text) == re.sub(r"[^a-z0-9]+", " ", text.lower()).split()


@given(st.text())
def test_words_hold_no_separator_and_survive_joining(text: str) -> None:
    tokens = words(text)
    assert not any(c.isspace() or c == "_" for token in tokens for c in token)
    assert words(" ".join(tokens)) == words(join_words(tokens))


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("", "en", 0),
        ("", "zh", 0),
        ("one", "en", 1),
        ("I don't know - really.", "en", 4),
        ("- * …", "en", 0),
        ("a well-known e-mail", "en", 3),
        ("你好，世界", "zh", 4),
        ("你好，世界", "en", 1),
        ("用 Python 3 写代码", "zh", 6),
        ("用Python写", "zh-Hans", 3),
        ("don't", "zh", 2),
    ],
)
def test_count_words(text: str, language: str, expected: int) -> None:
    assert count_words(text, language) == expected


def test_long_texts_are_counted() -> None:
    assert count_words("word " * 100_000, "en") == 100_000
    assert count_words("字" * 100_000, "zh") == 100_000


@pytest.mark.parametrize(
    ("n", "expected"),
    [(1, [("a",), ("b",), ("a",)]), (2, [("a", "b"), ("b", "a")]), (3, [("a", "b", "a")]), (4, [])],
)
def test_ngrams(n: int, expected: list[tuple[str, ...]]) -> None:
    assert list(ngrams(["a", "b", "a"], n)) == expected


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [([], ""), (["a"], "a"), (["a", "b"], "a b"), (["你", "好"], "你好"), (["用", "gpt", "写", "字"], "用 gpt 写字")],
)
def test_join_words(tokens: list[str], expected: str) -> None:
    assert join_words(tokens) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("😆", True), ("★", True), (".. .-.. --- .--.", True), ("···–––···", True), (":-)", True), ("...", False), ("", False)]
)
def test_signs_that_say_something(text: str, expected: bool) -> None:
    assert is_signs(text) == expected
