"""Exactly N: waves of candidates until the targets are reached, and the same rows whoever asked for how many waves, when, and however often it was killed."""

import json
import random
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from synth_assets.domain_files import shipped_folder
from synth_assets.identity import digest
from synth_assets.warehouse import Warehouse
from synth_assets_tests.graph import chinese
from synth_assets_tests.graph.world import command, environment, synth_assets
from synth_assets_tests.messages_api import Answer, Call, MessagesApi

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]

WORDS = """
船锚 茶壶 竹篮 雨伞 棉被 砂锅 灯笼 风筝 书桌 铁锅 木梳 纸扇 水桶 菜刀 门锁 拖把 台灯 闹钟 相册 围巾
手套 棋盘 琴弦 镜子 梯子 扫帚 抽屉 窗帘 地毯 花盆 渔网 石磨 蜡烛 陶罐 布鞋 草帽 算盘 毛笔 砚台 屏风
"""
METHODS: dict[str, Any] = {
    "self_instruct": {"style": "inline", "target": 6, "batch": 4},
    "magpie": {"target": 2, "batch": 2},
    "evol_instruct": {"rounds": 1, "roots": 3},
    "constitutional": {"pairs": 4},
}
WANTED = 50
GATES = {"quality": "warn", "reward": {"floor": 0.0}}


def write(folder: Path, **methods: Any) -> Path:
    """The shipped Chinese domain, small: no embedding model knows its language, so that none has to be loaded."""
    shutil.copytree(shipped_folder() / "zh_daily", folder / "zh_daily")
    settings = yaml.safe_load((shipped_folder() / "zh_daily.yaml").read_text(encoding="utf-8"))
    settings |= {"methods": METHODS | methods, "gates": GATES, "targets": {"sft": WANTED, "preference": 2, "waves": 9}}
    (folder / "zh_daily.yaml").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def inventive(call: Call) -> Answer:
    """The Chinese teacher, whose tasks are each another, and who counts what it reads."""
    return replace(_inventive(call), input_tokens=None)


def _inventive(call: Call) -> Answer:
    if "编写任务" in str(call.body.get("system", "")):
        number = int(digest({name: value for name, value in call.body.items() if name != "seed"})[:6], 16)
        one, two, three, four, five, six = random.Random(number).sample(WORDS.split(), 6)
        return Answer(f"说明{one}和{two}放在{three}旁边会怎样，再比较{four}、{five}与{six}各自的用处。")
    return chinese.teacher(call)


@dataclass
class Topped:
    home: Path
    domains: Path
    done: subprocess.CompletedProcess[str]
    calls: int


@pytest.fixture(scope="module")
def topped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topped]:
    folder = tmp_path_factory.mktemp("waves")
    domains = write(folder / "domains")
    with MessagesApi(inventive, raw_prompts=True) as api:
        done = synth_assets(environment(folder / "home", domains, api.url), "run", "--to", "filtered", "--top-up")
        yield Topped(folder / "home", domains, done, len(api.calls))


