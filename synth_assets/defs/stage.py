"""The shape that all stage assets share: what the UI shows of a stage, and how its outcome is stored."""

import functools
import hashlib
import inspect
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from types import ModuleType
from typing import Any, cast

import dagster as dg

from synth_assets import lineage, progress, schemas
from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.defs.automation import FOLLOWS
from synth_assets.defs.partitions import DOMAINS
from synth_assets.defs.settings import of_table
from synth_assets.defs.waiting import patiently
from synth_assets.errors import BatchPending, StageFailed
from synth_assets.home import Home
from synth_assets.methods import attributes
from synth_assets.plots.stages import stage_plots
from synth_assets.plots.svg import Sheet
from synth_assets.quality.embeddings import Matrix
from synth_assets.quality.measures import measure_rows
from synth_assets.release.facts import SPENT
from synth_assets.schemas import Table
from synth_assets.slices import SLICES
from synth_assets.teacher.ledger import UNKNOWN
from synth_assets.teacher.ledger_report import reading, spent_usd
from synth_assets.warehouse import Warehouse

OWNERS = ["team:synth-assets"]
SAMPLE_ROWS = 5
SAMPLE_CHARACTERS = 160
PICTURE_BYTES = 50_000


def code_version(*modules: ModuleType) -> str:
    """Version of the code behind an asset: its modules' sources, and the modules (SOURCES) and prompt templates (TEMPLATES) that they name.

    So a changed template makes stale just the assets that use it. Modules named in SOURCES are read without being imported: compiled ones import
    numba, which takes half a second.
    """
    digest = hashlib.sha256()
    for module in modules:
        digest.update(inspect.getsource(module).encode())
        for name in getattr(module, "SOURCES", ()):
            digest.update((files("synth_assets.quality") / f"{name}.py").read_bytes())
        for template in getattr(module, "TEMPLATES", ()):
            for file in sorted((f for f in files("synth_assets.prompts").rglob(f"{template}.yaml")), key=str):  # type: ignore[attr-defined]
                digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def column_schema(table: Table) -> dg.TableSchema:
    """The table's columns as Dagster shows them."""
    return dg.TableSchema(
        [dg.TableColumn(c.name, c.type, c.description, constraints=dg.TableColumnConstraints(nullable=not c.required)) for c in table.columns]
    )


def column_lineage(stage: str) -> dict[str, dg.TableColumnLineage]:
    """Metadata of a materialization: which columns its columns are made from, as the UI draws it; empty where none is."""
    deps = {column: [dg.TableColumnDep(dg.AssetKey(table), name) for table, name in above] for column, above in lineage.sources(stage)}
    return {"dagster/column_lineage": dg.TableColumnLineage(deps)} if deps else {}


Decorator = Callable[[Callable[..., dg.MaterializeResult[Any]]], dg.AssetsDefinition]


def stage_asset(name: str, *, group: str, version: str, deps: Sequence[str] = (), kinds: Sequence[str] = (), asks: bool = False) -> Decorator:
    """`dg.asset` for the partitioned stage `name`: what the UI shows comes from its schema; `asks` where a teacher may be asked."""
    # One domain per run: with single_run a check's result loses its partition.
    policy = dg.BackfillPolicy.multi_run(1)
    asks = asks or "anthropic" in kinds
    settings = _settings(name, group, version, deps, kinds) | {"partitions_def": DOMAINS, "backfill_policy": policy, "output_required": not asks}
    settings |= {"automation_condition": FOLLOWS}
    with warnings.catch_warnings():
        # In beta in Dagster 1.13: it may change in a minor release, which constraints.txt holds back.
        warnings.filterwarnings("ignore", category=dg.BetaWarning, message=".*backfill_policy.*")
        decorate = cast(Decorator, dg.asset(**settings))
    return (lambda function: decorate(_waiting(name, function))) if asks else decorate


def _waiting(stage: str, function: Callable[..., dg.MaterializeResult[Any]]) -> Callable[..., Any]:
    """`function`, which may wait: for a teacher that is away it tries again, and for Message Batches it ends without a result.

    Then its run succeeds, and what is downstream is skipped.
    """

    @functools.wraps(function)
    def materialized(context: dg.AssetExecutionContext, **resources: Any) -> Iterator[dg.MaterializeResult[Any]]:
        try:
            yield patiently(lambda: function(context, **resources), lambda: _renew(context, resources), stage, context.partition_key)
        except BatchPending as pending:
            context.log.info(f"{stage} of {context.partition_key} is {pending}")
            watcher = progress.current()
            if watcher is not None:
                watcher.waits(context.partition_key, stage, pending.batches)

    materialized.__annotations__["return"] = Iterator[dg.MaterializeResult[Any]]
    return materialized


