"""All checks by stage: what Dagster, the README and the tests list. Importing it imports neither Great Expectations nor pandas.

Every stage has a module of its own here; a stage without a suite is a defect that a test finds.
"""

from collections.abc import Mapping
from types import MappingProxyType

from synth_assets.expectations import (
    evolved_instructions,
    filtered,
    generated_instructions,
    mixed,
    preference_pairs,
    real_data,
    seeds,
    spot_check,
    teacher_responses,
)
from synth_assets.expectations.check import Check, Suite

__all__ = ["CATALOGUE", "Check", "Suite"]

CATALOGUE: Mapping[str, Suite] = MappingProxyType(
    {
        suite.stage: suite
        for suite in (
            seeds.SUITE,
            generated_instructions.SUITE,
            evolved_instructions.SUITE,
            teacher_responses.SUITE,
            preference_pairs.SUITE,
            real_data.SUITE,
            filtered.SUITE,
            spot_check.SUITE,
            mixed.SUITE,
        )
    }
)
"""The suite of every stage, in the order of the graph."""
