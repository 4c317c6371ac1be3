"""Schedules, sensors and automation conditions, each by the tick that the daemon would make."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from synth_assets.warehouse import Warehouse
from synth_assets_tests.graph.conftest import Made
from synth_assets_tests.graph.orchestra import Orchestra
from synth_assets_tests.graph.world import write_domain

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LOOSE = {"quality": "warn", "reward": {"floor": 0.0}}
STAGES = {
    "benchmarks",
    "seeds",
    "generated_instructions",
    "evolved_instructions",
    "teacher_responses",
    "preference_pairs",
    "real_data",
    "filtered",
    "spot_check",
    "mixed",
}


@pytest.fixture
def copy(made: Made, tmp_path: Path) -> Made:
    return made.copy(tmp_path)


@pytest.fixture
def orchestra(copy: Made) -> Iterator[Orchestra]:
    write_domain(copy.domains, schedule={"cron": "30 2 * * 1-5", "timezone": "Europe/Berlin"})
    write_domain(copy.domains, "harbours")
    (copy.domains / "broken.yaml").write_text("title: [", encoding="utf-8")
    with Orchestra(copy.env()) as found:
        yield found


def test_ticks_from_a_quiet_home_to_a_new_release(copy: Made, orchestra: Orchestra) -> None:
    # What is listed: all with a description, all off; a domain that cannot be read has no schedule.
    listed = {one["name"]: one for one in orchestra.call("listed")}
    assert {"nightly_boats", "nightly_harbours", "domain_files", "follow_changes", "message_batches", "quality_follows_release"} <= listed.keys()
    assert "nightly_broken" not in listed
    assert all(len(one["description"]) > 60 and not one["on"] for one in listed.values())
    assert (listed["nightly_boats"]["cron"], listed["nightly_boats"]["timezone"]) == ("30 2 * * 1-5", "Europe/Berlin")
    assert (listed["nightly_harbours"]["cron"], listed["nightly_harbours"]["timezone"]) == ("0 2 * * *", "UTC")

    # A schedule's tick: one run of its domain, one key per time, whatever the clock does.
    ticks = [orchestra.call("schedule", "nightly_boats", f"2026-03-02T02:30:00+0{hours}:00") for hours in (1, 1, 2)]
    assert [[request["partition"] for request in tick["requests"]] for tick in ticks] == [["boats"]] * 3
    keys = [tick["requests"][0]["key"] for tick in ticks]
    assert keys[0] == keys[1] != keys[2]

    # Files: a new domain is run whole, a broken one is told of, and neither is asked for twice.
    first = orchestra.call("sensor", "domain_files")
    assert {request["partition"]: set(request["assets"]) & STAGES for request in first["requests"]} == {"harbours": STAGES}
    again = orchestra.call("sensor", "domain_files")
    assert again["requests"] == [] and "broken.yaml" in again["skip"]
    write_domain(copy.domains, gates=LOOSE)
    write_domain(copy.domains, "lighthouses")
    changed = orchestra.call("sensor", "domain_files")
    assert [(r["partition"], r["assets"]) for r in changed["requests"]] == [
        ("boats", ["filtered", "mixed", "settings/filtered", "settings/spot_check", "spot_check"])
    ]
    quiet = orchestra.call("sensor", "domain_files")
    assert quiet["requests"] == [] and "lighthouses is new: reload" in quiet["skip"]
    shutil.rmtree(copy.domains / "lighthouses")
    (copy.domains / "lighthouses.yaml").unlink()

    # Automation: nothing on a quiet home; stage after stage when a setting has changed; nothing twice.
    assert orchestra.call("tick") == []
    assert orchestra.call("materialize", "boats", ["settings/filtered"])["success"]
    assert orchestra.call("tick") == ["filtered"]
    assert orchestra.call("tick") == []
    asked = len(copy.api.calls)
    made = orchestra.call("materialize", "boats", ["filtered"])
    assert made["success"], made["failed"]
    # Both are made from it: one run, in which the spot check comes first and may stop the mix.
    assert orchestra.call("tick") == ["mixed", "spot_check"]
    assert orchestra.call("materialize", "boats", ["spot_check", "mixed"])["made"] == ["spot_check", "mixed"]
    assert orchestra.call("tick") == ["release"]
    release = orchestra.call("materialize", "", ["release"])
    assert release["success"], release["failed"]
    assert len(copy.api.calls) == asked

    # The same rows made again start nothing, though they were materialized.
    assert orchestra.call("materialize", "boats", ["filtered"])["success"]
    assert orchestra.call("tick") == []

    # The report follows a release of other rows, once.
    told = orchestra.call("sensor", "quality_follows_release")
    assert len(told["requests"]) == 1
    assert orchestra.call("sensor", "quality_follows_release")["requests"] == []
    assert [orchestra.call("freshness", hours) for hours in (1, 26, 50)] == ["PASS", "WARN", "FAIL"]

    # A blocking check that fails stops what is downstream: by condition, and for who starts it by hand.
    seeds = copy.domains / "boats" / "seeds.jsonl"
    seeds.write_text("".join(line + "\n" for line in seeds.read_text().splitlines() if json.loads(line)["topic"] != "oars" or "answer" in json.loads(line)))
    write_domain_strict(copy)
    failed = orchestra.call("materialize", "boats", ["settings/seeds", "seeds"])
    assert not failed["success"]
    assert orchestra.call("tick") == []
    refused = orchestra.call("materialize", "boats", ["generated_instructions"])
    assert not refused["success"]
    assert "blocking checks failed" in refused["failed"]["generated_instructions"] and "synth-assets run --domain boats --to seeds" in str(refused["failed"])
    assert len(copy.api.calls) == asked
    assert ("seeds", "boats") not in Warehouse(copy.home / "warehouse.duckdb").passed_slices()


def write_domain_strict(copy: Made) -> None:
    """Quality blocks, and the seeds that stand are kept as they are."""
    kept = (copy.domains / "boats" / "seeds.jsonl").read_bytes()
    write_domain(copy.domains, gates={"quality": "block"})
    (copy.domains / "boats" / "seeds.jsonl").write_bytes(kept)


def test_the_instance_has_a_queue_limits_retention_and_monitoring(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(made.home / "dagster"))
    with dg.DagsterInstance.get() as instance:
        assert type(instance.run_launcher).__name__ == "WatchedRunLauncher"
        assert type(instance.run_coordinator).__name__ == "QueuedRunCoordinator"
        assert instance.run_monitoring_enabled and instance.run_retries_enabled
        assert not instance.telemetry_enabled
    settings = yaml.safe_load((made.home / "dagster" / "dagster.yaml").read_text())
    limits = {limit["key"]: limit["limit"] for limit in settings["concurrency"]["runs"]["tag_concurrency_limits"]}
    assert limits == {"dagster/backfill": 3, "dagster/partition": 1}
    assert settings["freshness"] == {"enabled": True} and set(settings["retention"]) == {"schedule", "sensor", "auto_materialize"}
