"""Which part of a domain's files each table is made from: so a changed threshold makes stale the gates, and not what the teacher wrote.

A slice is the values of some settings, by dotted path, and the digests of some files. It holds what a stage or its checks read, whether or not it changed
a row this time. What decides no row is in no slice. The teacher's name is not in them either: it comes from the environment of a run, and
a UI that was started without it must not make every paid row look stale.

Invariant: a stage and its checks read no setting that is neither in their slice nor in `ELSEWHERE`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from synth_assets.domain_files import LoadedDomain
from synth_assets.identity import ID_LENGTH, digest

__all__ = ["ELSEWHERE", "SLICES", "Slice", "content", "version"]


@dataclass(frozen=True)
class Slice:
    """The part of a domain's files that one table is made from."""

    settings: tuple[str, ...] = ()
    """Dotted paths within the YAML; a section stands for all that is in it."""
    files: tuple[str, ...] = ()
    """Keys of the YAML that name files: seeds, real_data, benchmarks."""
    whole: bool = False
    """All of it, as `LoadedDomain.digest` has it."""


# Every row carries them, and every suite of checks reads them.
_ALWAYS = ("language", "topics", "gates.quality", "checks")
_VARIETY = ("attributes", "personas")
_THRESHOLDS = ("gates.rules", "gates.near_duplicates", "gates.decontamination", "gates.reward")

SLICES: Mapping[str, Slice] = {
    "benchmarks": Slice(("benchmarks",), ("benchmarks",)),
    "seeds": Slice((*_ALWAYS, "seeds", "gates.rules"), ("seeds",)),
    "generated_instructions": Slice((*_ALWAYS, "title", "seed", "methods.self_instruct", "methods.magpie", "gates.rules", *_VARIETY)),
    "evolved_instructions": Slice((*_ALWAYS, "seed", "methods.evol_instruct", "methods.distillation", *_VARIETY)),
    "teacher_responses": Slice((*_ALWAYS, "seed", "methods.distillation", "methods.reasoning")),
    "preference_pairs": Slice((*_ALWAYS, "seed", "methods.constitutional", "methods.best_of_n", "principles", "gates.reward.by", "gates.reward.model")),
    "real_data": Slice((*_ALWAYS, "seed", "real_data", "gates.decontamination"), ("real_data",)),
    "filtered": Slice((*_ALWAYS, "seed", "targets", *_THRESHOLDS, "gates.selection")),
    # The audit draws what came nearest to a threshold.
    "spot_check": Slice((*_ALWAYS, "seed", "spot_check", *_THRESHOLDS)),
    # Near-duplicates between the two sides are looked for here.
    "mixed": Slice((*_ALWAYS, "seed", "mix.synthetic_share", "mix.caps", "gates.near_duplicates")),
    # Its recipe holds the files themselves.
    "release": Slice(whole=True),
}
"""By table."""

ELSEWHERE = ("name", "description", "schedule", "mode", "budget_usd", "gates.max_failed_share", "mix.override", "mix.weight")
"""Settings that decide no row of a domain: when it runs, how it pays, when it gives up, what a release says of it and takes of it."""


def content(loaded: LoadedDomain, table: str) -> dict[str, Any]:
    """The slice as plain data, by path; files as digests."""
    wanted = SLICES[table]
    if wanted.whole:
        return {"all files": loaded.digest}
    found = {path: _plain(loaded.config, path) for path in wanted.settings}
    return found | {f"files of {key}": digest(loaded.file_digests.get(key, [])) for key in wanted.files}


def version(loaded: LoadedDomain, table: str) -> str:
    """The slice's data version."""
    return digest(content(loaded, table))[:ID_LENGTH]


def _plain(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = getattr(value, name)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return [item.model_dump(mode="json") if isinstance(item, BaseModel) else item for item in value] if isinstance(value, tuple) else value
