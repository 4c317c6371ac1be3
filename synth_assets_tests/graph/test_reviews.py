"""Verdicts through the graph: the gate blocks the mix, rejections leave it, a fix comes in through the gates, and the teacher is not asked."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from synth_assets.accounts import Row
from synth_assets.review.standing import Entry
from synth_assets.review.verdicts import Verdicts
from synth_assets.warehouse import Warehouse
from synth_assets_tests.graph.test_run import BALANCE
from synth_assets_tests.graph.world import environment, synth_assets, teacher, write_domain
from synth_assets_tests.messages_api import MessagesApi

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SPOT_CHECK = {"gate": 30, "audit": 4, "max_defect_rate": 0.3, "required": True}


@dataclass
class World:
    home: Path
    domains: Path
    api: MessagesApi

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.home / "warehouse.duckdb")

    def run(self, *arguments: str) -> tuple[int, str]:
        done = synth_assets(environment(self.home, self.domains, self.api.url), "run", *arguments)
        return done.returncode, done.stdout + done.stderr

    def sampled(self, purpose: str = "gate") -> list[Row]:
        return [row for row in self.warehouse.rows("spot_check", "boats") if row["purpose"] == purpose]

    def judge(self, row: Row, verdict: str, **more: Any) -> None:
        with closing(Verdicts(self.home / "reviews.sqlite")) as store:
            entry = Entry(row["content_key"], row["row_id"], "boats", "ann", verdict, "", **more)
            store.record(entry, f"{row['content_key']}-{verdict}-{len(store.entries())}")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("reviews")
    with MessagesApi(teacher, raw_prompts=True) as api:
        yield World(folder / "home", write_domain(folder / "domains", spot_check=SPOT_CHECK), api)


def test_verdicts_from_an_unread_sample_to_a_mix(world: World) -> None:
    # Nobody has read the sample: the mix waits.
    code, said = world.run("--to", "mixed")
    assert code == 1 and "BLOCKED boats spot_check: gate_reviewed" in said, said
    assert world.warehouse.rows("mixed") == []
    asked, gate, lot = len(world.api.calls), world.sampled(), world.warehouse.rows("filtered", "boats")
    assert len(gate) == min(30, len(lot)) and len(lot) > 6

    # Too many defects: the bound is over the limit, and the mix still waits.
    for row in gate:
        world.judge(row, "reject", reason="wrong")
    code, said = world.run("--to", "mixed")
    assert code == 1 and "BLOCKED boats spot_check: defect_rate_within_limit" in said and "gate_reviewed" not in said, said
    assert world.warehouse.rows("mixed") == []

    # The reviewer thinks again: one rejected, one fixed, the others accepted.
    rows = {row["id"]: row for row in lot}
    # What the reward model likes best: a correction of it has room above the floor.
    weak, bad, *good = sorted(gate, key=lambda row: (rows[row["row_id"]]["kind"] != "sft", -rows[row["row_id"]]["reward"]))
    for row in good:
        world.judge(row, "accept")
    parent = rows[weak["row_id"]]
    corrected = f"{parent['response']} Look at it once more after a week, since salt dries slowly."
    world.judge(weak, "fix", reason="wrong", corrected=corrected)
    code, said = world.run("--to", "mixed")
    assert code == 0, said

    filtered, mixed = world.warehouse.rows("filtered", "boats"), world.warehouse.rows("mixed", "boats")
    (fixed,) = [row for row in filtered if row["method"] == "human_fix"]
    assert fixed["parent_id"] == weak["row_id"] and fixed["response"] == corrected
    rejected = {(r["stage"], json.loads(r["row"]).get("source_id"), r["rule"]) for r in world.warehouse.rows("rejections", "boats") if r["rule"][:5] == "human"}
    assert rejected == {("mixed", bad["row_id"], "human_rejected"), ("filtered", parent["source_id"], "human_fixed")}
    sources = {row["source_id"] for row in mixed}
    assert not sources & {bad["row_id"], weak["row_id"]} and fixed["id"] in sources
    assert world.warehouse.query(BALANCE) == []

    # The sample is the same one, the lot too, and the correction is to be read by somebody in the audit.
    assert {(r["row_id"], r["content_key"]) for r in world.sampled()} == {(r["row_id"], r["content_key"]) for r in gate}
    assert {r["content_key"] for r in world.warehouse.rows("reviews")} == {r["content_key"] for r in gate}
    assert fixed["id"] in {r["row_id"] for r in world.sampled("audit") if r["verdict"] is None}
    metrics = json.loads(world.warehouse.latest("spot_check", "boats")["metrics"])  # type: ignore[index]
    assert metrics["gate_defects"] == 2 and metrics["gate_lot"] == len(lot) and metrics["defect_rate_upper_bound"] == 2 / len(lot)

    # All of it without the teacher, and once more without a change.
    assert len(world.api.calls) == asked
    assert world.run("--to", "mixed")[0] == 0 and world.warehouse.rows("filtered", "boats") == filtered and world.warehouse.rows("mixed", "boats") == mixed
