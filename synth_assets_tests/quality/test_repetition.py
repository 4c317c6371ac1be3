import pytest

from synth_assets.config import Rules
from synth_assets.quality.repetition import (
    MIN_WORDS,
    duplicate_line_share,
    duplicate_ngram_share,
    repeated_blocks,
    top_ngram_share,
    without_code,
)
from synth_assets.quality.rules import check_row, repetition_findings
from synth_assets.quality.words import words

# Ninety different words: no share above any limit.
PLAIN = " ".join(f"word{i}x" for i in range(90))


@pytest.mark.parametrize(
    ("tokens", "n", "expected"),
    [
        ([], 2, (0.0, "")),
        (["a"], 2, (0.0, "")),
        (["ab", "cd", "ef", "gh"], 2, (0.0, "")),
        (["ab", "cd"] * 2, 2, (0.0, "")),  # twice is no repetition
        (["ab", "cd", "x", "ab", "cd", "y", "ab", "cd", "zzzzz"], 2, (12 / 19, "ab cd")),
        (["ha"] * 6, 2, (1.0, "ha ha")),  # overlapping occurrences do not carry the share above 1
        (["机", "器", "机", "器", "机", "器", "人", "人"], 2, (6 / 8, "机器")),
    ],
)
def test_top_ngram_share(tokens: list[str], n: int, expected: tuple[float, str]) -> None:
    assert top_ngram_share(tokens, n, least=3) == expected


def test_the_longest_of_equally_frequent_ngrams_counts() -> None:
    tokens = words("a b x longer words y a b z longer words q a b r longer words")
    assert top_ngram_share(tokens, 2, least=3)[1] == "longer words"


@pytest.mark.parametrize(
    ("tokens", "n", "share"),
    [
        ([], 10, 0.0),
        (["a", "b", "c"], 2, 0.0),
        (["a", "b", "c", "a", "b"], 2, 4 / 5),
        (["a"] * 5, 2, 1.0),  # every character once, though the n-grams overlap
        (["aa", "bb", "c", "d", "aa", "bb"], 2, 8 / 10),
    ],
)
def test_duplicate_ngram_share(tokens: list[str], n: int, share: float) -> None:
    assert duplicate_ngram_share(tokens, n)[0] == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 0.0),
        ("a\nb\nc", 0.0),
        ("a b c d\na b c d\nb", 1 / 3),
        (" a b c d \na b c d\n\n\nb\n", 1 / 3),
        ("---\na\n---\nb\n---", 0.0),
        ("a b c d\n" * 4, 3 / 4),
        ("Chorus:\na\nChorus:\nb", 0.0),  # too short to be a line of its own
    ],
)
def test_duplicate_line_share(text: str, share: float) -> None:
    assert duplicate_line_share(text)[0] == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("", set()),
        ("No. No. No. No. No.", set()),  # too short to count
        ("I like this cat. " * 3, set()),
        ("I like this cat. " * 4, {"in_a_row"}),
        ("I like this cat. Why not? " * 4, {"in_a_row"}),  # what is too short to count does not separate
        ("I like this cat. We like this dog. " * 39, set()),
        ("I like this cat. We like this dog. " * 40, {"sentences"}),
        ("我喜欢这只猫。" * 4, {"in_a_row"}),
        ("我喜欢这只猫。我喜欢那只狗。" * 40, {"sentences"}),
        ("\n\n".join(f"One two three.\n\nOther words here {i}." for i in range(9)), set()),
        ("\n\n".join(f"One two three.\n\nOther words here {i}." for i in range(10)), {"paragraphs"}),
        ("1. Mix the flour well\n" * 4, {"in_a_row"}),
    ],
)
def test_repeated_blocks(text: str, kinds: set[str]) -> None:
    assert set(repeated_blocks(text)) == kinds


def test_fenced_code_is_no_text() -> None:
    assert without_code("a\n```py\nx\nx\n```\nb") == "a\n\n\nb"
    assert without_code("a ```never closed") == "a \n"
    code = "```\n" + "total = total + step\n" * 60 + "```"
    assert repetition_findings(f"The loop, written out:\n{code}", Rules()) == []


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (PLAIN, set()),
        ("", set()),
        ("x = 4", set()),
        ("yes yes yes yes", set()),
        ("go up " * 60, {"top_2gram", "top_3gram", "top_4gram", "duplicate_10grams"}),
        ("转圈" * 60, {"top_2gram", "top_3gram", "top_4gram", "duplicate_10grams"}),
        (f"{PLAIN} {' '.join(PLAIN.split()[:12])}", set()),  # said twice
        (f"{PLAIN} {' '.join(PLAIN.split()[:12])} and {' '.join(PLAIN.split()[:12])}", {"duplicate_10grams"}),
        (f"{PLAIN} {PLAIN}", {"duplicate_10grams"}),  # all of it twice
        ("\n".join([PLAIN, *[f"Line {chr(97 + i)} here\nOh yes it is" for i in range(9)]]), {"duplicate_lines"}),
        ("\n".join([PLAIN, *[f"Item {i}: agree or not?\n- Agree\n- Disagree" for i in range(9)]]), set()),  # a form
        ("\n".join(f"{i}. {chr(97 + i)}{i} How often do you {'abcdefghij'[i] * 5}?" for i in range(10)), set()),  # a list with a frame
    ],
)
def test_repetition_findings(text: str, rules: set[str]) -> None:
    findings = repetition_findings(text, Rules())
    assert {f.rule for f in findings} == rules
    assert all(f.score is not None and 0 < f.score <= 1 and f.evidence for f in findings)