def accepted(home: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows of filtered by kind, in the order in which they stand; who was called is no part of what they are."""
    rows = Warehouse(home / "warehouse.duckdb").rows("filtered", "zh_daily", order=("wave", "id"))
    return {kind: [row for row in rows if row["kind"] == kind] for kind in ("sft", "preference")}


def test_it_goes_on_until_just_as_many_rows_are_accepted_as_are_wanted(topped: Topped) -> None:
    assert topped.done.returncode == 0, topped.done.stdout + topped.done.stderr
    rows = accepted(topped.home)
    assert {kind: len(of) for kind, of in rows.items()} == {"sft": WANTED, "preference": 2}
    assert f"{WANTED + 2} of {WANTED + 2}" in topped.done.stdout and "SHORT" not in topped.done.stdout
    assert "a further wave is likely to add sft" in topped.done.stdout.lower()
    warehouse = Warehouse(topped.home / "warehouse.duckdb")
    plans = warehouse.rows("wave_plans", "zh_daily")
    assert [plan["reason"] for plan in plans][:2] == ["first", "top_up"] and 2 <= plans[-1]["waves"] <= 9
    assert {row["wave"] for row in warehouse.rows("generated_instructions")} == set(range(plans[-1]["waves"]))
    for table in ("evolved_instructions", "teacher_responses", "preference_pairs", "filtered"):
        assert {row["wave"] for row in warehouse.rows(table)} <= set(range(plans[-1]["waves"])), table
    newest = warehouse.latest("filtered", "zh_daily")
    metrics = json.loads(newest["metrics"]) if newest else {}
    assert (metrics["wanted_sft"], metrics["short_sft"], metrics["short_preference"], metrics["waves"]) == (WANTED, 0, 0, plans[-1]["waves"])


def test_no_attempt_is_made_twice_and_what_one_wave_left_over_is_the_nexts(topped: Topped) -> None:
    warehouse = Warehouse(topped.home / "warehouse.duckdb")
    keys = [key for row in warehouse.rows("generated_instructions") for key in row["call_keys"]]
    assert len(keys) == len(set(keys))
    waves = warehouse.query("select wave, method, count(*) as rows from synth.generated_instructions group by all")
    assert all(row["rows"] == METHODS[row["method"]]["target"] for row in waves)
    # Six of each wave in batches of four: two are left over each time, and only the last wave's stay so.
    assert len([row for row in warehouse.rows("surplus", "zh_daily") if row["stage"] == "generated_instructions"]) < 2 * len({row["wave"] for row in waves})


def same(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Without what tells of the calls."""
    return {kind: [{name: value for name, value in row.items() if name != "call_keys"} for row in of] for kind, of in rows.items()}


def test_killed_within_a_top_up_it_goes_on_in_the_same_waves(topped: Topped, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with MessagesApi(inventive, raw_prompts=True) as api:
        env = environment(home, topped.domains, api.url)
        process = subprocess.Popen(command("run", "--to", "filtered", "--top-up"), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        api.wait_for(int(0.7 * topped.calls), timeout=200)
        process.kill()
        process.wait()
        standing = Warehouse(home / "warehouse.duckdb").rows("wave_plans", "zh_daily")
        assert [plan["reason"] for plan in standing][:2] == ["first", "top_up"]
        done = synth_assets(env, "run", "--to", "filtered", "--top-up")
        assert done.returncode == 0, done.stdout + done.stderr
        # What was out at the kill, at most the concurrency, may be asked twice.
        assert len(api.calls) - topped.calls <= 16
    assert same(accepted(home)) == same(accepted(topped.home))


def test_a_budget_that_ends_within_a_top_up_keeps_what_it_has_and_goes_on_when_it_is_raised(topped: Topped, tmp_path: Path) -> None:
    calls = Warehouse(topped.home / "warehouse.duckdb").rows("teacher_calls")
    # Dear to read and cheap to write: what is set aside for a call that may write much would be more than all calls cost.
    price, whole = "3000,1", sum(3e-3 * row["input_tokens"] + 1e-6 * row["output_tokens"] for row in calls)
    home, budget = tmp_path / "home", 0.7 * whole
    with MessagesApi(inventive, raw_prompts=True) as api:
        env = environment(home, topped.domains, api.url, SYNTH_PRICE_USD_PER_MTOK=price, SYNTH_BUDGET_USD=f"{budget:.6f}", SYNTH_CONCURRENCY="2")
        short = synth_assets(env, "run", "--to", "filtered", "--top-up")
        assert "budget" in short.stdout and "raise it" in short.stdout, short.stdout + short.stderr
        warehouse = Warehouse(home / "warehouse.duckdb")
        (spent,) = warehouse.query("select sum(cost_usd) as usd from synth.teacher_calls")
        assert 0.3 * budget < spent["usd"] <= budget
        kept = accepted(home)
        assert 0 < len(kept["sft"]) < WANTED
        again = synth_assets(env, "run", "--to", "filtered", "--top-up")
        assert "raise it" in again.stdout
        before = len(api.calls)
        done = synth_assets(env | {"SYNTH_BUDGET_USD": f"{10 * whole:.6f}"}, "run", "--to", "filtered", "--top-up")
        assert done.returncode == 0, done.stdout + done.stderr
        assert before < len(api.calls) <= topped.calls
    assert same(accepted(home)) == same(accepted(topped.home))
