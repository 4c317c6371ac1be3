"""`synth-assets run` over the whole graph: what came out, again, stopped half way, and with broken input."""

import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas
import pytest

from synth_assets.warehouse import Warehouse
from synth_assets_tests.graph.world import command, environment, stored, synth_assets, teacher, write_domain
from synth_assets_tests.messages_api import Answer, Call, Fault, MessagesApi

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

BALANCE = """
with counted as (
    select 'seeds' as stage, domain, id from synth.seeds
    union all select 'generated_instructions', domain, id from synth.generated_instructions
    union all select 'evolved_instructions', domain, id from synth.evolved_instructions
    union all select 'teacher_responses', domain, id from synth.teacher_responses
    union all select 'preference_pairs', domain, id from synth.preference_pairs
    union all select 'real_data', domain, id from synth.real_data
    union all select 'filtered', domain, id from synth.filtered
    union all select 'spot_check', domain, id from synth.spot_check
    union all select 'mixed', domain, id from synth.mixed
    union all select 'release', domain, id from synth.release
),
places as (
    select domain, stage, count(*) as rows from counted group by all
    union all select domain, stage, count(distinct row_id) from synth.rejections group by all
    union all select domain, stage, count(*) from synth.surplus group by all
)
select a.domain, a.stage, a.planned, coalesce(sum(p.rows), 0) as found
from synth.stage_accounts a left join places p using (domain, stage)
group by all having a.planned <> found
"""
"""Stages whose planned candidates are not all in one of the three places, counted from the rows themselves: none."""


@dataclass
class Made:
    home: Path
    domains: Path
    api: MessagesApi
    first: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("graph")
    domains = write_domain(folder / "domains")
    with MessagesApi(teacher, raw_prompts=True) as api:
        yield Made(folder / "home", domains, api, synth_assets(environment(folder / "home", domains, api.url), "run"))


def test_the_graph_runs_to_a_release(made: Made) -> None:
    assert made.first.returncode == 0, made.first.stdout + made.first.stderr
    assert "blocking failed" in made.first.stdout and "0 blocking failed" in made.first.stdout
    version = (made.home / "release" / "latest").read_text().strip()
    frame = pandas.read_parquet(made.home / "release" / version / "sft" / "train-00000.parquet")
    assert {"synthetic", "real"} == set(frame["origin"]) and set(frame.loc[frame["origin"] == "real", "license"]) == {"curated"}
    assert (made.home / "reports" / "quality_report.html").exists()


def test_every_stage_made_rows_by_its_method(made: Made) -> None:
    tables = stored(made.home)
    assert {row["method"] for row in tables["generated_instructions"]} == {"self_instruct", "magpie"}
    assert {row["round"] for row in tables["evolved_instructions"]} == {0, 1, 2}
    assert {row["method"] for row in tables["teacher_responses"]} == {"distill", "reasoning"}
    assert {row["kind"] for row in tables["mixed"]} == {"sft", "preference"}
    rules = {row["rule"] for row in tables["rejections"]}
    assert {"no_information_gain", "max_tokens", "refusal"} <= rules


def test_every_planned_candidate_is_in_one_place_and_every_rejected_text_can_be_read(made: Made) -> None:
    warehouse = Warehouse(made.home / "warehouse.duckdb")
    assert warehouse.query(BALANCE) == []
    assert {row["stage"] for row in warehouse.rows("stage_accounts")} >= {"seeds", "teacher_responses", "filtered", "mixed", "release"}
    for row in warehouse.rows("rejections"):
        candidate = json.loads(row["row"])
        assert any(isinstance(candidate.get(name), str) for name in ("instruction", "text", "response", "chosen", "messages", "prompt")), row


def test_calls_paid_are_calls_recorded(made: Made) -> None:
    tables = stored(made.home)
    answered = [call for call in made.api.calls if not call.path.endswith("apply-template")]
    assert len(tables["teacher_calls"]) == len(answered)
    assert {row["key"] for row in tables["call_uses"]} == {row["key"] for row in tables["teacher_calls"]}


