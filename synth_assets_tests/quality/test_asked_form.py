"""The form that a prompt asks for, and whether an answer has it, on texts where a reader knows."""

import pytest

from synth_assets.quality.asked_form import fulfilled

ITEMS = "1. one thing\n2. another\n3. a third"


@pytest.mark.parametrize(
    ("prompt", "answer", "expected"),
    [
        ("Give me three reasons to walk.", ITEMS, 1),
        ("Give me five reasons to walk.", ITEMS, 0),
        ("Name 3 rivers of Europe.", "Rhine, Danube, Seine", 1),
        ("Name 3 rivers of Europe.", "The Rhine", 0),
        ("列出三个理由。", "- 一\n- 二\n- 三", 1),
        ("列出五个理由。", "- 一\n- 二\n- 三", 0),
        ("Explain tides in one sentence.", "The moon pulls the water.", 1),
        ("Explain tides in one sentence.", "The moon pulls. The water rises. It falls.", 0),
        ("Explain tides in a single paragraph.", "The moon pulls. The water rises.", 1),
        ("Explain tides in two short paragraphs.", "The moon.\n\nThe water.", 1),
        ("Write a 50-word story.", "word " * 52, 1),
        ("Write a 50-word story.", "word " * 20, 0),
        ("用两句话解释潮汐。", "月亮吸引海水。海水上升。", 1),
        ("Give the steps for changing a tyre as bullet points.", "- lift\n- turn", 1),
        ("Give the steps for changing a tyre as bullet points.", "Lift it and turn it.", 0),
        ("Compare them in a table.", "| a | b |\n|---|---|\n| 1 | 2 |", 1),
        ("Compare them in a table.", "A is one, B is two.", 0),
        ("Write a Python function that adds.", "```python\ndef add(a, b):\n    return a + b\n```", 1),
        ("Write a Python function that adds.", "You add the numbers.", 0),
        ("Write an email to my landlord.", "Subject: Heating\nDear Ms Park,\nit is cold.", 1),
        ("Write an email to my landlord.", "It is cold.", 0),
        ("Write a poem about rain.", "Rain on roof\nrain on leaf\nrain again", 1),
        ("Write a poem about rain.", "Rain is water that falls from clouds and wets the ground.", 0),
        ("Give ſix examples of fruits.", "1. pear\n2. plum", 0),
        ("List fıve birds.", "1. owl\n2. wren", 0),
        ("请把这条通知压缩到50个字以内。", "周二停水，请提前储水，具体时间见楼下告示，如有疑问请致电物业服务中心，电话贴在门口公告栏上，谢谢配合支持理解。", 1),
        ("Answer in JSON.", '{"a": 1}', 1),
        ("Give three reasons, each in a table.", ITEMS, 0.5),
    ],
)
def test_what_is_asked_for_is_looked_for(prompt: str, answer: str, expected: float) -> None:
    assert fulfilled(prompt, answer) == pytest.approx(expected)


@pytest.mark.parametrize(
    "prompt",
    [
        "Why is the sky blue?",
        "My three cats sleep all day. Is that normal?",
        "What does a tablespoon hold?",
        "为什么天是蓝的？",
        "",
        "It took five years to write. Why?",
        "How do I read a json file?",
        "Tom has 3 lines of 4 trees each. How many trees are there?",
        "Why did he put the book on a wooden table?",
        "介绍一下《三字经》的内容。",
        "十字路口怎么走？",
    ],
)
def test_a_prompt_that_asks_for_no_form(prompt: str) -> None:
    assert fulfilled(prompt, "Because.") is None


@pytest.mark.parametrize("answer", ["", " \n ", "x" * 100_000, "- " * 20_000, "|" * 50_000, "x" + "\n" * 50_000 + "y"])
def test_any_answer_is_read(answer: str) -> None:
    assert 0 <= (fulfilled("Write a letter with five reasons in a table, in one sentence each, and a Python function.", answer) or 0) <= 1
