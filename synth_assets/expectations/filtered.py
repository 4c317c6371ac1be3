"""Checks of what passed the gates: every gate's promise is tested again on the stored rows, never read from a column that the gate wrote.

Two gates are not run again, for they need models: the stored reward is held to the floor, and cosines are the gate's own. Near-duplicates are
looked for within a kind, as the gate does: a pair and an answer to the same prompt are two rows to learn from.
"""

from collections import Counter
from typing import TYPE_CHECKING

from synth_assets.expectations.check import Check, Column, Figure, StageSlice, Suite, texts
from synth_assets.expectations.common import candidates_pass, contamination_hits, decontaminated, nearest, pairs_differ, rows_present, shared
from synth_assets.expectations.forms import at_least, at_most, each_of, holds, unique
from synth_assets.expectations.regression import HISTORY, regression_checks
from synth_assets.quality.words import words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SUITE"]

STAGE = "filtered"
TESTED_AGAIN = 1_000
"""Rows that are put through all rules again: the 27 of them take a millisecond a row. Ids are digests, so that the first
are a sample by content, and a rule that 0.3 % of the rows break is seen with 95 % certainty."""


def _source_found(rows: StageSlice) -> list[bool]:
    known = {"sft": rows.known("teacher_responses"), "preference": rows.known("preference_pairs")}
    return [kind not in known or source in known[kind] for source, kind in zip(rows.texts("source_id"), rows.texts("kind"), strict=True)]


def _contamination_hits(rows: StageSlice) -> list[int]:
    """Hits per row, each answer of a pair read after the prompt, as the gate reads them."""
    columns = (rows.texts(name) for name in ("prompt", "response", "rejected"))
    read = [(prompt, [answer for answer in answers if answer]) for prompt, *answers in zip(*columns, strict=True)]
    real = rows.fact("real_data")
    written = zip(*(texts(real, name) for name in ("instruction", "input", "response")), strict=True)
    return contamination_hits(rows, read, ["\n".join(parts) for parts in written])


def _rules_broken(rows: StageSlice) -> list[int]:
    """Per row, how many rules fire; 0 for those beyond the first `TESTED_AGAIN` ids."""
    from synth_assets.quality.rules import check_row

    ids, *columns = (rows.texts(name) for name in ("id", "prompt", "response", "method"))
    last = sorted(ids)[min(TESTED_AGAIN, len(ids)) - 1] if ids else ""
    language, rules = rows.domain.language, rows.domain.gates.rules
    return [
        0 if identity > last else len(check_row(prompt, response, language=language, rules=rules, reference_answer_expected=method == "reasoning"))
        for identity, prompt, response, method in zip(ids, *columns, strict=True)
    ]


def _margin_positive(rows: StageSlice) -> list[bool]:
    return [kind != "preference" or margin > 0 for kind, margin in zip(rows.texts("kind"), rows.frame["reward_margin"], strict=True)]


def _places_by_kind(rows: StageSlice) -> list[list[int]]:
    kinds = rows.texts("kind")
    return [[place for place, other in enumerate(kinds) if other == kind] for kind in dict.fromkeys(kinds)]


def _nearest_rouge_l(rows: StageSlice) -> list[float]:
    """Per row, its prompt's highest ROUGE-L F above the limit with another of its kind; 0 where none is above."""
    from synth_assets.quality.near_duplicates import rouge_l_pairs

    prompts = rows.words("prompt")
    best = [0.0] * len(prompts)
    for places in _places_by_kind(rows):
        pairs = rouge_l_pairs([prompts[place] for place in places], rows.domain.gates.near_duplicates.rouge_l)
        for place, similarity in zip(places, nearest(pairs, len(places)), strict=True):
            best[place] = similarity
    return best


def _nearest_jaccard(rows: StageSlice) -> list[float]:
    """Per row, its highest Jaccard similarity of word 5-grams, at or above the limit, with another of its kind; 0 where none is."""
    from synth_assets.quality.near_duplicates import jaccard_pairs

    whole = [prompt + response for prompt, response in zip(rows.words("prompt"), rows.words("response"), strict=True)]
    best = [0.0] * len(whole)
    for places in _places_by_kind(rows):
        pairs = jaccard_pairs([whole[place] for place in places], rows.domain.gates.near_duplicates.jaccard)
        for place, similarity in zip(places, nearest(pairs, len(places)), strict=True):
            best[place] = similarity
    return best


def _prompt_bigrams(rows: StageSlice) -> "NDArray[np.int64]":
    """Occurrences of the word 2-grams in the prompts of the first 1,000 ids: ids are digests, so that these are a sample by content."""
    from synth_assets.quality.diversity import SAMPLE, ngram_counts

    sample = sorted(zip(rows.texts("id"), rows.texts("prompt"), strict=True))[:SAMPLE]
    return ngram_counts([words(prompt) for _, prompt in sample], 2)[1]


