"""Attributes of instructions: dealt evenly by weight and topic, said in prompts, kept in rows, and short for a small teacher."""

from collections import Counter
from typing import Any

import pytest

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.methods import attributes, evol_instruct, magpie, self_instruct
from synth_assets.methods.instruction_pool import InstructionPool
from synth_assets.teacher.messages import Profile, Request
from synth_assets_tests.methods.driving import LARGE, SMALL, TOPICS, drive, make_domain, run, saying, seed_rows
from synth_assets_tests.methods.test_self_instruct import fresh

DIFFICULTY = {"name": "difficulty", "values": [{"value": "easy", "weight": 2}, "hard"]}
AUDIENCE = {"name": "audience", "values": ["children", "nurses", "pilots"]}
TOPIC_NAMES = list(TOPICS["en"])


def varied(language: str = "en", *, seed: int = 3, **methods: Any) -> Domain:
    plain = make_domain(language, **methods).model_dump(mode="json", exclude_none=True)
    return Domain.model_validate(plain | {"seed": seed, "attributes": [DIFFICULTY, AUDIENCE], "personas": ["a baker", "a student of law"]})


def dealt(domain: Domain, visits: int, profile: Profile = LARGE) -> list[tuple[str, dict[str, str]]]:
    return [(topic, attributes.drawn(domain, "self_instruct", topic, visit, profile)) for visit in range(visits) for topic in TOPIC_NAMES]


def test_every_topic_sees_each_value_as_often_as_its_weight_says() -> None:
    for topic in TOPIC_NAMES:
        own = [values for of, values in dealt(varied(), 6) if of == topic]
        assert Counter(values["difficulty"] for values in own) == {"easy": 4, "hard": 2}
        assert Counter(values["audience"] for values in own) == {"children": 2, "nurses": 2, "pilots": 2}
        assert Counter(values["persona"] for values in own) == {"a baker": 3, "a student of law": 3}


def test_topics_of_one_turn_share_a_deck() -> None:
    for start in range(0, 12, 3):
        assert {values["audience"] for _, values in dealt(varied(), 4)[start : start + 3]} == {"children", "nurses", "pilots"}


def test_two_attributes_of_one_length_do_not_always_go_together() -> None:
    domain = varied()
    pairs = {(values["difficulty"], values["audience"]) for _, values in dealt(domain, 30)}
    assert len(pairs) == 6


def test_the_seed_decides() -> None:
    assert dealt(varied(), 5) == dealt(varied(), 5) != dealt(varied(seed=4), 5)


def test_a_small_teacher_is_asked_for_one_attribute_at_a_time_and_for_all_in_turn() -> None:
    found = dealt(varied(), 6, SMALL)
    assert all(len(values) == 1 for _, values in found)
    assert Counter(name for _, values in found for name in values) == {"difficulty": 6, "audience": 6, "persona": 6}
    for topic in TOPIC_NAMES:
        assert {name for of, values in found if of == topic for name in values} == {"difficulty", "audience", "persona"}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_without_attributes_prompts_and_rows_are_what_they_were(language: str) -> None:
    outcome, ((request, *_), *_) = instructed(make_domain(language, self_instruct={"style": "inline", "target": 2, "batch": 2}))
    assert request.messages[-1].content.endswith(("bicycles.", "bread.", "house plants.", "。"))
    assert all(row["attributes"] is None for row in outcome.kept)


def test_a_prompt_says_what_the_row_keeps_and_an_example_shows_what_it_was_asked_for() -> None:
    outcome, batches = instructed(varied(self_instruct={"style": "inline", "target": 8, "batch": 2, "human_examples": 1, "machine_examples": 2}))
    requests = [request for batch in batches for request in batch]
    asked = {request.messages[-1].content for request in requests}
    for row in outcome.kept:
        said = attributes.wishes(attributes.of_row(row), "en")
        assert "Difficulty: " in said and "Written for: " in said and "Asked by: " in said
        assert any(content.endswith(said) for content in asked)
    # Machine-made examples are shown with their wishes, seeds without.
    earlier = [turn.content for turn in requests[-1].messages[:-1] if turn.role == "user"]
    assert sum("Difficulty: " in content for content in earlier) == 2 and len(earlier) == 3


def test_chinese_prompts_are_chinese_throughout() -> None:
    _, ((request, *_), *_) = instructed(varied("zh", self_instruct={"style": "inline", "target": 1, "batch": 1}))
    assert "难度：" in request.messages[-1].content and "提问者：" in request.messages[-1].content and "Difficulty" not in request.messages[-1].content


def test_magpie_says_it_in_the_system_message_and_nowhere_else() -> None:
    domain = varied(magpie={"target": 3, "batch": 3})
    outcome, ((request, *_), *_) = run(lambda into: magpie.plan(domain, InstructionPool("en", seed_rows()), LARGE, into), saying(fresh))
    assert "Written for: " in request.system and request.messages == ()
    assert all(attributes.of_row(row).keys() == {"difficulty", "audience", "persona"} for row in outcome.kept)


def test_in_breadth_an_evolution_is_asked_for_anew_and_in_depth_it_keeps_its_parents() -> None:
    for share, own in ((1.0, True), (0.0, False)):
        domain = varied(evol_instruct={"rounds": 1, "breadth_share": share, "judge": False})
        parents: list[Row] = [row | {"attributes": '{"difficulty":"hard"}'} for row in seed_rows()]
        outcome, (requests, *_) = run(lambda into: evol_instruct.plan(domain, parents, LARGE, into), saying(fresh))  # noqa: B023 - called at once
        evolved = [row for row in outcome.kept if row["round"]]
        assert evolved and all(("persona" in attributes.of_row(row)) == own for row in evolved)
        assert all(("Asked by: " in request.messages[-1].content) == own for request in requests)
        assert all(attributes.of_row(row) == {"difficulty": "hard"} for row in outcome.kept if not row["round"])


def test_a_small_teachers_prompt_stays_short() -> None:
    plain = instructed(make_domain(self_instruct={"style": "inline", "target": 1, "batch": 1}), SMALL)[1][0][0]
    asked = instructed(varied(self_instruct={"style": "inline", "target": 1, "batch": 1}), SMALL)[1][0][0]
    assert len(asked.messages[-1].content.split()) - len(plain.messages[-1].content.split()) <= 6


def instructed(domain: Domain, profile: Profile = LARGE) -> tuple[Outcome, list[list[Request]]]:
    outcome = Outcome()
    pool = InstructionPool(domain.language, seed_rows(domain.language))
    batches = drive(self_instruct.plan(domain, pool, profile, outcome), saying(fresh))
    outcome.check_balance("generated_instructions", "home")
    return outcome, batches