def _renew(context: dg.AssetExecutionContext, resources: Mapping[str, Any]) -> None:
    context.log.warning(f"{context.asset_key.to_user_string()} of {context.partition_key}: the teacher does not answer; what it answered is in the ledger")
    resources["teacher"].renew()


def whole_asset(name: str, *, group: str, version: str, deps: Sequence[str] = (), kinds: Sequence[str] = (), **more: Any) -> Decorator:
    """`dg.asset` for the unpartitioned table `name`; `more` goes to it as it is."""
    return cast(Decorator, dg.asset(**_settings(name, group, version, deps, kinds), **more))


def _settings(name: str, group: str, version: str, deps: Sequence[str], kinds: Sequence[str]) -> dict[str, Any]:
    table = schemas.BY_NAME[name]
    return {
        "name": name,
        "description": table.description,
        "group_name": group,
        "owners": OWNERS,
        "kinds": {"duckdb", *kinds},
        "code_version": version,
        "deps": [*deps, *([of_table(name)] if name in SLICES else [])],
        "metadata": {"dagster/column_schema": column_schema(table), "dagster/table_name": f"{schemas.SCHEMA}.{name}"},
    }


def store(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    stage: str,
    outcome: Outcome,
    *,
    domain: Domain,
    calls: Sequence[Row] = (),
    metrics: Mapping[str, float] | None = None,
    extra: Mapping[str, Sequence[Row]] | None = None,
    vectors: Sequence[Matrix] = (),
    plots: Mapping[str, Sheet] | None = None,
    notes: Mapping[str, str] | None = None,
    shown: Callable[[], Mapping[str, Any]] = dict,
) -> dg.MaterializeResult[Any]:
    """Write a stage's outcome in one transaction and tell Dagster about it.

    Args:
        context: Of the asset, for the run.
        warehouse: Where it goes.
        stage: A table of `schemas.STAGES`.
        outcome: What became of every candidate.
        domain: The partition's settings.
        calls: Rows of `teacher_calls` behind it.
        metrics: Numbers for the history, beside the account, the cost and what is measured of every stage's rows.
        extra: Rows of further tables kept by stage.
        vectors: Embeddings of the kept rows' prompts and of the declared topics, where there are any.
        plots: Pictures for the UI, by name, beside those of every stage.
        notes: What a reader must know, by name: why a method made nothing.
        shown: Asked for further metadata once the rows are there.
    """
    numbers = account_metrics(outcome) | cost_metrics(calls, len(outcome.kept))
    numbers |= measure_rows(stage, outcome.kept, outcome.rejected, domain, vectors) | dict(metrics or {})
    version = warehouse.commit_stage(stage, domain.name, outcome, run_id=context.run.run_id, metrics=numbers, calls=calls, extra=extra or {})
    watcher = progress.current()
    if watcher is not None:
        watcher.ends(domain.name, stage, outcome)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version),
        metadata={
            "dagster/partition_row_count": len(outcome.kept),
            **column_lineage(stage),
            **numbers,
            **dict(notes or {}),
            **shown(),
            **attribute_table(outcome),
            **({"rejected_by_rule": rule_table(outcome)} if outcome.rejected else {}),
            **{name: picture(sheet) for name, sheet in (stage_plots(stage, outcome, domain) | dict(plots or {})).items()},
            **({"sample": sample_table(schemas.BY_NAME[stage], outcome.kept)} if outcome.kept else {}),
        },
    )


def picture(sheet: Sheet) -> dg.MarkdownMetadataValue:
    """A plot as metadata. It lies in the event log for good, so that it must be small: one above 50 KB is a defect.

    Raises:
        StageFailed: the picture is larger.
    """
    text = f"![{sheet.title.replace(']', ' ').replace('[', ' ')}]({sheet.data_uri()})"
    if len(text) > PICTURE_BYTES:
        raise StageFailed(f"the picture {sheet.title!r} has {len(text):,} bytes, above {PICTURE_BYTES:,}. This is a defect: please report it.")
    return dg.MetadataValue.md(text)