def _distinct_2(rows: StageSlice) -> float | None:
    counts = _prompt_bigrams(rows)
    return len(counts) / int(counts.sum()) if len(counts) else None


def _evenness(counts: "NDArray[np.int64]") -> float | None:
    """Entropy of the counts by its maximum for as many; None for one alone."""
    import numpy as np

    total = int(counts.sum())
    return float((counts / total * np.log(total / counts)).sum() / np.log(len(counts))) if len(counts) > 1 else None


def _entropy_2(rows: StageSlice) -> float | None:
    return _evenness(_prompt_bigrams(rows))


def _topic_evenness(rows: StageSlice) -> float | None:
    """Over the topics that have rows: that some have none is the business of topics_covered."""
    import numpy as np

    counts = Counter(rows.texts("topic"))
    return _evenness(np.array([counts[topic] for topic in rows.domain.topic_names if counts[topic]], np.int64))


def _topic_coverage(rows: StageSlice) -> float:
    return len(set(rows.texts("topic")).intersection(rows.domain.topic_names)) / len(rows.domain.topic_names)


def _target_share(rows: StageSlice) -> float:
    kinds, targets = Counter(rows.texts("kind")), rows.domain.targets
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
            holds(),
            Column("pair_differs", pairs_differ),
        ),
        Check(
            "sources_exist",
            "structure",
            "Every row is a row of teacher_responses (sft) or preference_pairs (preference).",
            "A row that comes from nowhere.",
            holds(),
            Column("source_found", _source_found),
        ),
        Check(
            "sources_taken_once",
            "structure",
            "No row of a stage before is here twice.",
            "The same answer twice.",
            unique("kind", "source_id"),
        ),
        Check(
            "rules_hold",
            "structure",
            f"No rule of gates.rules fires on a stored row (on {TESTED_AGAIN:,} of them, where there are more).",
            "A row that the rule gate should have dropped.",
            at_most(0),
            Column("rules_broken", _rules_broken),
        ),
        decontaminated(_contamination_hits),
        Check(
            "no_near_duplicate_prompts",
            "structure",
            "within a kind no two prompts have a ROUGE-L F above gates.near_duplicates.rouge_l, by a new search.",
            "Two prompts that ask the same.",
            at_most(lambda domain: domain.gates.near_duplicates.rouge_l),
            Column("nearest_rouge_l", _nearest_rouge_l),
        ),
        Check(
            "no_near_duplicate_rows",
            "structure",
            "within a kind no two rows share word 5-grams at a Jaccard similarity of gates.near_duplicates.jaccard or more, by a new search.",
            "Two rows that say the same.",
            at_most(lambda domain: domain.gates.near_duplicates.jaccard, strict=True),
            Column("nearest_jaccard", _nearest_jaccard),
        ),
        Check(
            "reward_floor_holds",
            "structure",
            "Every row's reward is at or above gates.reward.floor.",
            "A row that the reward gate should have dropped.",
            at_least(lambda domain: domain.gates.reward.floor, stored="reward"),
        ),
        Check(
            "margins_positive",
            "structure",
            "Every preference row's chosen response has a higher reward than its rejected one.",
            "A pair that prefers what the reward model likes less.",
            holds(),
            Column("margin_positive", _margin_positive),
        ),
        Check(
            "prompts_varied",
            "quality",
            "Enough of the word 2-grams of up to 1,000 prompts differ.",
            "Prompts made by one template.",
            at_least(lambda domain: domain.checks.filtered.min_distinct_2),
            Figure("distinct_2", _distinct_2),
        ),
        Check(
            "ngrams_spread",
            "quality",
            "The word 2-grams of up to 1,000 prompts are spread evenly: their entropy, by its maximum.",
            "A few phrases make up much of the prompts.",
            at_least(lambda domain: domain.checks.filtered.min_entropy_2),
            Figure("entropy_2_of_maximum", _entropy_2),
        ),
        Check(
            "topics_spread",
            "quality",
            "The rows are spread evenly over the declared topics that have any: their entropy, by its maximum.",
            "A few topics have most of the rows.",
            at_least(lambda domain: domain.checks.filtered.min_topic_entropy),
            Figure("topic_evenness", _topic_evenness),
        ),
        Check(
            "topics_covered",
            "quality",
            "Enough of the declared topics have a row.",
            "Topics that the gates have emptied.",
            at_least(lambda domain: domain.checks.filtered.min_topic_coverage),
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
        candidates_pass(lambda domain: domain.checks.filtered.min_acceptance),
        *regression_checks("diversity", "similarity", "topic_entropy", "length", "reward", "acceptance"),
    ),
    inputs={
        "teacher_responses": ("id",),
        "preference_pairs": ("id",),
        "real_data": ("instruction", "input", "response"),
        "benchmarks": (),
        "stage_accounts": (),
        HISTORY: (),
    },
)
