"""`mode: batch` through the whole graph: each stage waits for its batches, the sensor starts the domain again, and the rows are those of an online run."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from synth_assets_tests.graph.world import environment, stored, synth_assets, teacher, write_domain
from synth_assets_tests.messages_api import MessagesApi

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

STAGES = ("generated_instructions", "evolved_instructions", "teacher_responses", "preference_pairs")


def test_a_domain_by_batches_ends_in_the_same_rows(tmp_path: Path) -> None:
    methods = {
        "evol_instruct": {"rounds": 1, "roots": 3},
        "reasoning": {"samples": 2},
        "constitutional": {"pairs": 3},
    }
    with MessagesApi(teacher) as api:
        online = environment(tmp_path / "online", write_domain(tmp_path / "a", methods=methods), api.url)
        done = synth_assets(online, "run", "--to", "preference_pairs")
        assert done.returncode == 0, done.stdout + done.stderr
        asked = len(api.calls)
        by_batch = environment(tmp_path / "batch", write_domain(tmp_path / "b", methods=methods, mode="batch"), api.url)
        for _ in range(12):
            done = synth_assets(by_batch, "run", "--to", "preference_pairs")
            if done.returncode == 0:
                break
            assert done.returncode == 75, done.stdout + done.stderr
            assert "WAITING boats: msgbatch_" in done.stdout
            for batch in list(api.batches.kept):
                api.finish(batch)
        assert done.returncode == 0
        assert sum(call.path == "/v1/messages" for call in api.calls[asked:] if not call.custom_id) == 0
    ours, theirs = stored(tmp_path / "batch"), stored(tmp_path / "online")
    for stage in STAGES:
        assert ours[stage] == theirs[stage], stage
    assert {row["key"] for row in ours["teacher_calls"]} == {row["key"] for row in theirs["teacher_calls"]}


def test_the_sensor_asks_after_open_batches_and_runs_the_domain_when_they_have_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with MessagesApi(teacher) as api:
        methods = {"evol_instruct": {"rounds": 1, "roots": 2}}
        env = environment(tmp_path / "home", write_domain(tmp_path / "d", methods=methods, mode="batch", targets={"sft": 5}), api.url)
        assert synth_assets(env, "run", "--to", "evolved_instructions").returncode == 75
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        from synth_assets.defs.resources import DomainsResource
        from synth_assets.defs.sensors import message_batches

        def tick(cursor: str | None) -> Any:
            context = dg.build_sensor_context(instance=dg.DagsterInstance.ephemeral(), cursor=cursor, resources={"domains": DomainsResource()})
            return message_batches(context)

        first = tick(None)
        assert (first.run_requests, first.cursor) == ([], "boats")
        for batch in list(api.batches.kept):
            api.finish(batch)
        second = tick(first.cursor)
        assert [request.partition_key for request in second.run_requests or []] == ["boats"]
        assert tick(second.cursor).run_requests == []