def test_shares_are_measured_from_fifty_words_on() -> None:
    short, enough = "go up " * 24 + "now", "go up " * 25
    assert len(words(short)) == MIN_WORDS - 1
    assert repetition_findings(short, Rules()) == []
    assert repetition_findings(enough, Rules())


def test_limits_and_switches_come_from_the_domain() -> None:
    text = "go up " * 60
    assert {f.rule for f in repetition_findings(text, Rules(max_top_2gram_share=1, max_top_3gram_share=1))} == {"top_4gram", "duplicate_10grams"}
    assert {f.rule for f in repetition_findings(text, Rules(off=("top_4gram", "duplicate_10grams")))} == {"top_2gram", "top_3gram"}


def test_a_share_on_its_limit_passes() -> None:
    # Lines: 7 different, 3 repeats of the first: 3 of 10.
    lines = [f"{' '.join(f'w{i}{j}' for j in range(8))}" for i in range(7)]
    text = "\n".join([*lines, *[lines[0]] * 3])
    assert duplicate_line_share(text)[0] == 0.3
    assert "duplicate_lines" not in {f.rule for f in repetition_findings(text, Rules())}
    assert "duplicate_lines" in {f.rule for f in repetition_findings(text, Rules(max_duplicate_line_share=0.29))}


@pytest.mark.parametrize(
    "code",
    [
        "<table>\n" + "<tr>\n<td>Row</td>\n<td>Row</td>\n</tr>\n" * 9 + "</table>",
        "model = Sequential([\n" + "    layers.Dense(128, activation='relu'),\n" * 9 + "])\nmodel.compile(loss='mse')",
        "def f(n):\n" + "    if n == 1:\n        total = total + n\n" * 12 + "    return total",
        "int main() {\n" + '    printf("Enter a number: ");\n    scanf("%d", &x);\n' * 12 + "}",
    ],
)
def test_code_without_a_fence_is_no_text(code: str) -> None:
    assert repetition_findings(f"Here it is, without a fence:\n{code}", Rules()) == []


@pytest.mark.parametrize("line", ["Call me later;", "import duties rose", "# Heading", "return to sender", "He said x = 4 is it."])
def test_a_line_of_prose_that_looks_like_code_stays(line: str) -> None:
    text = f"First we talk.\n{line}\nThen we rest."
    assert without_code(text) == text


CHORUS = (
    "Chorus:\nLet's all seize the summertime today,\nGonna have a real good time and stay,\n"
    "Summer days will never say goodbye,\nAll the joys we have will never die\n"
)
VERSE = " ".join(f"line{i} sunny{i} air{i} warm{i}" for i in range(12))


@pytest.mark.parametrize(
    ("prompt", "text", "found"),
    [
        ("Write lyrics about summer.", f"{VERSE}\n{CHORUS}\n{VERSE[::-1]}\n{CHORUS}{CHORUS}", False),
        ("Tell me about summer.", f"{VERSE}\n{CHORUS}\n{VERSE[::-1]}\n{CHORUS}{CHORUS}", False),  # the answer marks its choruses
        ("Tell me about summer.", f"{VERSE}\n{CHORUS}\n{VERSE[::-1]}\n{CHORUS}{CHORUS}".replace("Chorus:", ""), True),
        ("Write lyrics about summer.", CHORUS * 30, True),
    ],
)
def test_songs_may_repeat_their_chorus(prompt: str, text: str, found: bool) -> None:
    names = [f.rule for f in check_row(prompt, text, language="en", rules=Rules())]
    assert bool({"duplicate_lines", "duplicate_10grams"} & set(names)) == found


def test_what_the_prompt_names_may_be_named_again() -> None:
    answer = " ".join(f"Visit{i} the national park of town{i}." for i in range(14))
    assert [f.rule for f in check_row("List some places.", answer, language="en", rules=Rules())] == ["top_2gram", "top_3gram", "top_4gram"]
    assert check_row("List the national parks of each town, the best national park first.", answer, language="en", rules=Rules(max_top_4gram_share=1)) == []
