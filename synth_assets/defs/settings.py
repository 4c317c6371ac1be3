"""The settings of every domain as assets: per table the slice of the domain's files that it is made from, with a data version of that slice's content.

A code version is the same for all partitions; settings are not. So each stage depends on its own slice, and Dagster sees which domains a changed file
makes stale, and in which stages. They are materialized first in every run of a domain; that reads YAML and takes milliseconds.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import dagster as dg

from synth_assets.defs.partitions import DOMAINS
from synth_assets.defs.resources import DomainsResource
from synth_assets.slices import SLICES, content, version

__all__ = ["GROUP", "of_table", "settings"]

GROUP = "settings"


def of_table(table: str) -> dg.AssetKey:
    """The asset that holds the slice of `table`."""
    return dg.AssetKey([GROUP, table])


def _specs() -> Iterator[dg.AssetSpec]:
    for table, part in SLICES.items():
        made_from = (*part.settings, *(f"the files of {key}" for key in part.files))
        yield dg.AssetSpec(
            of_table(table),
            group_name=GROUP,
            owners=["team:synth-assets"],
            kinds={"yaml"},
            partitions_def=DOMAINS,
            description=f"What {table} is made from: {'all files of the domain, since a release holds them' if part.whole else ', '.join(made_from)}.",
        )


with warnings.catch_warnings():
    # In beta in Dagster 1.13; one domain per run, as for the stages.
    warnings.filterwarnings("ignore", category=dg.BetaWarning, message=".*backfill_policy.*")
    _decorate = dg.multi_asset(name=GROUP, specs=list(_specs()), partitions_def=DOMAINS, can_subset=True, backfill_policy=dg.BackfillPolicy.multi_run(1))


@_decorate
def settings(context: dg.AssetExecutionContext, domains: DomainsResource) -> Iterator[dg.MaterializeResult[Any]]:
    """Read the domain's files and say what each table's slice of them holds."""
    loaded = domains.load(context.partition_key)
    for table in SLICES:
        if of_table(table) in context.selected_asset_keys:
            yield dg.MaterializeResult(
                asset_key=of_table(table),
                data_version=dg.DataVersion(version(loaded, table)),
                metadata={"slice": dg.MetadataValue.json(content(loaded, table))},
            )
