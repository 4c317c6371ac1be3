"""Sensors that look at what has changed by itself: a domain's files, and the release that the report tells of. Both are off until somebody switches them on."""

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from synth_assets.defs.jobs import DOMAIN, OF_A_DOMAIN, QUALITY
from synth_assets.defs.partitions import DOMAINS
from synth_assets.defs.resources import DomainsResource
from synth_assets.defs.settings import of_table
from synth_assets.domain_files import LoadedDomain, domains_folder, list_domain_names
from synth_assets.errors import ConfigError
from synth_assets.slices import SLICES, version

__all__ = ["domain_files", "quality_follows_release"]

LOOK_SECONDS = 60


@dg.sensor(
    name="domain_files",
    job=DOMAIN,
    minimum_interval_seconds=LOOK_SECONDS,
    description="Runs a domain whose files are new or changed: the stages that are made from what changed, and all that come after them. "
    "A changed threshold or benchmark asks the teacher nothing; changed methods may.",
)
def domain_files(context: dg.SensorEvaluationContext, domains: DomainsResource) -> dg.SensorResult | dg.SkipReason:
    """One run per changed domain. The cursor has the digest of each domain that was asked for, so that one change starts one run."""
    asked: dict[str, str] = json.loads(context.cursor or "{}")
    found: dict[str, str] = {}
    requests, said = [], []
    folder = domains_folder()
    for name in list_domain_names(folder):
        if not DOMAINS.has_partition_key(name):
            said.append(f"{name} is new: reload the code location to have it as a partition")
            continue
        try:
            loaded = domains.load(name)
        except ConfigError as error:
            said.append(f"{name} is broken: {error.problems[0]}")
            found |= {name: asked[name]} if name in asked else {}
            continue
        found[name] = loaded.digest
        if asked.get(name) != loaded.digest and (changed := _changed(context.instance, loaded)):
            requests.append(_request(name, changed))
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else dg.SkipReason("; ".join(said) or f"no file in {Path(folder).name} has changed"),
        cursor=json.dumps(found),
    )


def _changed(instance: dg.DagsterInstance, loaded: LoadedDomain) -> list[str]:
    """Tables whose slice of the files is not the one that was last materialized."""
    name = loaded.config.name
    return [table for table in SLICES if table != "release" and version(loaded, table) != _materialized(instance, table, name)]


def _materialized(instance: dg.DagsterInstance, table: str, domain: str) -> str | None:
    records = instance.fetch_materializations(dg.AssetRecordsFilter(asset_key=of_table(table), asset_partitions=[domain]), limit=1).records
    made = records[0].asset_materialization if records else None
    return (made.tags or {}).get("dagster/data_version") if made else None


def _request(domain: str, changed: list[str]) -> dg.RunRequest:
    settings = dg.AssetSelection.assets(*(of_table(table) for table in changed))
    selection = (settings | settings.downstream()) & OF_A_DOMAIN
    return dg.RunRequest(partition_key=domain, asset_selection=sorted(_keys(selection), key=str), tags={"synth/reason": "changed files"})


def _keys(selection: dg.AssetSelection) -> Iterator[dg.AssetKey]:
    from synth_assets.definitions import defs

    yield from selection.resolve(defs.resolve_asset_graph())


@dg.asset_sensor(
    name="quality_follows_release",
    asset_key=dg.AssetKey("release"),
    job=QUALITY,
    minimum_interval_seconds=LOOK_SECONDS,
    description="Builds the dbt models and the quality report anew after a release whose rows are others than before.",
)
def quality_follows_release(context: dg.SensorEvaluationContext, asset_event: dg.EventLogEntry) -> dg.RunRequest | dg.SkipReason:
    """One run per data version of the release."""
    made = asset_event.asset_materialization
    version = (made.tags or {}).get("dagster/data_version") if made else None
    return dg.RunRequest(run_key=version, tags={"synth/reason": "new release"}) if version else dg.SkipReason("the release has no data version")
