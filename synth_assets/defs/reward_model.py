"""The asset that trains and publishes a new version of the embedded reward model, in a job of its own.

Stages use the last published version, recorded in each row, so that there is no cycle; the first one ships with the package.
"""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from synth_assets.conversations import prompt_of
from synth_assets.defs.resources import DomainsResource, EmbedderResource, WarehouseResource
from synth_assets.defs.stage import code_version, whole_asset
from synth_assets.errors import StageFailed, UpstreamNotPassed
from synth_assets.quality import reward, reward_features, reward_pairs
from synth_assets.warehouse import Warehouse


@whole_asset("reward_model", group="reward", version=code_version(reward, reward_features, reward_pairs), kinds=["python"])
def reward_model(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, domains: DomainsResource, embedder: EmbedderResource
) -> dg.MaterializeResult[Any]:
    """A Bradley-Terry head from the seeds' responses, curated pairs and constitutional pairs that are in the warehouse."""
    database, vectors = warehouse.open(), embedder.open()
    references, preferences = [], []
    for name in domains.load_all():
        for row in _passed(database, "seeds", name):
            references.append({"prompt": prompt_of(row), "response": row["response"]})
        for row in _passed(database, "real_data", name):
            if row["kind"] == "preference":
                preferences.append({"prompt": prompt_of(row), "chosen": row["response"], "rejected": row["rejected"]})
            else:
                references.append({"prompt": prompt_of(row), "response": row["response"]})
        preferences += [row for row in _passed(database, "preference_pairs", name) if row["chosen_score"] > row["rejected_score"]]
    if not references:
        raise StageFailed("no domain has seeds that passed their checks: materialize `seeds` and `real_data` first.")
    model = reward.train(reward_pairs.training_pairs(references, preferences, seed=0), vectors.embed)
    numbers = {name: getattr(model.report, name) for name in ("pairs", "held_out_pairs", "accuracy", "length_accuracy", "length_bias")}
    row = {"version": model.version, "published_at": datetime.now(UTC).isoformat(timespec="seconds"), "weights": model.to_json(), **numbers}
    added = database.append("reward_model", [row], run_id=context.run.run_id)
    database.mark_checked("reward_model", "", context.run.run_id, True)
    return dg.MaterializeResult(data_version=dg.DataVersion(model.version), metadata={"version": model.version, "new": bool(added), **numbers})


def _passed(database: Warehouse, stage: str, domain: str) -> list[dict[str, Any]]:
    try:
        return database.read_passed(stage, domain)
    except UpstreamNotPassed:
        return []
