"""The lineage of columns and rows: every name in it is there, and every column of a stage is accounted for."""

import pytest

from synth_assets import lineage, schemas
from synth_assets.definitions import defs

STAGES = [*(table.name for table in schemas.STAGES), "release"]

OWN = {"id", "system", "sample", "stop_reason", "model", "prompt_version", "call_keys", "method", "batch", "operation", "round", "kind", "source", "license"}
OWN |= {"principle", "task_id", "revisions", "purpose", "verdict", "origin", "reward_version", "calibration", "wave", "attributes"}
"""Columns that a stage may make by itself: from its code, the domain's file, the teacher or a reviewer."""


@pytest.mark.parametrize("stage", lineage.COLUMNS)
def test_every_source_is_a_column_of_an_upstream_asset(stage: str) -> None:
    import dagster as dg

    upstream = {key.to_user_string() for key in defs.resolve_asset_graph().get(dg.AssetKey(stage)).parent_keys}
    for column, above in lineage.sources(stage):
        schemas.BY_NAME[stage].column(column)
        for table, name in above:
            assert table in upstream
            schemas.BY_NAME[table].column(name)


@pytest.mark.parametrize("stage", [s for s in STAGES if s not in {"seeds", "real_data"}])
def test_no_column_is_forgotten(stage: str) -> None:
    assert {column.name for column in schemas.BY_NAME[stage].columns} - set(lineage.COLUMNS[stage]) <= OWN


@pytest.mark.parametrize(("stage", "parents"), lineage.PARENTS.items())
def test_parents_are_columns_and_tables(stage: str, parents: tuple[lineage.Parent, ...]) -> None:
    for parent in parents:
        assert schemas.BY_NAME[stage].column(parent.column).type in {"VARCHAR", "VARCHAR[]"}
        assert set(parent.tables) <= set(STAGES)
