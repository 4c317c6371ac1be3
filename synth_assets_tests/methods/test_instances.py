"""Instances of tasks: the kind of a task decides how they are asked for, and every filter of the paper rejects under its own name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_assets.accounts import Outcome
from synth_assets.methods import self_instruct
from synth_assets.methods.instances import KIND_TOKENS, instance_findings, kind_of, read_instances
from synth_assets.methods.instruction_pool import InstructionPool
from synth_assets.prompts import load
from synth_assets.teacher.messages import Plan, Reply, Request
from synth_assets_tests.methods.driving import LARGE, Answer, make_domain, reply, rules, run, seed_rows
from synth_assets_tests.methods.test_self_instruct import FRESH

STEPS = {load(name, language).system: name for name in ("instance_kind", "instances_input_first", "instances_output_first") for language in ("en", "zh")}
GOOD = "Input: wheat and rye\nOutput: rye rises less.\nInput: oats\nOutput: oats hardly rise."


def step(request: Request) -> str:
    return STEPS.get(request.system, "instruction")


def teacher(kind: str = "Input", examples: str = GOOD, **changes: Any) -> Answer:
    def answer(request: Request) -> Reply:
        texts = {"instruction": FRESH[request.sample % len(FRESH)], "instance_kind": kind}
        return reply(request, texts.get(step(request), examples), **(changes if step(request) not in texts else {}))

    return answer


def attempt(answer: Answer, target: int = 1, count: int = 2, **settings: Any) -> tuple[Outcome, list[list[Request]]]:
    domain = make_domain(self_instruct={"target": target, "batch": target, "attempts_per_target": 1, "instances": count, **settings})

    def make(outcome: Outcome) -> Plan:
        return self_instruct.plan(domain, InstructionPool("en", seed_rows()), LARGE, outcome)

    return run(make, answer)


@pytest.mark.parametrize(
    ("kind", "name", "examples"),
    [
        ("Classification", "instances_output_first", "Output: bread\nInput: a loaf\nOutput: tool\nInput: a peel"),
        ("Input", "instances_input_first", "Input: a loaf\nOutput: bread\nInput: a peel\nOutput: tool"),
    ],
)
def test_a_classification_is_asked_for_output_first_and_others_input_first(kind: str, name: str, examples: str) -> None:
    outcome, batches = attempt(teacher(kind, examples))
    assert [step(request) for batch in batches for request in batch] == ["instruction", "instance_kind", name]
    assert [(row["input"], row["output"]) for row in outcome.kept] == [("a loaf", "bread"), ("a peel", "tool")]
    assert outcome.planned == 2
    for row in outcome.kept:
        assert (row["instruction"], row["task_kind"], len(row["call_keys"])) == (
            FRESH[0],
            name.removeprefix("instances_").replace("output_first", "classification").replace("input_first", "with_input"),
            3,
        )
    assert len({row["task_id"] for row in outcome.kept}) == 1 and len({row["id"] for row in outcome.kept}) == 2


def test_a_complete_task_is_its_own_instance_and_is_asked_for_none() -> None:
    outcome, batches = attempt(teacher("Complete"), target=3)
    assert [len(batch) for batch in batches] == [3, 3, 0]
    assert [(row["instruction"], row["input"], row["task_kind"], row["id"]) for row in outcome.kept] == [
        (text, "", "complete", row["task_id"]) for text, row in zip(FRESH, outcome.kept, strict=False)
    ]
    assert all(request.max_tokens == KIND_TOKENS and request.sampling == (("temperature", 0.0),) for request in batches[1])


def test_the_paper_asks_for_five_at_most_and_sends_its_presence_penalty_with_instructions_alone() -> None:
    _, batches = attempt(teacher(), count=5)
    assert "Examples: 5" in batches[2][0].messages[-1].content
    assert dict(batches[0][0].sampling) == {"temperature": 0.7, "top_p": 0.5, "presence_penalty": 2.0}
    assert "presence_penalty" not in dict(batches[2][0].sampling)


@pytest.mark.parametrize(
    ("examples", "expected"),
    [
        ("Input: a loaf\nOutput: A loaf.\nInput: oats\nOutput: grain", ["instance_output_is_input"]),
        ("Input: a loaf\nOutput:\nInput: oats\nOutput: grain", ["instance_output_empty"]),
        ("Input: a loaf\nOutput: bread, for example:\nInput: oats\nOutput: grain", ["instance_unfinished"]),
        ("Input: these two:\nOutput: bread\nInput: oats\nOutput: grain", ["instance_unfinished"]),
        ("Input:\nOutput: bread\nInput: oats\nOutput: grain", ["instance_input_empty"]),
        ("Input: None\nOutput: bread\nInput: oats\nOutput: grain", ["instance_input_empty"]),
        ("Input: oats\nOutput: grain\nInput: Oats.\nOutput: grain", ["instance_repeated"]),
        ("Input: oats\nOutput: grain", ["instance_missing"]),
        ("Input: oats\nOutput: grain\nInput: rye\nOutput: grain\nInput: wheat\nOutput: grain", []),
        ("Input: oats\nOutput: grain\nInput: OATS\nOutput: animal feed", ["instance_conflict"] * 2),
        ("Sure, here they are.", ["instance_missing"] * 2),
    ],
)
def test_each_filter_rejects_under_its_own_name_and_leaves_the_others(examples: str, expected: list[str]) -> None:
    outcome, _ = attempt(teacher(examples=examples))
    assert rules(outcome) == expected
    assert outcome.planned == 2 and len(outcome.kept) == 2 - len(outcome.rejected_ids)
    assert all(rejection.row.get("text", rejection.row["output"]) is not None for rejection in outcome.rejected)


def test_a_cut_reply_loses_its_last_example_and_a_refused_one_all() -> None:
    outcome, _ = attempt(teacher(stop_reason="max_tokens"))
    assert rules(outcome) == ["max_tokens"] and outcome.kept[0]["input"] == "wheat and rye"
    assert rules(attempt(teacher(stop_reason="refusal"))[0]) == ["refusal"] * 2
    assert rules(attempt(teacher(failure="bad_request", evidence="too long"))[0]) == ["bad_request"] * 2


def test_a_task_whose_kind_nobody_can_read_is_rejected_and_asked_for_no_examples() -> None:
    outcome, batches = attempt(teacher("It depends"))
    assert (rules(outcome), [len(batch) for batch in batches]) == (["task_kind_unparsable"], [1, 1, 0])
    assert outcome.rejected[0].evidence == "It depends"


def test_a_task_without_a_standing_instance_is_no_example_later_and_does_not_come_again() -> None:
    pool = InstructionPool("en", seed_rows())
    domain = make_domain(self_instruct={"target": 2, "batch": 1, "attempts_per_target": 2, "instances": 1, "machine_examples": 8})

    def answer(request: Request) -> Reply:
        bad = FRESH[0] in request.messages[-1].content
        texts = {"instruction": FRESH[max(0, request.sample - 1)], "instance_kind": "Input"}
        return reply(request, texts.get(step(request), "nothing" if bad else GOOD))

    outcome, batches = run(lambda o: self_instruct.plan(domain, pool, LARGE, o), answer)
    assert rules(outcome) == ["instance_missing", "near_duplicate_rouge_l"]
    assert [row["instruction"] for row in outcome.kept] == FRESH[1:3]
    assert FRESH[0] not in [message.content for batch in batches for request in batch if step(request) == "instruction" for message in request.messages]
    kept = {row["id"] for row in (*outcome.kept, *seed_rows())}
    assert all(parent in kept for row in outcome.kept for parent in row["parent_ids"])


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Classification", "en", "classification"),
        ("**Input**", "en", "with_input"),
        ("complete.", "en", "complete"),
        ("Answer: Complete", "en", "complete"),
        ("Needs input", "en", "with_input"),
        ("Classify: the review", "en", "classification"),
        # The embedded model's: another word, the task answered or gone on with.
        ("Inputs", "en", "with_input"),
        ("Output", "en", None),
        ("The answer is 10. The", "en", None),
        ("The task is to classify", "en", None),
        ("A task that", "en", None),
        ("Inputting the", "en", None),
        ("", "en", None),
        ("\x00", "en", None),
        ("分类", "zh", "classification"),
        ("需要输入。", "zh", "with_input"),
        ("完整", "zh", "complete"),
        ("不完整", "zh", None),
    ],
)
def test_a_kind_is_read_from_the_first_words(text: str, language: str, expected: str | None) -> None:
    assert kind_of(text, language) == expected


@pytest.mark.parametrize(
    ("text", "output_first", "expected"),
    [
        # A strong model's.
        ("Input: a\nOutput: b", False, [("a", "b")]),
        ("Example 1\nInput: a\nOutput: b\n\nExample 2\nInput: c\nOutput: d", False, [("a", "b"), ("c", "d")]),
        ("**Input:** a\n**Output:** b\n\n**Input:** c\n**Output:** d", False, [("a", "b"), ("c", "d")]),
        ("Input: first line\nsecond line\n\nOutput:\nb", False, [("first line\nsecond line", "b")]),
        ("Label: x\nInput: a\nLabel: y\nInput: c", True, [("a", "x"), ("c", "y")]),
        ("1. Input: a", False, []),
        # A small model's: no labels, one part alone, parts in the wrong order, the same part twice.
        ("The soup was hot.", False, []),
        ("Input: a", False, [("a", "")]),
        ("Output: b", False, [("", "b")]),
        ("Output: b\nInput: a\nOutput: c", False, [("", "b"), ("a", "c")]),
        ("Input: a\nInput: c\nOutput: d", False, [("a", ""), ("c", "d")]),
        ("Input: a\nOutput: b", True, [("a", ""), ("", "b")]),
        # Hostile ones.
        ("", False, []),
        ("Input:\nOutput:", False, [("", "")]),
        ("Input: Input: a\nOutput: Output: b", False, [("Input: a", "Output: b")]),
        ("Input: {{ 7 * 7 }}\nOutput: \ud800", False, [("{{ 7 * 7 }}", "\ud800")]),
    ],
)
def test_examples_are_read_by_their_labels(text: str, output_first: bool, expected: list[tuple[str, str]]) -> None:
    assert read_instances(text, "en", output_first=output_first) == expected


def test_chinese_examples_are_read_by_their_labels() -> None:
    assert read_instances("输出：好评\n输入：汤是热的。\n输出：差评\n输入：饭是凉的。", "zh", output_first=True) == [
        ("汤是热的。", "好评"),
        ("饭是凉的。", "差评"),
    ]
    assert read_instances("例子1：\n输入：九点开门\n输出：开门", "zh", output_first=False) == [("九点开门", "开门")]


plain = (
    st.text(st.characters(exclude_characters=":：\r\x85\u2028\u2029\x0b\x0c\x1c\x1d\x1e", exclude_categories=["Cs"]), min_size=1, max_size=20)
    .map(str.strip)
    .filter(bool)
)


@given(st.lists(st.tuples(plain, plain), min_size=1, max_size=5), st.booleans())
def test_whatever_is_written_in_the_form_is_read_back(pairs: list[tuple[str, str]], output_first: bool) -> None:
    parts = [(f"Output: {output}", f"Input: {material}") if output_first else (f"Input: {material}", f"Output: {output}") for material, output in pairs]
    assert read_instances("\n".join(line for part in parts for line in part), "en", output_first=output_first) == pairs


@given(st.text(max_size=80), st.booleans(), st.sampled_from(["en", "zh"]))
def test_no_text_at_all_breaks_the_readers(text: str, output_first: bool, language: str) -> None:
    for material, output in read_instances(text, language, output_first=output_first):
        assert {rule for rule, _ in instance_findings(material, output)} <= {
            "instance_output_empty", "instance_output_is_input", "instance_input_empty", "instance_unfinished",
        }  # fmt: skip
    assert kind_of(text, language) in {"classification", "with_input", "complete", None}
