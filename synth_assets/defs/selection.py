"""The assets in which rows are chosen: benchmarks, real data, the gates, the spot check, the mix. Of them only the gates may ask the teacher, as a judge."""

from typing import Any

import dagster as dg

from synth_assets import identity, real_sources
from synth_assets.accounts import Row
from synth_assets.conversations import prompt_of
from synth_assets.defs.automation import AS_A_WHOLE
from synth_assets.defs.generation import begin
from synth_assets.defs.resources import DomainsResource, EmbedderResource, TeacherResource, WarehouseResource
from synth_assets.defs.reviews import land
from synth_assets.defs.rewards import Rewards
from synth_assets.defs.stage import code_version, sample_table, spent_metrics, stage_asset, store, whole_asset
from synth_assets.domain_files import LoadedDomain
from synth_assets.errors import StageFailed, UpstreamNotPassed
from synth_assets.methods import judge
from synth_assets.methods import seeds as seeds_method
from synth_assets.plots.stages import whole_funnel
from synth_assets.quality import (
    canaries,
    decontamination,
    gates,
    human_fixes,
    mixing,
    mixture,
    near_duplicates,
    rules,
    sampling,
    similar_items,
    spot_check_gate,
    statistics,
)
from synth_assets.review import standing
from synth_assets.review.standing import Entry
from synth_assets.schemas import BENCHMARKS
from synth_assets.teacher.terms import terms_of
from synth_assets.warehouse import Warehouse
from synth_assets.waves import plans
from synth_assets.waves.standing import standing_now

GROUP = "selection"


@whole_asset("benchmarks", group=GROUP, version=code_version(decontamination), kinds=["python"], automation_condition=AS_A_WHOLE)
def benchmarks(context: dg.AssetExecutionContext, warehouse: WarehouseResource, domains: DomainsResource) -> dg.MaterializeResult[Any]:
    """The items of every benchmark that a domain file names."""
    rows: dict[tuple[str, str, str], Row] = {}
    for loaded in domains.load_all().values():
        for row in benchmark_rows(loaded):
            rows[row["benchmark"], row["item_id"], row["part"]] = row
    database = warehouse.open()
    version = database.replace_table("benchmarks", list(rows.values()), run_id=context.run.run_id, metrics={"rows": len(rows)})
    # Its file was checked when it was read; there is nothing left that a check could find.
    database.mark_checked("benchmarks", "", context.run.run_id, True)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version),
        metadata={"dagster/row_count": len(rows), "benchmarks": len({b for b, _, _ in rows}), "sample": sample_table(BENCHMARKS, list(rows.values()))},
    )


def benchmark_rows(loaded: LoadedDomain) -> list[Row]:
    """The items of one domain's benchmarks, prompt and answer apart."""
    rows: list[Row] = []
    for name, items in loaded.benchmarks.items():
        digest = identity.digest([item.model_dump() for item in items])
        for item in items:
            for part, text in (("prompt", item.prompt), ("answer", item.answer)):
                if text is not None:
                    # Two domains may each have a benchmark of one name: the item belongs to its domain's.
                    rows.append({"benchmark": f"{loaded.config.name}/{name}", "item_id": item.id, "part": part, "text": text, "digest": digest})
    return rows


def benchmark_items(rows: list[Row]) -> list[decontamination.Item]:
    """Rows of `benchmarks` as the gate takes them."""
    return [decontamination.Item(r["benchmark"], r["item_id"], r["part"], r["text"]) for r in rows]


@stage_asset("real_data", group=GROUP, version=code_version(seeds_method, real_sources, decontamination), deps=["benchmarks"], kinds=["python"])
def real_data(context: dg.AssetExecutionContext, warehouse: WarehouseResource, domains: DomainsResource) -> dg.MaterializeResult[Any]:
    """Rows written by people, from the sources that the domain names, decontaminated like the synthetic ones."""
    loaded, database = domains.load(context.partition_key), warehouse.open()
    outcome = begin(loaded.config, "real_data")
    external = {place: real_sources.read_external(entry, loaded.config, loaded.folder) for place, (entry, _) in enumerate(loaded.curated) if entry.external}
    seeds_method.real_data(loaded, outcome, external)
    index = benchmark_index(database, loaded, [])
    hits = index.scan_answers([(row["id"], prompt_of(row), gates.answers_of(row)) for row in outcome.kept]).hits
    gates.reject_contaminated(outcome.kept, hits, outcome)
    outcome.kept = [row for row in outcome.kept if row["id"] not in outcome.rejected_ids]
    return store(context, database, "real_data", outcome, domain=loaded.config, extra={"contamination_hits": [hit._asdict() for hit in hits]})


