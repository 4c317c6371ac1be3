"""Limits that a prompt sets to its answer are read, and those that it sets to something else are not."""

import pytest

from synth_assets.quality.word_limits import word_limit


@pytest.mark.parametrize(
    ("prompt", "limit"),
    [
        ("In 50 words or less, describe the tides.", 50),
        ("Write a story of no more than 150 words.", 150),
        ("Summarize the text in under 25 words.", 25),
        ("Explain it within a hundred words.", 100),
        ("Explain it in AT MOST TEN WORDS.", 10),
        ("Explain it in at most ſeven words.", 7),
        ("Describe it, maximum of 40 words.", 40),
        ("At most 20 words. Again: 20 words max.", 20),
        ("用不超过100个字解释潮汐。", 100),
        ("请在80字以内概括下文。", 80),
    ],
)
def test_a_limit_is_read(prompt: str, limit: int) -> None:
    assert word_limit(prompt) == limit


@pytest.mark.parametrize(
    "prompt",
    [
        "Explain the tides.",
        "Write a story of no less than 150 words.",
        "Write a story of 150 words.",
        "Name five things, each in at most ten words.",
        "Write a poem with a title of at most five words.",
        "Give a summary in at most 20 words and a longer one in under 100 words.",
        "Use sentences of no more than 12 words.",
        "写一篇不少于300字的文章。",
        "每段不超过50字。",
        "列出五个标题，10字以内。",
        "",
    ],
)
def test_what_limits_nothing_or_a_part_is_none(prompt: str) -> None:
    assert word_limit(prompt) is None
