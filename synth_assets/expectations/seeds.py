"""Checks of seeds: enough of them, on every topic, licensed, with responses worth learning from."""

from collections import Counter

from synth_assets.expectations.check import Check, Column, Figure, StageSlice, Suite
from synth_assets.expectations.common import licences_present, rows_present, shared
from synth_assets.expectations.forms import at_least, holds, unique
from synth_assets.quality.words import count_words

__all__ = ["SUITE"]

STAGE = "seeds"


def _fewest_per_topic(rows: StageSlice) -> float:
    counts = Counter(rows.texts("topic"))
    return min(counts[topic] for topic in rows.domain.topic_names)


def _prompt_fits(rows: StageSlice) -> list[bool]:
    rules, language = rows.domain.gates.rules, rows.domain.language
    asked = zip(rows.texts("instruction"), rows.texts("input"), strict=True)
    return [rules.min_prompt_words <= count_words(f"{instruction} {given}", language) <= rules.max_prompt_words for instruction, given in asked]


def _response_fits(rows: StageSlice) -> list[bool]:
    rules, language = rows.domain.gates.rules, rows.domain.language
    return [rules.min_response_words <= count_words(response, language) <= rules.max_response_words for response in rows.texts("response")]


SUITE = Suite(
    STAGE,
    (
        *shared(STAGE, apart=("source", "license")),
        rows_present,
        licences_present,
        Check(
            "instructions_distinct",
            "structure",
            "No instruction stands twice with the same input.",
            "The same task twice.",
            unique("instruction", "input"),
        ),
        Check(
            "topics_covered",
            "quality",
            "Every declared topic has enough seeds.",
            "A topic with too few seeds to generate from.",
            at_least(lambda domain: domain.checks.seeds.min_per_topic),
            Figure("fewest_seeds_of_a_topic", _fewest_per_topic),
        ),
        Check(
            "prompt_lengths_fit",
            "quality",
            "Every instruction with its input has as many words as gates.rules allows.",
            "A seed whose like the rule gates would reject.",
            holds(),
            Column("prompt_length_fits", _prompt_fits),
        ),
        Check(
            "response_lengths_fit",
            "quality",
            "Every response has as many words as gates.rules allows.",
            "A response that the rule gates would reject.",
            holds(),
            Column("response_length_fits", _response_fits),
        ),
    ),
    inputs={"stage_accounts": ()},
)
