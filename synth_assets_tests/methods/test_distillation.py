"""Distillation: one answer per instruction, the system message kept with it, unusable replies under their names."""

from typing import Any

import pytest
from hypothesis import given, settings

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.methods import distillation
from synth_assets.prompts import load, system_messages, version
from synth_assets.teacher.messages import Profile, Request
from synth_assets_tests.methods.driving import LARGE, SMALL, Answer, make_domain, mixtures, picking, reply, rules, run, saying, seed_rows

ORCA = {"distillation": {"style": "orca"}}


def attempt(domain: Domain, answer: Answer, rows: list[Row] | None = None, profile: Profile = LARGE) -> tuple[Outcome, list[list[Request]]]:
    instructions = seed_rows(domain.language) if rows is None else rows
    return run(lambda outcome: distillation.plan(domain, instructions, profile, outcome), answer)


@settings(max_examples=40, deadline=None)
@given(mixtures)
def test_every_mixture_of_replies_is_accounted_for_and_gives_the_same_rows_again(replies: list[dict[str, Any]]) -> None:
    twins = [*seed_rows(), *({**row, "id": f"twin-{i}"} for i, row in enumerate(seed_rows()))]
    for domain in (make_domain(), make_domain("zh", **ORCA)):
        assert attempt(domain, picking(replies), twins) == attempt(domain, picking(replies), twins)


def test_asks_instruction_and_input_and_nothing_else() -> None:
    rows = [{**row, "input": "a fern"} for row in seed_rows()]
    outcome, (batch,) = attempt(make_domain(), saying(" Water it.\n"), rows)
    assert [[m.content for m in request.messages] for request in batch] == [[f"{row['instruction']}\n\na fern"] for row in rows]
    assert {(request.system, request.sample, request.max_tokens) for request in batch} == {("", 0, 2048)}
    for row, request in zip(outcome.kept, batch, strict=True):
        assert row["prompt"] == request.messages[0].content
        assert (row["response"], row["system"], row["verdict"], row["prompt_version"]) == ("Water it.", "", "unverified", "plain@1")


def test_a_reply_with_thinking_keeps_it_apart_from_the_response() -> None:
    outcome, _ = attempt(make_domain(), lambda request: reply(request, "Water it.", thinking="Is it dry?"))
    assert {(row["thinking"], row["response"]) for row in outcome.kept} == {("Is it dry?", "Water it.")}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_orca_draws_a_system_message_for_each_row_always_the_same_and_keeps_it(language: str) -> None:
    domain = make_domain(language, **ORCA)
    rows = [{**seed_rows(language)[0], "id": f"row-{i}"} for i in range(400)]
    outcome, (batch,) = attempt(domain, saying("Water it."), rows)
    assert [row["system"] for row in outcome.kept] == [request.system for request in batch]
    assert {request.system for request in batch} == set(system_messages(language))
    assert attempt(domain, saying("Water it."), rows[::-1])[0].kept == outcome.kept[::-1]
    assert {row["prompt_version"] for row in outcome.kept} == {version("system_messages", language)}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_small_teacher_is_not_asked_for_length_and_brevity_at_once(language: str) -> None:
    rows = [{**seed_rows(language)[0], "id": f"row-{i}"} for i in range(400)]
    _, (batch,) = attempt(make_domain(language, **ORCA), saying("Water it."), rows, profile=SMALL)
    about_length = set(system_messages(language)) - set(system_messages(language, about_length=False))
    assert len(about_length) == 2 and len({request.system for request in batch}) == 14
    assert not any(message in request.system for message in about_length for request in batch)


@pytest.mark.parametrize(("methods", "profile"), [({}, LARGE), (ORCA, LARGE), ({}, SMALL), (ORCA, SMALL)])
def test_only_a_small_teacher_is_asked_for_brevity(methods: dict[str, Any], profile: Profile) -> None:
    for language in ("en", "zh"):
        brevity = load("distill_small", language).system
        outcome, (batch,) = attempt(make_domain(language, **methods), saying("Water it."), profile=profile)
        assert all(request.system.endswith(brevity) is profile.small for request in batch)
        assert all(("distill_small" in row["prompt_version"]) is profile.small for row in outcome.kept)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"stop_reason": "max_tokens"}, "max_tokens"),
        ({"stop_reason": "refusal", "text": ""}, "refusal"),
        ({"stop_reason": "pause_turn"}, "pause_turn"),
        ({"text": "\n"}, "empty"),
        ({"text": "", "thinking": "only this"}, "empty"),
        ({"stop_reason": "failed", "failure": "malformed_reply", "evidence": "no content"}, "malformed_reply"),
    ],
)
def test_one_bad_answer_is_rejected_under_its_name_and_takes_no_other_down(changes: dict[str, Any], rule: str) -> None:
    rows = seed_rows()

    def answer(request: Request) -> Any:
        bad = request.messages[0].content == rows[2]["instruction"]
        return reply(request, **{"text": "Water it.", **(changes if bad else {})})

    outcome, _ = attempt(make_domain(), answer)
    assert rules(outcome) == [rule]
    assert [row["instruction_id"] for row in outcome.kept] == [row["id"] for row in rows if row is not rows[2]]
    assert outcome.rejected[0].row["instruction_id"] == rows[2]["id"]
    assert outcome.rejected[0].row["text"] == changes.get("text", "Water it.")
