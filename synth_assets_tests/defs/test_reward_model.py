"""The asset that trains the reward model, over a real warehouse with verdicts of people in it."""

from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from synth_assets.accounts import Outcome
from synth_assets.defs.resources import DomainsResource, EmbedderResource, WarehouseResource
from synth_assets.defs.reward_model import reward_model, seen_rows
from synth_assets.domain_files import load_domain
from synth_assets.methods import seeds as seeds_method
from synth_assets.quality.reward import RewardModel
from synth_assets.quality.sampling import content_key
from synth_assets.review.standing import Entry
from synth_assets.review.verdicts import Verdicts
from synth_assets_tests.review.desk import BETTER, WORSE, make_desk, rows

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_it_learns_from_seeds_and_verdicts_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = make_desk(tmp_path)
    monkeypatch.setenv("SYNTH_HOME", str(desk.home))
    monkeypatch.setenv("SYNTH_DOMAINS", str(desk.domains))
    outcome = Outcome()
    seeds_method.seeds(load_domain(desk.domains, "boats"), outcome)
    desk.warehouse.commit_stage("seeds", "boats", outcome, run_id="r1")
    desk.warehouse.mark_checked("seeds", "boats", "r1", True)
    pair, plain = rows()[3], rows()[5]
    given = [(pair, "accept", ""), (plain, "fix", "An answer of many more words than that.")]
    desk.warehouse.append(
        "reviews",
        [vars(Entry(content_key(row), row["id"], "boats", "Ann", verdict, f"2026-01-0{n + 1}T00:00:00.000000+00:00", corrected=text))
         for n, (row, verdict, text) in enumerate(given)],
    )  # fmt: skip
    with closing(Verdicts(desk.home / "reviews.sqlite")):
        assert {(one.verdict, one.row["id"]) for one in seen_rows(desk.warehouse, "boats")} == {("accept", pair["id"]), ("fix", plain["id"])}

    resources = {"warehouse": WarehouseResource(), "domains": DomainsResource(), "embedder": EmbedderResource()}
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize([reward_model], instance=instance, resources=resources)
        (made,) = done.asset_materializations_for_node("reward_model")
    (row,) = desk.warehouse.rows("reward_model")
    model = RewardModel.from_json(row["weights"])
    assert row["version"] == model.version == made.metadata["version"].value and made.metadata["verdicts"].value == 2
    assert model.report.sources == {"seeds": 12, "curated rows": 0, "curated pairs": 0, "pairs of the teacher": 0, "verdicts of people": 2}
    assert "12 seeds, 2 verdicts of people" in str(made.metadata["card"].value)
    assert model.report.fitted_by_kind.get("human", 0) + model.report.pairs_by_kind.get("human", 0) == 2
    assert {BETTER, WORSE} == {pair["response"], pair["rejected"]}
