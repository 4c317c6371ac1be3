"""What a reply loses before it is a candidate, and what it never loses."""

import pytest

from synth_assets.accounts import Outcome
from synth_assets.conversations import prompt_of
from synth_assets.methods.candidates import bare, folded, unusable
from synth_assets.teacher.messages import Message, Request
from synth_assets_tests.methods.driving import reply

REQUEST = Request((Message("user", "Name a plant."),), 10)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Name a plant.", "Name a plant."),
        ("  Name a plant.\n", "Name a plant."),
        ("Task: Name a plant.", "Name a plant."),
        ("NEW TASK : Name a plant.", "Name a plant."),
        ("Rewritten prompt: Name a plant.", "Name a plant."),
        ("**Task:** Name a plant.", "Name a plant."),
        ("**Question**: Name a plant.", "Name a plant."),
        ("任务：说出一种植物。", "说出一种植物。"),
        ("新任务：说出一种植物。", "说出一种植物。"),
        ("改编后的任务: 说出一种植物。", "说出一种植物。"),
        ('"Name a plant."', "Name a plant."),
        ("“说出一种植物。”", "说出一种植物。"),
        ("「说出一种植物。」", "说出一种植物。"),
        ('Task: "Name a plant."', "Name a plant."),
        ('"Task: Name a plant."', "Name a plant."),
        ('"Rose" and "lily"', '"Rose" and "lily"'),
        ('"Rose" is a word', '"Rose" is a word'),
        ("'Tis the season", "'Tis the season"),
        ("Do the task: sow.", "Do the task: sow."),
        ("Tasks are many: sow.", "Tasks are many: sow."),
        ("What does NASA do?", "What does NASA do?"),
        ('"', '"'),
        ('""', '""'),
        ("Task:", ""),
        ("", ""),
    ],
)
def test_labels_and_quotation_marks_go_and_the_rest_stays(text: str, expected: str) -> None:
    assert bare(text) == expected


@pytest.mark.parametrize("pair", [("Name a plant.", " name  a\nPLANT"), ("“好”？", "“好”"), ('"Yes!"', "yes")])
def test_texts_that_differ_in_case_space_and_closing_punctuation_are_the_same(pair: tuple[str, str]) -> None:
    assert folded(pair[0]) == folded(pair[1])


@pytest.mark.parametrize("pair", [("Name a plant.", "Name the plant."), ("2.5", "25"), ("a-b", "a b")])
def test_texts_that_differ_in_anything_else_are_not(pair: tuple[str, str]) -> None:
    assert folded(pair[0]) != folded(pair[1])


def test_a_prompt_is_instruction_and_input_in_two_paragraphs() -> None:
    assert prompt_of({"instruction": "Sort.", "input": "b, a"}) == "Sort.\n\nb, a"
    assert prompt_of({"instruction": "Sort.", "input": ""}) == "Sort."


def test_two_positions_that_share_one_failed_call_are_two_rejections() -> None:
    outcome = Outcome(planned=2)
    failed = reply(REQUEST, "I would rather", stop_reason="refusal")
    for position in ("a", "b"):
        assert unusable(failed, {"domain": "home", "instruction_id": position}, outcome)
    outcome.check_balance("stage", "home")
    assert {key for key, _ in outcome.call_uses} == {failed.key}
    assert {r.row["text"] for r in outcome.rejected} == {"I would rather"}


def test_a_usable_reply_is_not_rejected() -> None:
    outcome = Outcome()
    assert not unusable(reply(REQUEST, "Fern"), {"domain": "home"}, outcome)
    assert outcome == Outcome()
