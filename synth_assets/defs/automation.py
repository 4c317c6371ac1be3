"""The automation conditions: a stage follows when what it is made from changed. One sensor evaluates them all, and is off until somebody switches it on.

A condition looks at data versions and not at materializations, so that a run which made the same rows again starts nothing. It waits while an input is
being made or checked, and for ever where a blocking check failed. Dagster's own condition for that counts a warning as a failure, and a domain whose
quality checks only warn would never go on; so it is asked of the warehouse, which a stage would ask itself. What is missing because nobody has made
it, such as a reward model of one's own, holds nothing up. A changed code version starts nothing: an update must not spend money by itself.
"""

import warnings
from dataclasses import dataclass

import dagster as dg
from dagster._core.definitions.events import AssetKeyPartitionKey

from synth_assets.errors import WarehouseBusy
from synth_assets.home import Home
from synth_assets.schemas import BY_NAME
from synth_assets.warehouse import Warehouse

__all__ = ["AS_A_WHOLE", "FOLLOWS", "InputsPassed", "follow_changes"]

PATIENCE_SECONDS = 5.0
"""For a warehouse that is busy; then the next tick asks again."""


@dataclass(frozen=True)
class InputsPassed(dg.AutomationCondition[dg.AssetKey]):
    """True for the partitions whose inputs all have a newest slice that passed its blocking checks."""

    @property
    def name(self) -> str:
        """Shown in the UI."""
        return "the blocking checks of all inputs have passed"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Among the candidates, asked of the warehouse."""
        inputs = {key.to_user_string() for key in context.asset_graph.get(context.key).parent_keys}
        stages = {stage for stage in inputs if stage in BY_NAME and stage not in {"benchmarks", "reward_model"}}
        candidates = context.candidate_subset.expensively_compute_asset_partitions()
        passed = Warehouse(Home.from_env().warehouse, lock_timeout=PATIENCE_SECONDS)
        try:
            slices = passed.passed_slices() if candidates else set()
        except WarehouseBusy:
            slices = set()
        true: set[AssetKeyPartitionKey] = {c for c in candidates if all((stage, c.partition_key or "") in slices for stage in stages)}
        return dg.AutomationResult(context, context.asset_graph_view.get_asset_subset_from_asset_partitions(context.key, true))


_Condition = dg.AutomationCondition
_OPTIONAL = dg.AssetSelection.assets("reward_model")
_CHANGED = _Condition.any_deps_match(_Condition.data_version_changed())
_IDLE = ~_Condition.any_deps_in_progress() & ~_Condition.in_progress()
_UNCHECKED = _Condition.any_deps_match(_Condition.any_checks_match(_Condition.in_progress()))

FOLLOWS = (_CHANGED.since_last_handled() & _IDLE & ~_Condition.any_deps_missing().ignore(_OPTIONAL) & InputsPassed()).with_label("follows its inputs")
"""Of a stage: all its inputs are there and passed, and one is new."""

AS_A_WHOLE = (_CHANGED.ignore(dg.AssetSelection.assets(["settings", "release"])).since_last_handled() & _IDLE & ~_UNCHECKED).with_label("follows any domain")
"""Of what is made of all domains: it takes those that are there and passed, so that one domain which is missing or failed holds up nobody."""

with warnings.catch_warnings():
    # In beta in Dagster 1.13: conditions of one's own are evaluated where their code is.
    warnings.filterwarnings("ignore", category=dg.BetaWarning, message=".*use_user_code_server.*")
    follow_changes = dg.AutomationConditionSensorDefinition(
        name="follow_changes",
        target=dg.AssetSelection.groups("generation", "selection", "release"),
        minimum_interval_seconds=30,
        use_user_code_server=True,
        description="Materializes the stages of a domain whose inputs have new data versions and passed their blocking checks, one stage after the other, and "
        "the release after the mixes. Changed settings count once a run or the sensor `domain_files` has read them. Stages that ask the teacher spend money.",
    )
