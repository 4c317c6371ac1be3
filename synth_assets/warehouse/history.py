"""`stage_history`: every materialization of a slice, whether its blocking checks passed, and the gate that the next stage stands before.

Dagster blocks only within one run; a run of its own would read what another run's checks refused. So the verdict is kept beside the rows,
for one data version. Invariant: of one domain, a later materialization of whatever stage has a later `materialized_at`, whatever the clock did.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import duckdb

from synth_assets.accounts import Row
from synth_assets.errors import UpstreamNotPassed, WarehouseError
from synth_assets.identity import canonical, data_version
from synth_assets.schemas import STAGE_HISTORY
from synth_assets.warehouse.columns import Columns, finite

__all__ = ["note", "require_passed", "slice_name", "version_of"]


def slice_name(stage: str, domain: str) -> str:
    """A slice in words; domain "" where the table is not partitioned."""
    return f"{stage} of {domain}" if domain else stage


def version_of(rows: Iterable[Row]) -> str:
    """Data version of rows as they stand in a table; nulls do not count, so that a migration may add a column."""
    return data_version({name: value for name, value in row.items() if value is not None} for row in rows)


def note(con: duckdb.DuckDBPyConnection, stage: str, domain: str, run_id: str, version: str, metrics: Mapping[str, float]) -> None:
    """Note an unchecked materialization, in the place of an earlier one by the same run.

    Raises:
        WarehouseError: a metric is no finite number.
    """
    numbers = {}
    for name, value in metrics.items():
        try:
            numbers[name] = finite(value)
        except (TypeError, ValueError) as error:
            raise WarehouseError(f"{slice_name(stage, domain)}, metric {name}: {error}.") from error
    now = datetime.now(UTC)
    newest = con.execute("select max(materialized_at) from synth.stage_history where domain = ?", [domain]).fetchone()
    if newest and newest[0]:
        now = max(now, datetime.fromisoformat(newest[0]) + timedelta(microseconds=1))
    row = {
        "domain": domain,
        "stage": stage,
        "run_id": run_id,
        "data_version": version,
        "passed": None,
        "materialized_at": now.isoformat(timespec="microseconds"),
        "metrics": canonical(numbers),
    }
    Columns.of(STAGE_HISTORY, [row], {"domain": domain, "stage": stage, "run_id": run_id}).replace(con)


def require_passed(stage: str, domain: str, newest: Row | None, rows: Iterable[Row]) -> None:
    """Raise UpstreamNotPassed unless the slice's newest history row says that checks passed for exactly these rows."""
    what = slice_name(stage, domain)
    again = f"`synth-assets run{f' --domain {domain}' if domain else ''} --to {stage}`"
    if newest is None:
        raise UpstreamNotPassed(f"{what} was never materialized. Materialize it first: {again}.")
    run_id = newest["run_id"]
    if newest["passed"] is None:
        raise UpstreamNotPassed(f"{what}: the checks of run {run_id} have not ended. Wait for them; if that run was stopped, run {again}.")
    if not newest["passed"]:
        raise UpstreamNotPassed(f"{what}: blocking checks failed in run {run_id}. See there which ones; mend the cause, then run {again}.")
    if (version := version_of(rows)) != newest["data_version"]:
        raise UpstreamNotPassed(
            f"{what}: its rows have data version {version}, but run {run_id} wrote and checked {newest['data_version']}. "
            f"Something else changed the table: run {again}."
        )
