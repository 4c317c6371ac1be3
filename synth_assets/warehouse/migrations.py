"""The numbered steps that bring a warehouse of any age to the tables of `schemas`.

Step 1 is today's DDL, so a new file is complete at once; every later step must find its work done in such a file (`add column if not exists`).
Invariant: a file stands at exactly one number, recorded in `synth.schema_version` in the same transaction as the step itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from synth_assets.errors import WarehouseVersion
from synth_assets.schemas import CHECK_RESULTS, REWARD_CALIBRATIONS, SCHEMA, TABLES, WAVE_PLANS

__all__ = ["MIGRATIONS", "Migration", "last_step", "migrate"]


@dataclass(frozen=True)
class Migration:
    """One step."""

    number: int
    """1 for the first, each one more than the last."""
    description: str
    statements: tuple[str, ...]


_IN_WAVES = ("generated_instructions", "evolved_instructions", "teacher_responses", "preference_pairs", "filtered")
MIGRATIONS: tuple[Migration, ...] = (
    Migration(1, "all tables", tuple(t.ddl for t in TABLES)),
    Migration(
        2,
        "reasons and corrections in reviews, parents in filtered",
        (
            "alter table synth.filtered add column if not exists parent_id VARCHAR",
            *(f"alter table synth.reviews add column if not exists {name} VARCHAR" for name in ("reason", "corrected", "undoes")),
        ),
    ),
    Migration(
        3,
        "all samples of a best_of_n pair, instances of tasks",
        (
            "alter table synth.preference_pairs add column if not exists samples VARCHAR",
            *(f"alter table synth.generated_instructions add column if not exists {name} VARCHAR" for name in ("task_id", "task_kind", "output")),
        ),
    ),
    Migration(
        4,
        "frozen calibrations, a judge's ratings",
        (
            REWARD_CALIBRATIONS.ddl,
            *(
                f"alter table synth.{table} add column if not exists {column}"
                for table in ("preference_pairs", "filtered")
                for column in ("calibration INTEGER", "orders_agree BOOLEAN", "ratings VARCHAR")
            ),
        ),
    ),
    Migration(5, "results of checks", (CHECK_RESULTS.ddl,)),
    Migration(
        6,
        "waves and attributes",
        (
            WAVE_PLANS.ddl,
            *(f"alter table synth.{name} add column if not exists wave INTEGER" for name in _IN_WAVES),
            *(f"alter table synth.{name} add column if not exists attributes VARCHAR" for name in (*_IN_WAVES, "mixed")),
        ),
    ),
)
"""All steps, in order."""


def last_step(con: duckdb.DuckDBPyConnection) -> int:
    """Number of the last step that was applied; 0 for a file without our tables."""
    try:
        newest = con.execute("select max(number) from synth.schema_version").fetchone()
    except duckdb.CatalogException:
        return 0
    return int(newest[0] or 0) if newest else 0


def migrate(con: duckdb.DuckDBPyConnection, path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Apply the steps that the file lacks, all or none of them; `path` is for the message.

    Raises:
        WarehouseVersion: the file is newer than the last step.
    """
    have, newest = last_step(con), migrations[-1].number
    if have > newest:
        raise WarehouseVersion(
            f"{path} has schema version {have}, and this synth_assets knows versions up to {newest}. "
            f"Update synth_assets, or move the file away and let it be built again."
        )
    if have == newest:
        return
    con.begin()
    try:
        con.execute(f"create schema if not exists {SCHEMA}")
        con.execute("create table if not exists synth.schema_version (number INTEGER primary key, description VARCHAR not null, applied_at VARCHAR not null)")
        for migration in migrations:
            if migration.number > have:
                for statement in migration.statements:
                    con.execute(statement)
                con.execute(
                    "insert into synth.schema_version values (?, ?, ?)",
                    [migration.number, migration.description, datetime.now(UTC).isoformat(timespec="seconds")],
                )
    except BaseException:
        con.rollback()
        raise
    con.commit()
