"""Dagster's UI and daemon on the state folder, listening on loopback only."""

import os
import sys
from pathlib import Path

from synth_assets.home import Home


def serve(port: int) -> None:
    """Prepare the state folder and become `dagster dev`; does not return."""
    home = Home.from_env()
    home.prepare()
    os.environ["SYNTH_HOME"] = str(home.root)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    dagster = Path(sys.executable).with_name("dagster")
    arguments = ["dev", "--host", "127.0.0.1", "--port", str(port), "--module-name", "synth_assets.definitions"]
    os.execv(dagster, [str(dagster), *arguments])  # noqa: S606 - the interpreter's own neighbour, no shell
