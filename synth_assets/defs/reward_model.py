"""The asset that trains and publishes a new version of the embedded reward model, in a job of its own.

Stages use the last published version, recorded in each row, so that there is no cycle; the first one ships with the package. It learns from what the
warehouse has of every domain whose checks passed: the seeds' responses, curated rows and pairs, the teacher's pairs, and people's verdicts.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from synth_assets.accounts import Row
from synth_assets.conversations import prompt_of
from synth_assets.defs.resources import DomainsResource, EmbedderResource, WarehouseResource
from synth_assets.defs.reviews import land
from synth_assets.defs.stage import code_version, whole_asset
from synth_assets.errors import StageFailed, UpstreamNotPassed
from synth_assets.quality import reward, reward_features, reward_pairs, verdict_pairs
from synth_assets.quality.human_fixes import replaced
from synth_assets.quality.reward_card import card
from synth_assets.quality.sampling import content_key
from synth_assets.quality.verdict_pairs import Seen
from synth_assets.review.standing import strictest
from synth_assets.warehouse import Warehouse


@whole_asset("reward_model", group="reward", version=code_version(reward, reward_features, reward_pairs, verdict_pairs), kinds=["python"])
def reward_model(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, domains: DomainsResource, embedder: EmbedderResource
) -> dg.MaterializeResult[Any]:
    """A Bradley-Terry head from seeds, curated rows, the teacher's pairs and people's verdicts; its card says how far to trust it."""
    database, vectors = warehouse.open(), embedder.open()
    references: list[Row] = []
    preferences: list[Row] = []
    seen: list[Seen] = []
    sources: Counter[str] = Counter()
    for name in domains.load_all():
        seeds, real, made = (_passed(database, stage, name) for stage in ("seeds", "real_data", "preference_pairs"))
        made = [row for row in made if row["chosen_score"] > row["rejected_score"] and row["orders_agree"] is not False]
        compared = [row for row in real if row["kind"] == "preference"]
        answers = [*seeds, *(row for row in real if row["kind"] == "sft")]
        references += [{"prompt": prompt_of(row), "response": row["response"]} for row in answers]
        preferences += [{"prompt": prompt_of(row), "chosen": row["response"], "rejected": row["rejected"]} for row in compared]
        preferences += made
        verdicts = seen_rows(database, name)
        seen += verdicts
        sources.update({"seeds": len(seeds), "curated rows": len(real) - len(compared), "curated pairs": len(compared)})
        sources.update({"pairs of the teacher": len(made), "verdicts of people": len(verdicts)})
    if not references:
        raise StageFailed("no domain has seeds that passed their checks: materialize `seeds` and `real_data` first.")
    taught = verdict_pairs.lessons(seen)
    pairs = reward_pairs.training_pairs([*references, *taught.references], preferences, seed=0, human=taught.pairs)
    model = reward.train(pairs, vectors.embed, sources=sources)
    numbers = {name: getattr(model.report, name) for name in ("pairs", "held_out_pairs", "accuracy", "length_accuracy", "length_bias")}
    row = {"version": model.version, "published_at": datetime.now(UTC).isoformat(timespec="seconds"), "weights": model.to_json(), **numbers}
    added = database.append("reward_model", [row], run_id=context.run.run_id)
    database.mark_checked("reward_model", "", context.run.run_id, True)
    shown = {"version": model.version, "new": bool(added), "verdicts": len(seen), "card": dg.MetadataValue.md(card(model)), **numbers}
    return dg.MaterializeResult(data_version=dg.DataVersion(model.version), metadata=shown)


def seen_rows(database: Warehouse, domain: str) -> list[Seen]:
    """What people saw of a domain, with the verdict that stands: rows of `filtered`, and those that a correction has replaced there."""
    standing = {key: entry for (_, key), entry in strictest(land(database, domain)).items()}
    if not standing:
        return []
    rejections = [row for row in database.rows("rejections", domain) if row["stage"] == "filtered"]
    rows = {content_key(row): row for row in (*replaced(rejections), *database.rows("filtered", domain))}
    return [Seen(rows[key], entry.verdict, entry.reason, entry.corrected) for key, entry in sorted(standing.items()) if key in rows]


def _passed(database: Warehouse, stage: str, domain: str) -> list[dict[str, Any]]:
    try:
        return database.read_passed(stage, domain)
    except UpstreamNotPassed:
        return []
