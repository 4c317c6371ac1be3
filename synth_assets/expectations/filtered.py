"""Checks of what passed the gates: every gate's promise is tested again on the stored rows, never read from a column that the gate wrote.

Two gates are not run again, for they need models: the stored reward is held to the floor, and cosines are the gate's own. Near-duplicates are
looked for within a kind, as the gate does: a pair and an answer to the same prompt are two rows to learn from.
"""

from collections import Counter

from synth_assets.expectations.check import Check, Column, Figure, StageSlice, Suite, at_least, at_most, each_of, holds, texts
from synth_assets.expectations.common import candidates_pass, contamination_hits, decontaminated, nearest, pairs_differ, rows_present, shared
from synth_assets.quality.words import words

__all__ = ["SUITE"]

STAGE = "filtered"
MIN_DISTINCT_2 = 0.3
"""Our figure, of at most 1,000 prompts: written prompts have 0.6 or more, templates with a changed number under 0.2."""

MIN_TOPIC_COVERAGE = 0.8
"""Our figure: share of the declared topics that have at least one row."""

MIN_YIELD = 0.3
"""Our figure."""


def _source_found(rows: StageSlice) -> list[bool]:
    known = {"sft": rows.known("teacher_responses"), "preference": rows.known("preference_pairs")}
    return [kind not in known or source in known[kind] for source, kind in zip(texts(rows.frame, "source_id"), texts(rows.frame, "kind"), strict=True)]


def _contamination_hits(rows: StageSlice) -> list[int]:
    """Hits per row, each answer of a pair read after the prompt, as the gate reads them."""
    columns = (texts(rows.frame, name) for name in ("prompt", "response", "rejected"))
    read = [(prompt, [answer for answer in answers if answer]) for prompt, *answers in zip(*columns, strict=True)]
    real = rows.fact("real_data")
    written = zip(*(texts(real, name) for name in ("instruction", "input", "response")), strict=True)
    return contamination_hits(rows, read, ["\n".join(parts) for parts in written])


def _rules_broken(rows: StageSlice) -> list[int]:
    from synth_assets.quality.rules import check_row

    columns = (texts(rows.frame, name) for name in ("prompt", "response", "method"))
    language, rules = rows.domain.language, rows.domain.gates.rules
    return [
        len(check_row(prompt, response, language=language, rules=rules, reference_answer_expected=method == "reasoning"))
        for prompt, response, method in zip(*columns, strict=True)
    ]


def _margin_positive(rows: StageSlice) -> list[bool]:
    return [kind != "preference" or margin > 0 for kind, margin in zip(texts(rows.frame, "kind"), rows.frame["reward_margin"], strict=True)]


def _places_by_kind(rows: StageSlice) -> list[list[int]]:
    kinds = texts(rows.frame, "kind")
    return [[place for place, other in enumerate(kinds) if other == kind] for kind in dict.fromkeys(kinds)]


def _nearest_rouge_l(rows: StageSlice) -> list[float]:
    """Per row, its prompt's highest ROUGE-L F above the limit with another of its kind; 0 where none is above."""
    from synth_assets.quality.near_duplicates import rouge_l_pairs

    prompts = [words(prompt) for prompt in texts(rows.frame, "prompt")]
    best = [0.0] * len(prompts)
    for places in _places_by_kind(rows):
        pairs = rouge_l_pairs([prompts[place] for place in places], rows.domain.gates.near_duplicates.rouge_l)
        for place, similarity in zip(places, nearest(pairs, len(places)), strict=True):
            best[place] = similarity
    return best


def _nearest_jaccard(rows: StageSlice) -> list[float]:
    """Per row, its highest Jaccard similarity of word 5-grams, at or above the limit, with another of its kind; 0 where none is."""
    from synth_assets.quality.near_duplicates import jaccard_pairs

    whole = [words(f"{prompt}\n{response}") for prompt, response in zip(texts(rows.frame, "prompt"), texts(rows.frame, "response"), strict=True)]
    best = [0.0] * len(whole)
    for places in _places_by_kind(rows):
        pairs = jaccard_pairs([whole[place] for place in places], rows.domain.gates.near_duplicates.jaccard)
        for place, similarity in zip(places, nearest(pairs, len(places)), strict=True):
            best[place] = similarity
    return best


