"""Which column of a stage is made from which columns of the stages before it, and which of them names a row's parents.

Written once: Dagster shows it as column lineage, and `synth-assets why` walks from row to row by it. What is missing here comes from outside the
graph: the domain's files, the teacher. Invariant: every name is a column of `schemas`, and every parent table an upstream asset.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["COLUMNS", "EXAMPLES", "PARENTS", "Parent", "sources"]


@dataclass(frozen=True)
class Parent:
    """A column that holds the ids of the rows which a row was made from."""

    column: str
    tables: tuple[str, ...]
    """The stages that the id may be a row of."""


PARENTS: Mapping[str, tuple[Parent, ...]] = {
    "generated_instructions": (Parent("parent_ids", ("seeds", "generated_instructions")),),
    "evolved_instructions": (Parent("parent_id", ("evolved_instructions", "seeds", "generated_instructions")),),
    "teacher_responses": (Parent("instruction_id", ("evolved_instructions",)),),
    "preference_pairs": (Parent("response_id", ("teacher_responses",)),),
    "filtered": (Parent("source_id", ("teacher_responses", "preference_pairs")),),
    "spot_check": (Parent("row_id", ("filtered",)),),
    "mixed": (Parent("source_id", ("filtered", "real_data")),),
    "release": (Parent("mixed_id", ("mixed",)),),
}
"""By stage; a stage that is left out has rows without parents."""

EXAMPLES = ("generated_instructions", "parent_ids")
"""The one edge that is no descent: rows that were only shown as examples."""

_GENERATED, _EVOLVED = "generated_instructions", "evolved_instructions"
_ASKED = (f"{_EVOLVED}.instruction", f"{_EVOLVED}.input")
_SAID = ("teacher_responses.prompt", "teacher_responses.response")

COLUMNS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    _GENERATED: {
        **{name: (f"seeds.{name}",) for name in ("domain", "topic", "language")},
        "instruction": ("seeds.instruction", "seeds.input"),
        "input": ("seeds.instruction", "seeds.input"),
        "parent_ids": ("seeds.id",),
        **dict.fromkeys(("task_kind", "output"), ("seeds.instruction",)),
    },
    _EVOLVED: {
        **{name: (f"seeds.{name}", f"{_GENERATED}.{name}") for name in ("domain", "topic", "language", "instruction", "input")},
        "method": (f"{_GENERATED}.method",),
        "parent_id": ("seeds.id", f"{_GENERATED}.id"),
        "root_id": ("seeds.id", f"{_GENERATED}.id"),
        "answer": ("seeds.answer",),
        **{name: (f"{_GENERATED}.{name}",) for name in ("model", "prompt_version", "call_keys", "wave", "attributes")},
    },
    "teacher_responses": {
        **{name: (f"{_EVOLVED}.{name}",) for name in ("domain", "topic", "language", "answer", "wave", "attributes")},
        "instruction_id": (f"{_EVOLVED}.id",),
        **dict.fromkeys(("prompt", "thinking", "response"), _ASKED),
        **dict.fromkeys(("verdict", "pass_rate"), (f"{_EVOLVED}.answer",)),
    },
    "preference_pairs": {
        **{name: (f"teacher_responses.{name}",) for name in ("domain", "topic", "language", "instruction_id", "prompt", "wave", "attributes")},
        "response_id": ("teacher_responses.id",),
        "rejected": ("teacher_responses.response",),
        **dict.fromkeys(("chosen", "critique"), _SAID),
        "samples": ("teacher_responses.prompt",),
        **dict.fromkeys(
            ("chosen_score", "rejected_score"), ("teacher_responses.prompt", "teacher_responses.response", "seeds.response", "reward_model.weights")
        ),
        "reward_version": ("reward_model.version",),
        **dict.fromkeys(("orders_agree", "ratings"), _SAID),
    },
    "filtered": {
        **{
            name: (f"teacher_responses.{name}", f"preference_pairs.{name}")
            for name in ("domain", "topic", "language", "method", "prompt", "model", "wave", "attributes")
        },
        **dict.fromkeys(("source_id", "parent_id"), ("teacher_responses.id", "preference_pairs.id")),
        "root_id": (f"{_EVOLVED}.root_id",),
        "system": ("teacher_responses.system",),
        "response": ("teacher_responses.thinking", "teacher_responses.response", "preference_pairs.chosen"),
        "rejected": ("preference_pairs.rejected",),
        "reward": ("teacher_responses.response", "preference_pairs.chosen", "seeds.response", "reward_model.weights"),
        "reward_version": ("reward_model.version",),
        "ratings": ("teacher_responses.prompt", "teacher_responses.response", "preference_pairs.chosen"),
        "orders_agree": ("preference_pairs.orders_agree",),
        "reward_margin": ("preference_pairs.chosen_score", "preference_pairs.rejected_score"),
        **dict.fromkeys(("rouge_l", "cosine"), ("teacher_responses.prompt", "preference_pairs.prompt")),
        "jaccard": (*_SAID, "preference_pairs.prompt", "preference_pairs.chosen"),
        "contamination": ("benchmarks.text", *_SAID, "preference_pairs.prompt", "preference_pairs.chosen"),
    },
    "spot_check": {
        "domain": ("filtered.domain",),
        "row_id": ("filtered.id",),
        "content_key": ("filtered.prompt", "filtered.response", "filtered.rejected"),
    },
    "mixed": {
        **{name: (f"filtered.{name}", f"real_data.{name}") for name in ("domain", "topic", "language", "kind")},
        "messages": ("filtered.system", "filtered.prompt", "filtered.response", "real_data.instruction", "real_data.input", "real_data.response"),
        "chosen": ("filtered.response", "real_data.response"),
        "rejected": ("filtered.rejected", "real_data.rejected"),
        "source_id": ("filtered.id", "real_data.id"),
        "root_id": ("filtered.root_id", "real_data.instruction", "real_data.input"),
        "method": ("filtered.method",),
        "source": ("filtered.model", "real_data.source"),
        "license": ("filtered.model", "real_data.license"),
        **{name: (f"filtered.{name}",) for name in ("reward", "attributes")},
    },
    "release": {
        "domain": ("mixed.domain",),
        "kind": ("mixed.kind",),
        "mixed_id": ("mixed.id",),
        "split": ("mixed.root_id", "mixed.messages"),
        "version": ("mixed.messages", "mixed.chosen", "mixed.rejected"),
    },
}
"""Stage to column to `table.column` of the stages before it."""


def sources(stage: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """(column, [(upstream table, its column)]) of every column of `stage` that has an upstream one."""
    for column, above in COLUMNS.get(stage, {}).items():
        yield column, [(table, name) for table, _, name in (source.partition(".") for source in above)]
