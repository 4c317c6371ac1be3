"""The bridge from Great Expectations to asset checks: one check per expectation, all checks of a stage in one step per domain.

The slice is read in one transaction and validated outside the lock. The slice's history is marked before the first result is handed over,
because a failed blocking result ends the step. Invariant: no slice is marked as passed unless every check with severity ERROR passed.
"""

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from synth_assets import schemas
from synth_assets.accounts import Row
from synth_assets.defs.resources import DomainsResource, WarehouseResource
from synth_assets.expectations.catalogue import CATALOGUE
from synth_assets.expectations.validation import CheckResult, failed, validate
from synth_assets.warehouse import Warehouse

if TYPE_CHECKING:
    import pandas

__all__ = ["asset_check_result", "stage_checks"]


def stage_checks(stage: str, partitions_def: dg.PartitionsDefinition[str]) -> dg.AssetChecksDefinition:
    """All checks of one stage; they run together, because together they decide whether the slice passed.

    Every check may block, for whether a quality check does is the domain's choice: Dagster lets a result of severity WARN pass.
    """
    with warnings.catch_warnings():
        # Checks per partition are in preview in Dagster 1.13: their interface may change in a patch release, which the lock file holds back.
        warnings.filterwarnings("ignore", category=dg.PreviewWarning, message=".*partitions_def.*")
        specs = [
            dg.AssetCheckSpec(
                check.name,
                asset=stage,
                description=f"{check.description} Fails for: {check.defect}",
                blocking=True,
                metadata={"kind": check.kind},
                partitions_def=partitions_def,
            )
            for check in CATALOGUE[stage].checks
        ]

    @dg.multi_asset_check(name=f"{stage}_checks", specs=specs, description=f"Great Expectations over {stage}: structure and quality of one domain's rows.")
    def checks(context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource, domains: DomainsResource) -> Iterator[dg.AssetCheckResult]:
        domain, database = context.partition_key, warehouse.open()
        newest: Row | None = None
        try:
            newest, frame, facts = _read(database, stage, domain)
            results = validate(stage, frame, domains.load(domain).config, facts)
        except Exception as error:
            # A check that could not be made has not passed, whatever the reason.
            context.log.exception(f"the checks of {stage} of {domain} could not be made")
            results = failed(stage, error)
        if newest is not None:
            passed = all(result.passed or not result.blocking for result in results)
            database.mark_checked(stage, domain, newest["run_id"], passed, [result.row for result in results])
        for result in results:
            yield asset_check_result(stage, result)

    return checks


def _read(database: Warehouse, stage: str, domain: str) -> "tuple[Row | None, pandas.DataFrame, dict[str, pandas.DataFrame]]":
    """The slice's newest materialization, its rows and its suite's inputs, all of one state."""
    with database.read():
        newest = database.latest(stage, domain)
        return newest, _rows(database, stage, domain), {table: _rows(database, table, domain, columns) for table, columns in CATALOGUE[stage].inputs.items()}


def _rows(database: Warehouse, table: str, domain: str, columns: tuple[str, ...] = ()) -> "pandas.DataFrame":
    partitioned = any(column.name == "domain" for column in schemas.BY_NAME[table].columns)
    return database.frame(table, domain if partitioned else None, columns)


def asset_check_result(stage: str, result: CheckResult) -> dg.AssetCheckResult:
    """The result as Dagster shows it: counts, bounds and row ids, no texts."""
    return dg.AssetCheckResult(
        asset_key=stage,
        check_name=result.name,
        passed=result.passed,
        severity=dg.AssetCheckSeverity.ERROR if result.blocking else dg.AssetCheckSeverity.WARN,
        description=f"Could not be checked: {result.error}" if result.error else f"Seen: {result.seen}.",
        metadata={
            "expected": result.expected,
            "seen": result.seen,
            "unexpected_count": result.unexpected_count,
            "row_ids": dg.MetadataValue.json(list(result.row_ids)),
            **({"error": result.error} if result.error else {}),
        },
    )
