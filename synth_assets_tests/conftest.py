"""Every test has a state folder of its own and no key, whatever the machine has."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    import dagster as dg

# Machines are shared: how long an example takes says nothing about the code.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in [n for n in os.environ if n.startswith(("SYNTH_", "ANTHROPIC_", "DAGSTER_", "DBT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SYNTH_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "false")


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch) -> "Iterator[dg.DagsterInstance]":
    """Dagster's storage in the test's own state folder."""
    import dagster as dg

    from synth_assets.home import Home

    home = Home.from_env()
    monkeypatch.setenv("DAGSTER_HOME", str(home.dagster))
    home.prepare()
    with dg.DagsterInstance.get() as opened:
        yield opened
