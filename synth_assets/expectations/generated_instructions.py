"""Checks of generated instructions: the filters of Self-Instruct still hold on what is stored, and the topics are covered evenly.

Near-duplicates are found anew among the stored rows and the seeds, by the pool that generation itself uses.
"""

import sys
from collections import Counter

from synth_assets.config import Domain, SelfInstruct
from synth_assets.expectations.check import Check, Column, Figure, StageSlice, Suite, at_least, at_most, each_of, texts
from synth_assets.expectations.common import candidates_pass, nearest, shared
from synth_assets.quality.instruction_filters import instruction_findings
from synth_assets.quality.words import words

__all__ = ["SUITE"]

STAGE = "generated_instructions"
MIN_TOPIC_ENTROPY = 0.8
"""Our figure: of five topics with equal shares one may be missing altogether (0.86), two may not (0.68)."""

MIN_YIELD = 0.2
"""Our figure."""

_LENGTH = frozenset({"instruction_too_short", "instruction_too_long"})


def _targets(domain: Domain) -> dict[str, int]:
    """Accepted instructions wanted, by the methods that run."""
    methods = {"self_instruct": domain.methods.self_instruct, "magpie": domain.methods.magpie}
    return {name: settings.target for name, settings in methods.items() if settings is not None}


def _firing(rows: StageSlice, *, by_length: bool) -> list[int]:
    """Per row, how many instruction filters fire: the two of length, or all others. A method that nobody knows has no limits."""
    from synth_assets.methods import magpie

    settings = rows.domain.methods.self_instruct or SelfInstruct(target=1)
    limits = {"self_instruct": (settings.min_words, settings.max_words), "magpie": (magpie.MIN_WORDS, magpie.MAX_WORDS)}
    found = [
        instruction_findings(text, rows.domain.language, *limits.get(method, (0, sys.maxsize)))
        for text, method in zip(texts(rows.frame, "instruction"), texts(rows.frame, "method"), strict=True)
    ]
    return [sum((finding.rule in _LENGTH) == by_length for finding in findings) for findings in found]


def _rouge_l_limit(domain: Domain) -> float:
    """The looser limit of the methods that share the pool: which of them came first is not stored."""
    methods = (domain.methods.self_instruct, domain.methods.magpie)
    return max((settings.rouge_l for settings in methods if settings is not None), default=1.0)


def _nearest_rouge_l(rows: StageSlice) -> list[float]:
    """Per row, its highest ROUGE-L F above the limit with a seed or another row; 0 where none is above."""
    from synth_assets.quality.near_duplicates import rouge_l_pairs

    seeds = texts(rows.fact("seeds"), "instruction")
    instructions = [*seeds, *texts(rows.frame, "instruction")]
    # Two seeds may be as like as their author wants.
    return nearest(rouge_l_pairs([words(text) for text in instructions], _rouge_l_limit(rows.domain)), len(instructions), first=len(seeds))


def _topic_entropy(rows: StageSlice) -> float | None:
    from synth_assets.quality.diversity import measure

    # Without prompts, only the topics are measured.
    return measure((), texts(rows.frame, "topic"), rows.domain.topic_names, rows.domain.language).get("topic_entropy")


def _target_share(rows: StageSlice) -> float | None:
    made = Counter(texts(rows.frame, "method"))
    return min((made[method] / target for method, target in _targets(rows.domain).items()), default=None)


SUITE = Suite(
    STAGE,
    (
        *shared(STAGE),
        Check(
            "methods_configured",
            "structure",
            "Every row is made by a method that the domain file asks for.",
            "A row of another method: the slice is older than the domain file.",
            each_of("method", lambda domain: list(_targets(domain))),
        ),
        Check(
            "word_limits_hold",
            "structure",
            "Every instruction has as many words as its method allows.",
            "An instruction that is too short or too long.",
            at_most(0),
            Column("length_filters_firing", lambda rows: _firing(rows, by_length=True)),
        ),
        Check(
            "instruction_filters_hold",
            "structure",
            "No other filter of Self-Instruct fires on a stored instruction.",
            "An instruction with a banned word or opening.",
            at_most(0),
            Column("instruction_filters_firing", lambda rows: _firing(rows, by_length=False)),
        ),
        Check(
            "no_near_duplicates",
            "structure",
            "No instruction's ROUGE-L F against the seeds and the other instructions is above the limit.",
            "An instruction that says again what a seed or another one says.",
            at_most(_rouge_l_limit),
            Column("nearest_rouge_l", _nearest_rouge_l),
        ),
        Check(
            "topics_spread",
            "quality",
            f"The entropy of the rows over the declared topics is at least {MIN_TOPIC_ENTROPY} of its maximum (our figure).",
            "A few topics have most of the rows.",
            at_least(MIN_TOPIC_ENTROPY),
            Figure("topic_entropy", _topic_entropy),
        ),
        Check(
            "targets_reached",
            "quality",
            "Every method has made as many instructions as the domain file asks for.",
            "The limit of attempts was reached before the target.",
            at_least(1),
            Figure("made_of_target", _target_share),
        ),
        candidates_pass(MIN_YIELD),
    ),
    inputs=("seeds", "stage_accounts"),
)
