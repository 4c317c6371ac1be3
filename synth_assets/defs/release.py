"""The asset in which a release is made, and the checks that read it back from the disk."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from synth_assets.accounts import Row
from synth_assets.defs.automation import AS_A_WHOLE
from synth_assets.defs.checks import asset_check_result
from synth_assets.defs.resources import WarehouseResource
from synth_assets.defs.stage import code_version, column_lineage, rule_table, sample_table, spent_metrics, whole_asset
from synth_assets.domain_files import domains_folder, list_domain_names, load_domains
from synth_assets.errors import ConfigError, StageFailed
from synth_assets.expectations.release import RELEASE_CHECKS, failed_release, of_folder
from synth_assets.home import Home
from synth_assets.release import card, export, facts, forms, options, quality_report, recipe, selection
from synth_assets.schemas import RELEASE
from synth_assets.warehouse import Warehouse

GROUP = "release"
_COLUMNS = ("id", "domain", "kind", "mixed_id", "split")
FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=49), warn_window=timedelta(hours=25))
"""Every night makes one: after one night without it warns, after two it fails; the hour is for the run itself."""


class ReleaseConfig(dg.Config):
    """What a release may be asked for beyond its rows."""

    order: str = "mixed"
    """mixed, or curriculum: from easy to hard."""
    forms: list[str] = Field(default_factory=list)
    """Further forms: alpaca, sharegpt."""
    with_report: bool = True
    """Whether the quality report is built anew and goes with the release."""


@whole_asset(
    "release",
    group=GROUP,
    version=code_version(selection, export, facts, card, forms, options, recipe),
    deps=["mixed"],
    kinds=["python", "parquet"],
    automation_condition=AS_A_WHOLE,
    freshness_policy=FRESH,
)
def release(context: dg.AssetExecutionContext, config: ReleaseConfig, warehouse: WarehouseResource) -> dg.MaterializeResult[Any]:
    """The last mix of every domain whose blocking checks passed, as a folder that trains."""
    database = warehouse.open()
    wanted = options.Options.of(config.order, config.forms)
    with database.exclusive():
        made, texts = collect(database, wanted)
        if config.with_report:
            texts |= {"quality_report.html": _report(database, made)}
    texts |= {"README.md": card.render(made, with_report=config.with_report), "release.json": facts.manifest(made)}
    rows = made.rows
    folder = export.write(Home.from_env().releases, made.version, rows, texts, wanted.forms)
    for outcome in made.outcomes.values():
        outcome.kept = [{**{name: row[name] for name in _COLUMNS}, "version": made.version} for row in outcome.kept]
    counts = {f"{kind}_{split}": n for (kind, split), n in sorted(Counter((row["kind"], row["split"]) for row in rows).items())}
    numbers: dict[str, float] = {"rows": len(rows), "domains": len(made.outcomes), "left_out": len(made.left_out), **counts}
    numbers |= spent_metrics(rows, list(made.outcomes))
    data_version = database.commit_whole("release", made.outcomes, run_id=context.run.run_id, metrics=numbers)
    rejecting = [outcome for outcome in made.outcomes.values() if outcome.rejected]
    return dg.MaterializeResult(
        data_version=dg.DataVersion(data_version),
        metadata={
            "dagster/row_count": len(rows),
            **column_lineage("release"),
            "path": dg.MetadataValue.path(str(folder)),
            "version": made.version,
            **numbers,
            "left_out_domains": dg.MetadataValue.table(
                [dg.TableRecord({"domain": name, "reason": reason}) for name, reason in made.left_out.items()],
                schema=dg.TableSchema([dg.TableColumn("domain"), dg.TableColumn("reason")]),
            ),
            **{f"rejected_by_rule_{domain}": rule_table(outcome) for domain, outcome in made.outcomes.items() if outcome in rejecting},
            "sample": sample_table(RELEASE, [row for outcome in made.outcomes.values() for row in outcome.kept]),
        },
    )


def collect(warehouse: Warehouse, wanted: options.Options | None = None) -> tuple[facts.Facts, dict[str, str]]:
    """Choose the rows of a release from what the warehouse has; returns all that is to be said of it, and the files of its recipe.

    Raises:
        StageFailed: no domain has a row to release.
    """
    wanted = wanted or options.Options()
    loaded, broken = load_domains(domains_folder())
    source = facts.snapshot(warehouse, list(loaded))
    weights = {name: weight for name in source.mixed if (weight := loaded[name].config.mix.weight) is not None}
    outcomes = selection.select(source.mixed, weights=weights, root_texts={root: text for root, (_, text) in source.roots.items()})
    empty = {name: "its mix has no rows" for name, rows in source.mixed.items() if not rows}
    left_out = {name: _without_folders(error) for name, error in broken.items()} | source.refused | empty
    left_out = dict(sorted(left_out.items()))
    released = {name: outcome for name, outcome in outcomes.items() if outcome.planned}
    rows = [row for outcome in released.values() for row in outcome.kept]
    if not rows:
        reasons = "".join(f"\n  {name}: {reason}" for name, reason in left_out.items()) or "\n  there is no domain"
        raise StageFailed(f"no domain has a row to release:{reasons}")
    # A domain that nobody ran is not missing: the card tells what was tried and is not here.
    tried = begun(warehouse) | set(broken)
    left_out = {name: reason for name, reason in left_out.items() if name in tried}
    places = options.placed(rows, wanted.order, source.rounds)
    for row in rows if places else ():
        row["place"] = places[row["id"]]
    used = {name: loaded[name] for name in released}
    version = export.version_of(rows, [recipe.digest_of(used), wanted.order, wanted.forms])
    made = facts.Facts(version, {name: domain.config for name, domain in used.items()}, released, left_out, source, wanted)
    return made, recipe.recipe_files(used)


def begun(warehouse: Warehouse) -> set[str]:
    """Domains of which a stage was ever stored."""
    return {row["domain"] for row in warehouse.rows("stage_accounts")}


def _report(warehouse: Warehouse, made: facts.Facts) -> str:
    """The quality report of what is about to be released. The marts are made for it alone: those that stand tell of the release before."""
    from synth_assets.defs.dbt import marts_sql

    with warehouse.trial() as connection:
        connection.execute("drop schema if exists quality cascade; create schema quality")
        for statement in marts_sql(quality_report.MARTS):
            connection.execute(statement)
        data = quality_report.collect(warehouse.query)
    return quality_report.render(quality_report.of_release(data, made.version, made.outcomes))


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(check.name, asset="release", description=f"{check.description} Fails for: {check.defect}", blocking=check.kind == "structure")
        for check in RELEASE_CHECKS
    ]
)
def release_checks(context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource) -> Iterator[dg.AssetCheckResult]:
    """What a release promises, read back from its files."""
    database = warehouse.open()
    newest: Row | None = None
    try:
        with database.read():
            newest, versions = database.latest("release"), database.query("select distinct version from synth.release")
        if newest is None or len(versions) != 1:
            raise StageFailed("there is no release to check: materialize `release` first.")
        wanted = begun(database).intersection(list_domain_names(domains_folder()))
        results = of_folder(Home.from_env().releases / versions[0]["version"], wanted)
    except Exception as error:
        # A check that could not be made has not passed, whatever the reason.
        context.log.exception("the checks of the release could not be made")
        results = failed_release(error)
    if newest is not None:
        passed = all(result.passed or not result.blocking for result in results)
        database.mark_checked("release", "", newest["run_id"], passed, [result.row for result in results])
    yield from (asset_check_result("release", result) for result in results)


def _without_folders(error: ConfigError) -> str:
    """What is wrong with a domain's files, without the folders of this machine: the card is published."""
    named = [f"{p.path.name}{'' if p.line is None else f':{p.line}'}: {p.what}" for p in error.problems[:3]]
    more = len(error.problems) - len(named)
    return "; ".join(named) + (f"; and {more} more" if more > 0 else "")
