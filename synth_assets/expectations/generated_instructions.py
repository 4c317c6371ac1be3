"""Checks of generated instructions: the filters of Self-Instruct still hold on what is stored, and the topics are covered evenly.

Near-duplicates are found anew among the stored rows and the seeds, by the pool that generation itself uses.
"""

import sys
from collections import Counter

from synth_assets.config import Domain, SelfInstruct
from synth_assets.expectations.check import Check, Column, Figure, StageSlice, Suite, texts
from synth_assets.expectations.common import candidates_pass, nearest, shared, topic_entropy
from synth_assets.expectations.forms import at_least, at_most, each_of, holds
from synth_assets.expectations.regression import HISTORY, regression_checks
from synth_assets.quality.instruction_filters import form_findings, length_findings
from synth_assets.quality.words import words

__all__ = ["SUITE"]

STAGE = "generated_instructions"


def _targets(domain: Domain) -> dict[str, int]:
    """Accepted instructions wanted, by the methods that run."""
    methods = {"self_instruct": domain.methods.self_instruct, "magpie": domain.methods.magpie}
    return {name: settings.target for name, settings in methods.items() if settings is not None}


def _length_filters_firing(rows: StageSlice) -> list[int]:
    """Per row, how many of the two filters of length fire. A method that nobody knows has no limits."""
    from synth_assets.methods import magpie

    settings = rows.domain.methods.self_instruct or SelfInstruct(target=1)
    limits = {"self_instruct": (settings.min_words, settings.max_words), "magpie": (magpie.MIN_WORDS, magpie.MAX_WORDS)}
    return [
        len(length_findings(text, rows.domain.language, *limits.get(method, (0, sys.maxsize))))
        for text, method in zip(rows.texts("instruction"), rows.texts("method"), strict=True)
    ]


def _form_filters_firing(rows: StageSlice) -> list[int]:
    return [len(form_findings(text, rows.domain.language)) for text in rows.texts("instruction")]


def _rouge_l_limit(domain: Domain) -> float:
    """The looser limit of the methods that share the pool: which of them came first is not stored."""
    methods = (domain.methods.self_instruct, domain.methods.magpie)
    return max((settings.rouge_l for settings in methods if settings is not None), default=1.0)


def _nearest_rouge_l(rows: StageSlice) -> list[float]:
    """Per row, its highest ROUGE-L F above the limit with a seed or another row; 0 where none is above."""
    from synth_assets.quality.near_duplicates import rouge_l_pairs

    seeds = texts(rows.fact("seeds"), "instruction")
    own = rows.texts("instruction")
    first = [place == task for place, task in enumerate(_tasks(rows))]
    instructions = [*seeds, *(text for text, compared in zip(own, first, strict=True) if compared)]
    # Two seeds may be as like as their author wants, and instances of one task share its instruction.
    found = nearest(rouge_l_pairs([words(text) for text in instructions], _rouge_l_limit(rows.domain)), len(instructions), first=len(seeds))
    scores = iter(found)
    return [next(scores) if compared else 0.0 for compared in first]


def _tasks(rows: StageSlice) -> list[int]:
    """Per row, the place of the first row of its task; a row without a task is its own."""
    seen: dict[str, int] = {}
    named = rows.frame["task_id"] if "task_id" in rows.frame else [None] * len(rows.frame)
    return [seen.setdefault(task, place) if isinstance(task, str) else place for place, task in enumerate(named)]


def _instances_hold(rows: StageSlice) -> list[bool]:
    """Whether the filters of instances pass the row, alone and beside the others of its task."""
    from synth_assets.methods.candidates import folded
    from synth_assets.methods.instances import instance_findings

    settings = rows.domain.methods.self_instruct or SelfInstruct(target=1)
    tasks, asked = _tasks(rows), rows.texts("instruction")
    inputs, outputs, kinds = rows.texts("input"), list(rows.frame["output"]), list(rows.frame["task_kind"])
    together = Counter(tasks)
    again = Counter((task, folded(material)) for task, material in zip(tasks, inputs, strict=True))
    passing = []
    for place, (task, material, output, kind) in enumerate(zip(tasks, inputs, outputs, kinds, strict=True)):
        alone = kind not in ("classification", "with_input") or not instance_findings(material, output if isinstance(output, str) else "")
        passing.append(alone and asked[place] == asked[task] and together[task] <= settings.instances and again[task, folded(material)] == 1)
    return passing


def _target_share(rows: StageSlice) -> float | None:
    methods = rows.texts("method")
    made = Counter(methods[place] for place in set(_tasks(rows)))
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
            Column("length_filters_firing", _length_filters_firing),
        ),
        Check(
            "instruction_filters_hold",
            "structure",
            "No other filter of Self-Instruct fires on a stored instruction.",
            "An instruction with a banned word or opening.",
            at_most(0),
            Column("instruction_filters_firing", _form_filters_firing),
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
            "instances_hold",
            "structure",
            "No instance has an output that is empty, equals its input or ends with a colon; a task has no input twice, and no more instances than asked for.",
            "An instance that its own filters reject, or a task with one input and two outputs.",
            holds(),
            Column("instance_filters_pass", _instances_hold),
        ),
        Check(
            "topics_spread",
            "quality",
            "The rows are spread over the declared topics: their entropy, by its maximum.",
            "A few topics have most of the rows.",
            at_least(lambda domain: domain.checks.generated_instructions.min_topic_entropy),
            Figure("topic_entropy", topic_entropy),
        ),
        Check(
            "targets_reached",
            "quality",
            "Every method has made as many instructions as the domain file asks for.",
            "The limit of attempts was reached before the target.",
            at_least(1),
            Figure("made_of_target", _target_share),
        ),
        candidates_pass(lambda domain: domain.checks.generated_instructions.min_acceptance),
        *regression_checks("diversity", "topic_entropy", "length", "acceptance", "cost"),
    ),
    inputs={"seeds": ("instruction",), "stage_accounts": (), HISTORY: ()},
)