@stage_asset(
    "filtered",
    group=GROUP,
    version=code_version(gates, rules, near_duplicates, decontamination, similar_items, human_fixes, judge),
    deps=["seeds", "evolved_instructions", "teacher_responses", "preference_pairs", "real_data", "benchmarks", "reward_model"],
    kinds=["python"],
    asks=True,
)
def filtered(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, domains: DomainsResource, embedder: EmbedderResource, teacher: TeacherResource
) -> dg.MaterializeResult[Any]:
    """Rules, decontamination, reward floor and near-duplicates, up to the domain's target. What a person corrected is a candidate too."""
    loaded, database = domains.load(context.partition_key), warehouse.open()
    domain = loaded.config
    outcome = begin(domain, "filtered")
    vectors = embedder.open()
    rewards = Rewards.of(database, vectors, domain, teacher)
    instructions = database.read_passed("evolved_instructions", domain.name)
    responses = database.read_passed("teacher_responses", domain.name)
    pairs = database.read_passed("preference_pairs", domain.name)
    real = [f"{row['instruction']}\n{row['input']}\n{row['response']}" for row in database.read_passed("real_data", domain.name)]
    rows = gates.candidates(responses, pairs, instructions, rewards.version, rewards.calibration)
    rows = human_fixes.apply_fixes(rows, standing.fixes(land(database, domain.name), domain.name), outcome)
    embed = vectors.embed if vectors.supports(domain.language) else None
    hits = gates.screen(domain, rows, index=benchmark_index(database, loaded, real), embed=embed, rewards=rewards.score, outcome=outcome)
    if embed is None:
        context.log.warning(f"No embedding model here knows {domain.language!r}: no semantic near-duplicates. Benchmark items are sought by English glosses.")
    prompts = [(row["id"], row["prompt"]) for row in outcome.kept]
    similar = similar_items.SimilarItems(benchmark_items(benchmark_rows(loaded)), vectors.embed, domain.gates.decontamination.review_cosine)
    hits += similar.hits(prompts)
    anchors = [f"{topic.name.replace('_', ' ')}: {topic.description}" for topic in domain.topics]
    of_kept = (embed([prompt for _, prompt in prompts]), embed(anchors)) if embed and prompts else ()
    plan = plans.last(database, domain.name)

    def shown() -> dict[str, str]:
        found = standing_now(database, domain)
        return {"shortfall": found.words} if found is not None and found.short else {}

    return store(
        context,
        database,
        "filtered",
        outcome,
        domain=domain,
        calls=teacher.calls(outcome),
        vectors=of_kept,
        metrics={**gates.target_metrics(domain, outcome), "waves": plan.waves if plan is not None else 1},
        extra={"contamination_hits": [hit._asdict() for hit in hits]},
        shown=shown,
    )


def benchmark_index(database: Warehouse, loaded: LoadedDomain, real_texts: list[str]) -> decontamination.Index:
    """The index over the domain's benchmarks as they are in the warehouse, canaries planted.

    Raises:
        UpstreamNotPassed: a benchmark of the domain is not in the warehouse, or its file has changed since.
        StageFailed: a planted canary was not found.
    """
    wanted = benchmark_rows(loaded)
    stored = {(r["benchmark"], r["item_id"], r["part"]): r for r in database.rows("benchmarks")}
    for row in wanted:
        if stored.get((row["benchmark"], row["item_id"], row["part"])) != row:
            raise UpstreamNotPassed(f"benchmark {row['benchmark']} is not in the warehouse as its file has it now. Materialize `benchmarks` first.")
    index = decontamination.Index.build(benchmark_items(wanted), real_texts, loaded.config.gates.decontamination)
    missed = canaries.missed_canaries(index, canaries.plant_canaries(index, loaded.config.seed))
    if missed:
        kinds = ", ".join(sorted({canary.kind for canary in missed}))
        raise StageFailed(f"decontamination missed {len(missed)} of its own planted canaries ({kinds}): no row can be trusted to be clean. Please report it.")
    return index


@stage_asset("spot_check", group=GROUP, version=code_version(sampling, spot_check_gate, statistics, standing), deps=["filtered"], kinds=["python"])
def spot_check(context: dg.AssetExecutionContext, warehouse: WarehouseResource, domains: DomainsResource) -> dg.MaterializeResult[Any]:
    """Two seeded samples for people to read, with the verdicts that there are."""
    domain, database = domains.load(context.partition_key).config, warehouse.open()
    outcome = begin(domain, "spot_check")
    entries = land(database, domain.name)
    with database.read():
        rows, rejections = database.read_passed("filtered", domain.name), database.rows("rejections", domain.name)
        hits = database.rows("contamination_hits", domain.name)
    similar = {row["row_id"]: row["score"] for row in hits if row["stage"] == "filtered" and row["rule"] == "similar"}
    lot = human_fixes.lot(rows, rejections)
    sampling.spot_check(domain, lot, rows, standing.verdicts(entries, domain.name), outcome, similar)
    gate = spot_check_gate.Gate.of(domain.spot_check, len(lot), [row["verdict"] for row in outcome.kept if row["purpose"] == "gate"])
    return store(context, database, "spot_check", outcome, domain=domain, metrics=gate.metrics)


@stage_asset("mixed", group=GROUP, version=code_version(mixing, mixture), deps=["filtered", "spot_check", "real_data"], kinds=["python"])
def mixed(context: dg.AssetExecutionContext, warehouse: WarehouseResource, domains: DomainsResource, embedder: EmbedderResource) -> dg.MaterializeResult[Any]:
    """Synthetic and real rows at the domain's share, per kind, without what people rejected."""
    domain, database = domains.load(context.partition_key).config, warehouse.open()
    outcome = begin(domain, "mixed")
    database.read_passed("spot_check", domain.name)
    synthetic, real = (database.read_passed(stage, domain.name) for stage in ("filtered", "real_data"))
    verdicts = standing.verdicts([Entry.of(row) for row in database.rows("reviews", domain.name)], domain.name)
    vectors = embedder.open()
    shares = mixture.blend(domain, synthetic, real, verdicts, terms_of, outcome, vectors.embed if vectors.supports(domain.language) else None)
    with database.read():
        accounts = database.rows("stage_accounts", domain.name)
    numbers = shares | spent_metrics(outcome.kept, [domain.name])
    return store(context, database, "mixed", outcome, domain=domain, metrics=numbers, plots={"plot_funnel": whole_funnel(domain, accounts, outcome)})
