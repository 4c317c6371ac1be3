"""Where all state lives: `SYNTH_HOME`, by default `.synth/` in the working directory.

Paths only, and the one-time preparation of Dagster's own folder, which concurrent first users would corrupt: it is done under a lock.
"""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

__all__ = ["SHARED_TEMPORARY", "Home", "shared_temporary"]

SHARED_TEMPORARY = "SYNTH_SHARED_TEMPORARY"
"""Variable that names the temporary folder of all processes of this user to those that have one of their own."""


def shared_temporary() -> Path:
    """The temporary folder that all processes of this user have in common."""
    return Path(os.environ.get(SHARED_TEMPORARY) or tempfile.gettempdir())


@dataclass(frozen=True)
class Home:
    """The state folder and the names in it."""

    root: Path

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> "Home":
        """The folder that `SYNTH_HOME` names, made absolute."""
        chosen = (os.environ if env is None else env).get("SYNTH_HOME", "").strip()
        return cls(Path(chosen or ".synth").expanduser().resolve())

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self.root / "warehouse.duckdb"

    @property
    def embeddings(self) -> Path:
        """Sentence embeddings by content."""
        return self.root / "embeddings.sqlite"

    @property
    def reviews(self) -> Path:
        """The store of people's verdicts."""
        return self.root / "reviews.sqlite"

    @property
    def releases(self) -> Path:
        """The folder of release folders."""
        return self.root / "release"

    @property
    def reports(self) -> Path:
        """The folder of quality reports."""
        return self.root / "reports"

    @property
    def dagster(self) -> Path:
        """Dagster's own home."""
        return self.root / "dagster"

    def prepare(self) -> None:
        """Make the folders, write `dagster.yaml`, and let Dagster create its tables while nobody else does.

        Two first users at once leave Dagster's SQLite with two migration heads, for good (seen with 1.13).
        """
        from filelock import FileLock

        for folder in (self.root, self.dagster, self.releases, self.reports):
            folder.mkdir(parents=True, exist_ok=True)
        os.environ["DAGSTER_HOME"] = str(self.dagster)
        with FileLock(self.dagster / "prepare.lock"):
            text = (files("synth_assets") / "dagster.yaml").read_text(encoding="utf-8")
            target = self.dagster / "dagster.yaml"
            if not target.exists():
                target.write_text(text, encoding="utf-8")
            if not (self.dagster / "history" / "runs.db").exists():
                import dagster as dg

                with dg.DagsterInstance.get() as instance:
                    instance.get_runs_count()
