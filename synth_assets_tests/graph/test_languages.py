"""The Chinese domain: through the whole graph with a teacher that knows Chinese, and refused at once with the embedded one, which does not."""

import json
import shutil
from pathlib import Path

import dagster as dg
import pytest

from synth_assets.accounts import Outcome
from synth_assets.defs.resources import TeacherResource
from synth_assets.domain_files import load_domain, shipped_folder
from synth_assets.errors import LanguageUnsupported
from synth_assets.methods import magpie
from synth_assets.methods.instruction_pool import InstructionPool
from synth_assets.quality.languages import wrong_language
from synth_assets.teacher.messages import Profile
from synth_assets.warehouse import Warehouse
from synth_assets_tests.graph import chinese
from synth_assets_tests.graph.test_run import BALANCE
from synth_assets_tests.graph.world import environment, stored, synth_assets, write_domain
from synth_assets_tests.messages_api import MessagesApi
from synth_assets_tests.methods.driving import make_domain

NO_ENDPOINT = "http://127.0.0.1:9"


@pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")
def test_a_stage_that_asks_the_embedded_teacher_refuses_chinese() -> None:
    domain = load_domain(shipped_folder(), "zh_daily").config
    with dg.build_resources({"teacher": TeacherResource()}) as resources, pytest.raises(LanguageUnsupported, match="ANTHROPIC_API_KEY"):
        resources.teacher.profile(domain)


def test_the_embedded_teacher_refuses_a_chinese_domain_before_anything_runs(tmp_path: Path) -> None:
    env = environment(tmp_path / "home", shipped_folder(), NO_ENDPOINT, SYNTH_TEACHER="embedded")
    done = synth_assets(env, "run", "--domain", "zh_daily")
    assert done.returncode == 1, done.stderr
    assert "FAILED zh_daily: zh_daily is written in Chinese" in done.stdout and "SYNTH_BUDGET_USD" in done.stdout
    assert not (tmp_path / "home" / "warehouse.duckdb").exists() and "Release:" not in done.stdout


@pytest.mark.slow
def test_a_chinese_domain_that_is_refused_does_not_stop_the_others(tmp_path: Path) -> None:
    domains = write_domain(tmp_path / "domains")
    shutil.copy(shipped_folder() / "zh_daily.yaml", domains)
    shutil.copytree(shipped_folder() / "zh_daily", domains / "zh_daily")
    done = synth_assets(environment(tmp_path / "home", domains, NO_ENDPOINT, SYNTH_TEACHER="embedded"), "run", "--to", "seeds")
    assert done.returncode == 1 and "FAILED zh_daily" in done.stdout, done.stdout
    warehouse = Warehouse(tmp_path / "home" / "warehouse.duckdb")
    assert len(warehouse.read_passed("seeds", "boats")) == 12 and warehouse.rows("seeds", "zh_daily") == []


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_chinese_domain_runs_to_a_release(tmp_path: Path) -> None:
    domains = tmp_path / "domains"
    shutil.copytree(shipped_folder() / "zh_daily", domains / "zh_daily")
    shutil.copy(shipped_folder() / "zh_daily.yaml", domains)
    with (domains / "zh_daily" / "heldout.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"id": "flu", "prompt": "Compare a cold and the flu in a table: what is different?"}) + "\n")
    with MessagesApi(chinese.teacher, raw_prompts=True) as api:
        done = synth_assets(environment(tmp_path / "home", domains, api.url), "run", "--domain", "zh_daily")
    assert done.returncode == 0, done.stdout + done.stderr
    tables = stored(tmp_path / "home")
    assert {row["method"] for row in tables["generated_instructions"]} == {"self_instruct", "magpie"}
    assert {row["round"] for row in tables["evolved_instructions"]} == {0, 1, 2}
    assert {row["method"] for row in tables["teacher_responses"]} == {"distill", "reasoning"}
    assert {row["kind"] for row in tables["filtered"]} == {"sft", "preference"}
    assert len({row["system"] for row in tables["teacher_responses"] if row["method"] == "distill"}) > 4
    rules = {row["rule"] for row in tables["rejections"]}
    assert {"no_information_gain", "max_tokens", "refusal", "answer_wrong"} <= rules, rules
    for row in tables["filtered"]:
        assert row["cosine"] is None, "no embedded sentence model knows Chinese"
        assert (wrong_language(row["prompt"], "zh"), wrong_language(row["response"], "zh")) == (None, None)
    warehouse = Warehouse(tmp_path / "home" / "warehouse.duckdb")
    # A translated benchmark item is no word's match, and is shown to people.
    prompts = {row["id"]: row["prompt"] for row in tables["filtered"]}
    asked = [prompts[hit["row_id"]] for hit in warehouse.rows("contamination_hits") if (hit["item_id"], hit["rule"]) == ("flu", "similar")]
    assert asked and all("感冒和流感" in prompt for prompt in asked), asked
    assert warehouse.query(BALANCE) == []
    # Domains that nobody ran are not said to be missing.
    version = (tmp_path / "home" / "release" / "latest").read_text().strip()
    card = (tmp_path / "home" / "release" / version / "README.md").read_text(encoding="utf-8")
    assert "customer_support" not in card and "every_domain_released" not in done.stdout


@pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")
def test_an_endpoint_without_raw_prompts_makes_no_magpie_rows_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = make_domain(magpie={"target": 2})

    def made(env: dict[str, str]) -> tuple[str, Outcome]:
        for name, value in {"SYNTH_HOME": str(tmp_path / "home"), "ANTHROPIC_API_KEY": "sk-test-key", **env}.items():
            monkeypatch.setenv(name, value)
        outcome = Outcome()
        with dg.build_resources({"teacher": TeacherResource()}) as resources:
            return resources.teacher.magpie(domain, magpie.plan(domain, InstructionPool("en", []), Profile("qwen", raw_prompt=True), outcome), outcome), outcome

    # Claude's API is known for it, so that nothing is asked; a server of one's own is asked once.
    said, outcome = made({"SYNTH_BUDGET_USD": "1"})
    assert "home asks for magpie, and https://api.anthropic.com is a chat API" in said and outcome == Outcome()
    with MessagesApi() as api:
        said, outcome = made({"ANTHROPIC_BASE_URL": api.url, "SYNTH_TEACHER": "qwen"})
    assert "/tokenize" in said and "Remove `magpie`" in said and outcome == Outcome()
    with MessagesApi(lambda call: f"How warm should loaf number {call.number} be?", raw_prompts="vllm") as api:
        said, outcome = made({"ANTHROPIC_BASE_URL": api.url, "SYNTH_TEACHER": "qwen"})
    assert said == "" and len(outcome.kept) == 1 and {row["method"] for row in outcome.kept} == {"magpie"}
    outcome.check_balance("generated_instructions", "home")
