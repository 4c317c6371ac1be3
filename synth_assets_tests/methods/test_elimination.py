"""The four elimination rules on planted evolutions and answers, in both languages."""

import pytest

from synth_assets.methods.elimination import equal_by, of_answer, of_text
from synth_assets.prompts import load
from synth_assets.teacher.messages import Message, Request
from synth_assets_tests.methods.driving import reply

REQUEST = Request((Message("user", "Name a plant."),), 10)
LANGUAGES = ("en", "zh")


@pytest.mark.parametrize(
    ("language", "child", "rule"),
    [
        ("en", "Explain how ferns grow!", "no_information_gain"),
        ("en", "EXPLAIN how  ferns grow", "no_information_gain"),
        ("en", "Name two mosses", "no_information_gain"),
        ("zh", "解释蕨类怎样生长！", "no_information_gain"),
        ("zh", "说出两种苔藓", "no_information_gain"),
        ("en", "Here is the rewritten prompt with more detail on ferns.", "scaffold_leak"),
        ("en", "Compared with the given task, explain how ferns grow in shade.", "scaffold_leak"),
        ("en", "#Rewritten Prompt#\nExplain how ferns grow in shade.", "scaffold_leak"),
        ("en", "The new task is to explain how ferns grow in shade.", "scaffold_leak"),
        ("en", "Sure! Here it is.\n**Task:** Explain how ferns grow in shade.", "scaffold_leak"),
        ("zh", "根据给定的任务，解释蕨类在阴处怎样生长。", "scaffold_leak"),
        ("zh", "改编后的任务是解释蕨类在阴处怎样生长。", "scaffold_leak"),
        ("zh", "好的。\n新任务：解释蕨类在阴处怎样生长。", "scaffold_leak"),
        ("zh", "好的。\n任务：解释蕨类在阴处怎样生长。", "scaffold_leak"),
        ("en", "Ferns grow in shade, so the answer would be water and little light.", "asks_nothing"),
        ("zh", "蕨类在阴处生长，水分充足而光线较少。", "asks_nothing"),
        ("en", "Explain how ferns grow in deep shade.", ""),
        ("en", "Tell a colleague how to hand a new task to the gardener.", ""),
        ("en", "Sort these speeds in metres per second: 3, 5, 2.", ""),
        ("en", "How long does a given task take two gardeners?", ""),
        ("zh", "解释蕨类在阴处怎样生长，并举一个例子。", ""),
        ("zh", "请完成下面的任务：把两种蕨类分开。", ""),
        ("zh", "写一封邮件，向同事交代新任务。", ""),
    ],
)
def test_rules_one_and_four_look_at_the_text(language: str, child: str, rule: str) -> None:
    parent, other = ("Explain how ferns grow.", "name two mosses") if language == "en" else ("解释蕨类怎样生长。", "说出两种苔藓")
    found, evidence = of_text(child, parent, "deepen", {other}, language)
    assert found == rule
    assert bool(evidence) is bool(rule)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_example_of_the_prompt_given_back_is_a_leak(language: str) -> None:
    for turn in load("evolve_deepen", language).examples:
        assert of_text(turn.assistant, "x", "deepen", set(), language) == ("scaffold_leak", "an example of the prompt")


@pytest.mark.parametrize(
    ("language", "text", "rule"),
    [
        ("en", "I'm sorry, but I cannot tell.", "sorry_answer"),
        ("en", "SORRY. " + "word " * 78, "sorry_answer"),
        ("en", "Sorry. " + "word " * 79, ""),
        ("zh", "很抱歉，我说不出来。", "sorry_answer"),
        ("zh", "对不起，" + "叶" * 75, "sorry_answer"),
        ("zh", "对不起，" + "叶" * 77, ""),
        ("en", "A sorry-looking fern wants water.", "sorry_answer"),
        ("en", "", "empty_answer"),
        ("en", "...!?", "empty_answer"),
        ("en", "It is what it is.", "empty_answer"),
        ("zh", "。。。", "empty_answer"),
        ("zh", "我们也没有吧。", "empty_answer"),
        ("en", "Water it.", ""),
        ("en", "42", ""),
        ("zh", "浇水。", ""),
    ],
)
def test_rules_two_and_three_look_at_the_answer(language: str, text: str, rule: str) -> None:
    assert of_answer(reply(REQUEST, text), language)[0] == rule


@pytest.mark.parametrize("text", ["", "Sorry, I"])
@pytest.mark.parametrize("stop_reason", ["max_tokens", "refusal"])
def test_a_cut_or_refused_answer_is_left_to_the_stage_that_names_it(text: str, stop_reason: str) -> None:
    assert of_answer(reply(REQUEST, text, stop_reason=stop_reason), "en") == ("", "")


def test_an_answer_that_never_came_eliminates_under_the_name_of_the_failure() -> None:
    failed = reply(REQUEST, "", stop_reason="failed", failure="teacher_error", evidence="status 529")
    assert of_answer(failed, "en") == ("teacher_error", "status 529")


@pytest.mark.parametrize(
    ("verdict", "language", "expected"),
    [
        ("Equal", "en", True),
        ("equal.", "en", True),
        ("**Equal**", "en", True),
        ('"Equal"', "en", True),
        ("Answer: Equal", "en", True),
        ("Equal, both ask for", "en", True),
        ("Not equal.", "en", False),
        ("not_equal", "en", False),
        ("Not-Equal", "en", False),
        ("NOT EQUAL: the second asks", "en", False),
        ("Not equal\nEqual", "en", False),
        ("Equal or Not equal", "en", None),
        ("Not equal or Equal", "en", None),
        ("Equal / Not equal", "en", None),
        ("Equally deep", "en", None),
        ("The tasks are", "en", None),
        ("A canteen has 16 ounces", "en", None),
        ("Unequal", "en", None),
        ("", "en", None),
        (" \n ", "en", None),
        ("相同", "en", None),
        ("相同", "zh", True),
        ("“相同”。", "zh", True),
        ("回答：相同", "zh", True),
        ("不同", "zh", False),
        ("不相同。", "zh", False),
        ("不同，第二个多了", "zh", False),
        ("Not equal", "zh", False),
        ("相同或不同", "zh", None),
        ("不同还是相同", "zh", None),
        ("两个任务", "zh", None),
    ],
)
def test_a_verdict_is_equal_not_equal_or_nothing(verdict: str, language: str, expected: bool | None) -> None:
    assert equal_by(verdict, language) is expected