def account_metrics(outcome: Outcome) -> dict[str, float]:
    """The account in numbers, with the yield (kept over planned) and the acceptance rate (not rejected, over planned: more than is needed is no loss)."""
    return {
        "planned": outcome.planned,
        "kept": len(outcome.kept),
        "rejected": len(outcome.rejected_ids),
        "surplus": len(outcome.surplus),
        "yield": round(len(outcome.kept) / outcome.planned, 4) if outcome.planned else 0.0,
        **({"acceptance_rate": 1 - len(outcome.rejected_ids) / outcome.planned} if outcome.planned else {}),
    }


def cost_metrics(calls: Sequence[Row], kept: int = 0) -> dict[str, float]:
    """Calls, tokens and dollars behind a stage that keeps `kept` rows; dollars are left out when the price of a call is unknown.

    Calls whose outcome nobody saw count in dollars, at the most that they can have cost: `unknown_calls` and `unknown_usd` of them.
    """
    if not calls:
        return {}
    unknown = [c for c in calls if c["stop_reason"] == UNKNOWN]
    numbers: dict[str, float] = {
        "calls": len(calls),
        "input_tokens": sum(c["input_tokens"] for c in calls),
        "output_tokens": sum(c["output_tokens"] for c in calls),
        "unknown_calls": len(unknown),
    }
    costs = [c["cost_usd"] for c in calls]
    if None in costs:
        return numbers
    numbers |= {"cost_usd": sum(costs), "unknown_usd": sum(c["cost_usd"] for c in unknown)}
    return numbers | ({"cost_per_kept_row_usd": sum(costs) / kept} if kept else {})


def spent_metrics(rows: Sequence[Row], domains: Sequence[str]) -> dict[str, float]:
    """What the teacher of `domains` has cost so far, over all runs of this home, and that per accepted row: per synthetic one of `rows`.

    Nothing where no ledger is there: nobody was asked.
    """
    ledger = Home.from_env().root / "ledger.sqlite"
    if not ledger.exists():
        return {}
    with reading(ledger) as con:
        spent = sum(spent_usd(con, domain) for domain in domains)
    accepted = sum(row["origin"] == "synthetic" for row in rows)
    return dict(zip(SPENT, (spent, spent / accepted) if accepted else (spent,), strict=False))


def rule_table(outcome: Outcome) -> dg.TableMetadataValue:
    """How many candidates each rule rejected, alone and with others."""
    by_row: dict[str, set[str]] = {}
    for rejection in outcome.rejected:
        by_row.setdefault(str(rejection.row["id"]), set()).add(rejection.rule)
    hits = Counter(rule for rules in by_row.values() for rule in rules)
    alone = Counter(next(iter(rules)) for rules in by_row.values() if len(rules) == 1)
    return dg.MetadataValue.table([dg.TableRecord({"rule": rule, "rows": n, "by this rule alone": alone[rule]}) for rule, n in hits.most_common()])


def attribute_table(outcome: Outcome) -> dict[str, dg.TableMetadataValue]:
    """Metadata: how often each value of an attribute was asked for, and how many of those candidates were kept; nothing where none was."""
    kept, made = (Counter(pair for row in rows for pair in attributes.of_row(row).items()) for rows in (outcome.kept, _every(outcome)))
    if not made:
        return {}
    records = [dg.TableRecord({"attribute": name, "value": value, "asked": made[name, value], "kept": kept[name, value]}) for name, value in sorted(made)]
    return {"attributes": dg.MetadataValue.table(records)}


def _every(outcome: Outcome) -> list[Row]:
    """Every candidate once, whatever became of it."""
    rejected = {str(rejection.row["id"]): rejection.row for rejection in outcome.rejected}
    return [*outcome.kept, *outcome.surplus, *rejected.values()]


def sample_table(table: Table, rows: Sequence[Row]) -> dg.TableMetadataValue:
    """The first rows, shortened; a table shows every text as text, where Markdown would run it."""
    shown = [c.name for c in table.columns if c.name not in {"domain", "language", "call_keys", "prompt_version"}]
    return dg.MetadataValue.table([dg.TableRecord({name: _cell(row.get(name)) for name in shown}) for row in rows[:SAMPLE_ROWS]])


def _cell(value: Any) -> str | int | float:
    if isinstance(value, int | float):
        return value
    text = " ".join(("" if value is None else str(value)).split())
    return text if len(text) <= SAMPLE_CHARACTERS else text[: SAMPLE_CHARACTERS - 1] + "…"
