"""`synth-assets preview`: what it asks the run finds in the ledger, it writes no table, and it spends nothing that nobody allowed."""

from pathlib import Path

import pytest

from synth_assets.forecast.past import STAGES
from synth_assets.teacher.ledger_report import reading
from synth_assets.warehouse import Warehouse
from synth_assets_tests.graph.test_waves import inventive, write
from synth_assets_tests.graph.world import environment, synth_assets
from synth_assets_tests.messages_api import MessagesApi

WHOLE = {"evol_instruct": {"rounds": 1}, "constitutional": {"pairs": 1000}}
"""Methods that draw nothing: each takes all that it is given."""


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_a_preview_shows_every_stage_and_the_run_pays_none_of_it_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with MessagesApi(inventive, raw_prompts=True) as api:
        env = environment(home, write(tmp_path / "domains", **WHOLE), api.url)
        shown = synth_assets(env, "preview", "--domain", "zh_daily", "--rows", "3")
        assert shown.returncode == 0, shown.stdout + shown.stderr
        first = [call.key for call in api.calls if not call.path.endswith("apply-template")]
        assert [path.name for path in home.iterdir() if path.suffix != ".sqlite" and "sqlite" not in path.name] == []
        for stage in (*STAGES, "filtered"):
            assert f"== {stage}: " in shown.stdout, stage
        for words in ("system: 你为题集", "asked", "rejected by max_tokens", "reward 0.", f"asked {len(first)} calls ($0.00)", "The whole run of zh_daily"):
            assert words in shown.stdout, words
        again = synth_assets(env, "preview", "--domain", "zh_daily", "--rows", "3")
        assert f"asked 0 calls ($0.00) and found {len(first)} in the ledger" in again.stdout
        done = synth_assets(env, "run", "--to", "preference_pairs")
        assert done.returncode == 0, done.stdout + done.stderr
        keys = [call.key for call in api.calls if not call.path.endswith("apply-template")]
        assert len(keys) > len(first) and set(keys[len(first) :]).isdisjoint(first)
    used = {row["key"] for row in Warehouse(home / "warehouse.duckdb").rows("call_uses")}
    with reading(home / "ledger.sqlite") as con:
        previewed = {row["key"] for row in con.execute("select key from replies order by id limit ?", [len(first)])}
    assert previewed <= used


def test_a_paid_teacher_without_a_budget_is_not_asked(tmp_path: Path) -> None:
    with MessagesApi(inventive) as api:
        env = environment(tmp_path / "home", write(tmp_path / "domains", magpie=None), api.url, SYNTH_PRICE_USD_PER_MTOK="3,15")
        done = synth_assets(env, "preview", "--domain", "zh_daily")
        assert done.returncode == 2 and "SYNTH_BUDGET_USD=" in done.stderr and api.calls == []


def test_a_domain_that_is_not_there_is_named(tmp_path: Path) -> None:
    env = environment(tmp_path / "home", write(tmp_path / "domains"), "http://127.0.0.1:9")
    done = synth_assets(env, "preview", "--domain", "boats")
    assert done.returncode == 2 and "no domain 'boats'" in done.stderr and "zh_daily" in done.stderr