def test_the_same_command_again_asks_nothing_and_changes_nothing(made: Made) -> None:
    before, asked = stored(made.home), len(made.api.calls)
    again = synth_assets(environment(made.home, made.domains, made.api.url), "run")
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(made.api.calls) == asked and "Teacher calls in this run: 0." in again.stdout
    assert stored(made.home) == before


def test_killed_in_the_middle_and_run_again_it_ends_in_the_same_rows(made: Made, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with MessagesApi(teacher, raw_prompts=True) as api:
        env = environment(home, made.domains, api.url) | {"ANTHROPIC_BASE_URL": api.url}
        process = subprocess.Popen(command("run"), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        api.wait_for(12, timeout=120)
        process.send_signal(signal.SIGKILL)
        process.wait()
        answered = len(api.calls)
        finished = synth_assets(env, "run")
        assert finished.returncode == 0, finished.stdout + finished.stderr
    ours, theirs = stored(home), stored(made.home)
    for table in ("generated_instructions", "evolved_instructions", "teacher_responses", "preference_pairs", "filtered", "mixed"):
        assert [row | {"call_keys": []} for row in ours[table]] == [row | {"call_keys": []} for row in theirs[table]], table
    # What was in flight at the kill, at most the concurrency, may be asked twice; nothing that had arrived.
    assert len(api.calls) - len(made.api.calls) <= 16 and answered >= 12


def test_interrupted_it_stops_cleanly(made: Made, tmp_path: Path) -> None:
    with MessagesApi(teacher, raw_prompts=True) as api:
        env = environment(tmp_path / "home", made.domains, api.url)
        process = subprocess.Popen(command("run"), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        api.wait_for(6, timeout=120)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    assert process.returncode == 130, out + error
    assert "goes on from there" in out and "Traceback" not in error


def test_a_refused_key_stops_the_run_with_its_remedy_and_never_shows_the_key(made: Made, tmp_path: Path) -> None:
    def refuse(call: Call) -> Answer | Fault:
        return Fault(401)

    with MessagesApi(refuse) as api:
        done = synth_assets(environment(tmp_path / "home", made.domains, api.url, ANTHROPIC_API_KEY="sk-very-secret"), "run")
    assert done.returncode == 1
    assert "ANTHROPIC_API_KEY" in done.stdout and "sk-very-secret" not in done.stdout + done.stderr


def test_a_broken_domain_file_is_named_with_line_and_remedy_before_anything_runs(made: Made, tmp_path: Path) -> None:
    domains = write_domain(tmp_path / "domains", targets={"sft": "many"}, languge="en")
    done = synth_assets(environment(tmp_path / "home", domains, made.api.url), "run")
    assert done.returncode == 2
    assert "boats.yaml:1" in done.stderr and "languge" in done.stderr and "many" in done.stderr
    assert not (tmp_path / "home" / "ledger.sqlite").exists()


def test_one_broken_domain_does_not_stop_the_others(made: Made, tmp_path: Path) -> None:
    domains = write_domain(tmp_path / "domains")
    (domains / "broken.yaml").write_text("title: [", encoding="utf-8")
    done = synth_assets(environment(tmp_path / "home", domains, made.api.url), "run")
    assert done.returncode == 1 and "FAILED broken" in done.stdout and "Release:" in done.stdout


def test_a_stage_alone_refuses_what_did_not_pass(made: Made, tmp_path: Path) -> None:
    done = synth_assets(environment(tmp_path / "home", made.domains, made.api.url), "run", "--to", "seeds")
    assert done.returncode == 0, done.stdout
    warehouse = Warehouse(tmp_path / "home" / "warehouse.duckdb")
    assert warehouse.rows("generated_instructions") == [] and len(warehouse.read_passed("seeds", "boats")) == 12
