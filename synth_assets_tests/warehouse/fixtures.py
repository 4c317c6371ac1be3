"""Warehouses for tests; a test module that lists this one in `pytest_plugins` has them."""

import shutil
from pathlib import Path

import pytest

from synth_assets.warehouse import Warehouse
from synth_assets_tests.warehouse.rows import outcome_of, stage_rows


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "home" / "warehouse.duckdb", lock_timeout=20)


@pytest.fixture(scope="module")
def checked_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checked") / "warehouse.duckdb"
    warehouse = Warehouse(path)
    warehouse.commit_stage("seeds", "math", outcome_of(stage_rows("seeds", "math", 3)), run_id="r1")
    warehouse.mark_checked("seeds", "math", "r1", True)
    return path


@pytest.fixture
def checked(warehouse: Warehouse, checked_file: Path) -> Warehouse:
    """Three seeds of math, written and checked by run r1."""
    warehouse.path.parent.mkdir()
    shutil.copyfile(checked_file, warehouse.path)
    return warehouse
