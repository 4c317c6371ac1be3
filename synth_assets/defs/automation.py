"""The automation conditions: a stage follows when what it is made from changed. One sensor evaluates them all, and is off until somebody switches it on.

A condition looks at data versions and not at materializations, so that a run which made the same rows again starts nothing. It waits while an input is
being made or checked, and for ever where a blocking check failed. What is missing because nobody has made it, such as a reward model of one's own,
holds nothing up. A changed code version starts nothing: an update of the package must not spend money by itself.
"""

import dagster as dg

__all__ = ["FOLLOWS", "AS_A_WHOLE", "follow_changes"]

_Condition = dg.AutomationCondition
_OPTIONAL = dg.AssetSelection.assets("reward_model")
_UNCHECKED = _Condition.any_checks_match(_Condition.in_progress())

_CHANGED = _Condition.any_deps_match(_Condition.data_version_changed()).since_last_handled().with_label("an input has changed since the last time")
_IDLE = ~_Condition.any_deps_in_progress() & ~_Condition.any_deps_match(_UNCHECKED) & ~_Condition.in_progress()

FOLLOWS = (_CHANGED & _IDLE & ~_Condition.any_deps_missing().ignore(_OPTIONAL) & _Condition.all_deps_blocking_checks_passed()).with_label("follows its inputs")
"""Of a stage: all its inputs are there and passed, and one is new."""

AS_A_WHOLE = (_CHANGED & _IDLE).with_label("follows any domain")
"""Of what is made of all domains: it takes those that are there and passed, so that one domain which is missing or failed holds up nobody."""

follow_changes = dg.AutomationConditionSensorDefinition(
    name="follow_changes",
    target=dg.AssetSelection.groups("generation", "selection", "release"),
    minimum_interval_seconds=30,
    description="Materializes the stages of a domain whose inputs have new data versions and passed their blocking checks, one stage after the other, and the "
    "release after the mixes. Changed settings count once a run or the sensor `domain_files` has read them. Stages that ask the teacher spend money.",
)
