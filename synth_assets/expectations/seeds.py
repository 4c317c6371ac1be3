"""Checks of seeds: enough of them, on every topic, licensed, with responses worth learning from."""

from collections import Counter

from synth_assets.expectations.check import Check, Column, Figure, StageSlice, Suite, at_least, holds, texts
from synth_assets.expectations.common import licences_present, rows_present, shared
from synth_assets.quality.words import count_words

__all__ = ["SUITE"]

STAGE = "seeds"
MIN_SEEDS_PER_TOPIC = 3
"""Our figure: with fewer, the examples that a request shows are the same ones again and again."""


def _fewest_per_topic(rows: StageSlice) -> float:
    counts = Counter(texts(rows.frame, "topic"))
    return min(counts[topic] for topic in rows.domain.topic_names)


def _length_fits(rows: StageSlice) -> list[bool]:
    rules, language = rows.domain.gates.rules, rows.domain.language
    return [rules.min_response_words <= count_words(response, language) <= rules.max_response_words for response in texts(rows.frame, "response")]


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
            lambda library, _, domain: library.ExpectCompoundColumnsToBeUnique(column_list=["instruction", "input"]),
        ),
        Check(
            "topics_covered",
            "quality",
            f"Every declared topic has at least {MIN_SEEDS_PER_TOPIC} seeds (our figure).",
            "A topic with too few seeds to generate from.",
            at_least(MIN_SEEDS_PER_TOPIC),
            Figure("fewest_seeds_of_a_topic", _fewest_per_topic),
        ),
        Check(
            "response_lengths_fit",
            "quality",
            "Every response has as many words as gates.rules allows.",
            "A response that the rule gates would reject.",
            holds,
            Column("response_length_fits", _length_fits),
        ),
    ),
    inputs=("stage_accounts",),
)