def _distinct_2(rows: StageSlice) -> float | None:
    """Different word 2-grams by all, over the prompts of the first 1,000 ids: ids are digests, so that these are a sample by content."""
    from synth_assets.quality.diversity import SAMPLE, ngram_counts

    sample = sorted(zip(texts(rows.frame, "id"), texts(rows.frame, "prompt"), strict=True))[:SAMPLE]
    tokens = [words(prompt) for _, prompt in sample]
    counts = ngram_counts(tokens, 2)[1] if any(len(text) > 1 for text in tokens) else ()
    return len(counts) / int(sum(counts)) if len(counts) else None


def _topic_coverage(rows: StageSlice) -> float:
    return len(set(texts(rows.frame, "topic")).intersection(rows.domain.topic_names)) / len(rows.domain.topic_names)


def _target_share(rows: StageSlice) -> float:
    kinds, targets = Counter(texts(rows.frame, "kind")), rows.domain.targets
    return min(kinds[kind] / target for kind, target in (("sft", targets.sft), ("preference", targets.preference)) if target)


SUITE = Suite(
    STAGE,
    (
        *shared(STAGE),
        rows_present,
        Check("kinds_known", "structure", "Every row is sft or preference.", "A row of a kind that nobody trains on.", each_of("kind", ("sft", "preference"))),
        Check(
            "pairs_differ",
            "structure",
            "Every preference row has a rejected response that differs from the chosen one; no other row has one.",
            "A pair without two different responses.",
            holds,
            Column("pair_differs", pairs_differ),
        ),
        Check(
            "sources_exist",
            "structure",
            "Every row is a row of teacher_responses (sft) or preference_pairs (preference).",
            "A row that comes from nowhere.",
            holds,
            Column("source_found", _source_found),
        ),
        Check(
            "sources_taken_once",
            "structure",
            "No row of a stage before is here twice.",
            "The same answer twice.",
            lambda library, _, domain: library.ExpectCompoundColumnsToBeUnique(column_list=["kind", "source_id"]),
        ),
        Check(
            "rules_hold",
            "structure",
            "No rule of gates.rules fires on a stored row.",
            "A row that the rule gate should have dropped.",
            at_most(0),
            Column("rules_broken", _rules_broken),
        ),
        decontaminated(_contamination_hits),
        Check(
            "no_near_duplicate_prompts",
            "structure",
            "Within a kind no two prompts have a ROUGE-L F above gates.near_duplicates.rouge_l, by a new search.",
            "Two prompts that ask the same.",
            at_most(lambda domain: domain.gates.near_duplicates.rouge_l),
            Column("nearest_rouge_l", _nearest_rouge_l),
        ),
        Check(
            "no_near_duplicate_rows",
            "structure",
            "Within a kind no two rows share word 5-grams at a Jaccard similarity of gates.near_duplicates.jaccard or more, by a new search.",
            "Two rows that say the same.",
            lambda library, column, domain: library.ExpectColumnValuesToBeBetween(
                column=column, max_value=domain.gates.near_duplicates.jaccard, strict_max=True
            ),
            Column("nearest_jaccard", _nearest_jaccard),
        ),
        Check(
            "reward_floor_holds",
            "structure",
            "Every row's reward is at or above gates.reward.floor.",
            "A row that the reward gate should have dropped.",
            lambda library, _, domain: library.ExpectColumnValuesToBeBetween(column="reward", min_value=domain.gates.reward.floor),
        ),
        Check(
            "margins_positive",
            "structure",
            "Every preference row's chosen response has a higher reward than its rejected one.",
            "A pair that prefers what the reward model likes less.",
            holds,
            Column("margin_positive", _margin_positive),
        ),
        Check(
            "prompts_varied",
            "quality",
            f"Of the word 2-grams of up to 1,000 prompts at least {MIN_DISTINCT_2:.0%} differ (our figure).",
            "Prompts made by one template.",
            at_least(MIN_DISTINCT_2),
            Figure("distinct_2", _distinct_2),
        ),
        Check(
            "topics_covered",
            "quality",
            f"At least {MIN_TOPIC_COVERAGE:.0%} of the declared topics have a row (our figure).",
            "Topics that the gates have emptied.",
            at_least(MIN_TOPIC_COVERAGE),
            Figure("share_of_topics_with_rows", _topic_coverage),
        ),
        Check(
            "targets_reached",
            "quality",
            "Every kind has as many rows as the domain's targets.",
            "Too few candidates, or gates that are too narrow: raise the methods' targets.",
            at_least(1),
            Figure("rows_of_target", _target_share),
        ),
        candidates_pass(MIN_YIELD),
    ),
    inputs=("teacher_responses", "preference_pairs", "real_data", "benchmarks", "stage_accounts"),
)
