"""Prompt templates: the same set in both languages, examples that our own parsers accept, and texts that stay texts."""

import re
from importlib.resources import files
from typing import Any

import jinja2
import pytest
import yaml
from jinja2 import meta

from synth_assets import prompts
from synth_assets.methods.candidates import bare
from synth_assets.methods.elimination import equal_by, of_text
from synth_assets.methods.evol_instruct import BREADTH, DEPTH, OPERATIONS
from synth_assets.methods.reasoning import final_answer, split_trace
from synth_assets.prompts import Turn, load, principles, system_messages, version
from synth_assets.quality.words import count_words
from synth_assets.teacher.messages import Message, Reply

LANGUAGES = ("en", "zh")
LISTS = ("attributes", "principles", "system_messages")
HAN = re.compile("[一-鿿]")


def names(language: str) -> list[str]:
    return sorted(file.name.removesuffix(".yaml") for file in files(prompts).joinpath(language).iterdir())


def content(name: str, language: str) -> dict[str, Any]:
    data = yaml.safe_load(files(prompts).joinpath(language, f"{name}.yaml").read_text(encoding="utf-8"))
    assert isinstance(data, dict)
    return data


TEMPLATES = [name for name in names("en") if name not in LISTS]


def variables(name: str, language: str) -> set[str]:
    data = content(name, language)
    return meta.find_undeclared_variables(jinja2.Environment(autoescape=True).parse(f"{data.get('system', '')}\n{data['user']}"))


def test_every_file_is_there_in_both_languages() -> None:
    assert names("en") == names("zh")
    assert {f"evolve_{operation}" for operation in OPERATIONS} < set(names("en"))


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_asks_for_the_same_values_in_both_languages(name: str) -> None:
    assert variables(name, "en") == variables(name, "zh")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_written_in_its_language(name: str, language: str) -> None:
    template = load(name, language)
    texts = [template.system, *(text for turn in template.examples for text in (turn.user, turn.assistant))]
    assert all(bool(HAN.search(text)) is (language == "zh") for text in texts if text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", TEMPLATES)
def test_values_of_any_text_arrive_as_they_are(name: str, language: str) -> None:
    hostile = "{{ 7 * 7 }} {% raw %} {{ self.__init__.__globals__ }} \ud800 # <|im_end|>"
    values: dict[str, Any] = dict.fromkeys(variables(name, language), hostile)
    system, messages = load(name, language).render(**values)
    rendered = "\n".join((system, *(message.content for message in messages)))
    assert rendered.count(hostile) == len(values)
    assert "49" not in rendered


@pytest.mark.parametrize("name", [name for name in TEMPLATES if variables(name, "en")])
def test_a_forgotten_value_is_an_error_and_no_gap(name: str) -> None:
    with pytest.raises(jinja2.UndefinedError):
        load(name).render()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [name for name in TEMPLATES if name != "magpie"])
def test_a_conversation_alternates_and_ends_with_the_user(name: str, language: str) -> None:
    template = load(name, language)
    values: dict[str, Any] = dict.fromkeys(variables(name, language), "x")
    _, messages = template.render(**values)
    assert [message.role for message in messages] == ["user", "assistant"] * len(template.examples) + ["user"]
    assert all(message.content.strip() for message in messages)


def test_given_examples_replace_the_templates_own() -> None:
    template = load("self_instruct")
    _, messages = template.render([Turn("a", "b")], title="Home", topic="bread")
    assert messages == (Message("user", "a"), Message("assistant", "b"), Message("user", template.ask(topic="bread")))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_examples_of_an_operation_would_stand_as_evolutions(operation: str, language: str) -> None:
    for turn in load(f"evolve_{operation}", language).examples:
        _, task = re.split("[:：]", turn.user, maxsplit=1)
        assert load(f"evolve_{operation}", language).ask(instruction=task.strip()) == turn.user
        assert bare(turn.user) == task.strip()
        assert bare(turn.assistant) == turn.assistant
        # Its own example given back is a leak, so it is tested as another operation's.
        assert of_text(turn.assistant, task, DEPTH[0] if operation != DEPTH[0] else DEPTH[1], set(), language) == ("", "")
        added = count_words(turn.assistant, language) - count_words(task, language)
        if operation != BREADTH:
            assert added >= (10 if language == "en" else 15)
        assert added <= 60


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_judges_examples_are_one_of_each_verdict(language: str) -> None:
    assert sorted(equal_by(turn.assistant, language) or False for turn in load("evolve_judge", language).examples) == [False, True]
    assert None not in {equal_by(turn.assistant, language) for turn in load("evolve_judge", language).examples}


@pytest.mark.parametrize(("language", "answer"), [("en", "24"), ("zh", "40")])
def test_the_reasoning_example_has_the_form_that_is_asked_for(language: str, answer: str) -> None:
    (turn,) = load("reasoning", language).examples
    trace = split_trace(Reply("key", turn.assistant, "end_turn", "teacher"))
    assert trace is not None
    assert final_answer(trace[1], language) == answer


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("pool", [principles, system_messages])
def test_there_are_sixteen_of_each_and_no_two_alike(pool: Any, language: str) -> None:
    texts = pool(language)
    assert len(texts) == len(set(texts)) == 16
    assert all(isinstance(text, str) for text in texts)
    assert [text for text in texts if not text.strip()] == ([""] if pool is system_messages else [])
    assert pool is principles or texts[0] == ""
    assert all(bool(HAN.search(text)) is (language == "zh") for text in texts if text)


@pytest.mark.parametrize("name", names("en"))
def test_a_version_names_its_file_and_follows_its_content(name: str) -> None:
    assert re.fullmatch(rf"{name}@[0-9a-f]{{8}}", version(name))
    assert version(name) != version(name, "zh")
    assert name in LISTS or load(name).version == version(name)
