"""Limits that a prompt sets to its answer are read, and those that it sets to something else are not."""

import pytest

from synth_assets.quality.word_limits import word_limit


@pytest.mark.parametrize(
    ("prompt", "limit"),
    [
        ("In 50 words or less, describe the tides.", 50),
        ("Write a story of no more than 150 words.", 150),
        ("Summarize the text in under 25 words.", 25),
        ("Explain it in AT MOST 10 WORDS.", 10),
        ("Describe it, maximum of 40 words.", 40),
        ("At most 20 words. Again: 20 words max.", 20),
        ("用不超过100个字解释潮汐。", 100),
        ("1,500 is a number; use 300 words or fewer.", 300),
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
        "The essay should not be less than 300 words.",
        "Do not write fewer than 200 words, with no  fewer than 3 examples.",
        "In twenty-five words or less, explain it.",
        "In FİVE words or less, say hello.",
        "Write three paragraphs of no more than 100 words about the sea.",
        "Write two short stories of at most 150 words.",
        "Write a Python function that splits a text into chunks of at most 100 words.",
        "My essay is of less than 300 words. Expand it to 800 words.",
        "写一篇不少于300字的文章。",
        "写一篇作文，字数不得少于800字。",
        "写一篇800字左右的作文，不超过1000字。",
        "写一篇作文，开头不超过50字。",
        "每段不超过50字。",
        "列出五个标题，10字以内。",
        "",
    ],
)
def test_what_limits_nothing_or_a_part_is_none(prompt: str) -> None:
    assert word_limit(prompt) is None
