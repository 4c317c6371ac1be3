"""`synth-assets run` over the whole graph: what came out, again, stopped half way, and with broken input."""

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pandas
import pytest

from synth_assets.lineage import COLUMNS
from synth_assets.release.provenance import trace
from synth_assets.warehouse import Warehouse
from synth_assets_tests.graph.conftest import Made
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


def test_why_tells_of_every_row_whatever_became_of_it(made: Made) -> None:
    tables = stored(made.home)
    warehouse = Warehouse(made.home / "warehouse.duckdb")
    seeds = {row["id"] for row in tables["seeds"]}
    found = {row["id"]: "released" for row in tables["release"]}
    found |= {row["row_id"]: row["rule"] for row in tables["rejections"]} | {row["row_id"]: "surplus" for row in tables["surplus"]}
    paid = {row["key"] for row in tables["teacher_calls"]}
    reached: set[str] = set()
    with warehouse.read():
        for wanted, fate in found.items():
            tree = trace(warehouse.query, made.home / "ledger.sqlite", wanted)
            asked = next(step for step in tree.steps if step.asked)
            assert fate in {"released", asked.fate, *(r["rule"] for r in asked.rejections)}, wanted
            ids = {step.row_id for step in tree.steps}
            assert all(set(step.parents) <= ids for step in tree.steps), wanted
            magpie = any(step.row.get("method") == "magpie" for step in tree.steps)
            person = tree.steps[0].stage == "real_data"
            assert magpie or person or ids & seeds, wanted
            assert all(call["request"] and (call["text"] or call["thinking"] or call["stop_reason"]) for step in tree.steps for call in step.calls), wanted
            reached |= {call["key"] for step in tree.steps for call in step.calls}
    # Behind every call that was paid stands a row that says so, but for rows that were kept and went no further.
    assert reached <= paid and len(reached) > 0.5 * len(paid)


def test_why_by_the_command_line_knows_the_checks(made: Made) -> None:
    rejected = stored(made.home)["rejections"][0]
    env = environment(made.home, made.domains, made.api.url)
    data = json.loads(synth_assets(env, "why", rejected["row_id"], "--json").stdout)
    checks = {check["check"]: check["passed"] for step in data["steps"] for check in step["checks"]}
    assert checks["ids_unique"] is True and len(checks) > 5
    shown = synth_assets(env, "why", rejected["row_id"])
    assert shown.returncode == 0 and f"rejected by {rejected['rule']}" in shown.stdout


def test_column_lineage_is_recorded_for_the_ui(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    import dagster as dg

    monkeypatch.setenv("DAGSTER_HOME", str(made.home / "dagster"))
    with dg.DagsterInstance.get() as instance:
        for stage in COLUMNS:
            event = instance.get_latest_materialization_event(dg.AssetKey(stage))
            assert event is not None and event.asset_materialization is not None
            lineage = event.asset_materialization.metadata["dagster/column_lineage"].value
            assert isinstance(lineage, dg.TableColumnLineage)
            found = {column: {f"{d.asset_key.to_user_string()}.{d.column_name}" for d in deps} for column, deps in lineage.deps_by_column.items()}
            assert found == {column: set(above) for column, above in COLUMNS[stage].items()}


def test_a_release_has_its_recipe_and_report_and_is_remixed_without_the_teacher(made: Made, tmp_path: Path) -> None:
    version = (made.home / "release" / "latest").read_text().strip()
    folder = made.home / "release" / version
    assert (folder / "recipe" / "domains" / "boats.yaml").read_text() == (made.domains / "boats.yaml").read_text()
    report = (folder / "quality_report.html").read_text()
    assert version in report and "reward_floor" in report
    home, domains = shutil.copytree(made.home, tmp_path / "home"), write_domain(tmp_path / "domains", mix={"synthetic_share": 0.9, "weight": 2})
    write_domain(domains, "never_run")
    asked = len(made.api.calls)
    env = environment(home, domains, made.api.url)
    done = synth_assets(env, "release", "make", "--remix", "--order", "curriculum", "--form", "sharegpt")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(made.api.calls) == asked
    newest = (home / "release" / "latest").read_text().strip()
    assert newest != version and (home / "release" / newest / "sharegpt" / "sft" / "train-00000.jsonl").is_file()
    mix = json.loads((home / "release" / newest / "release.json").read_text())["mix"]["boats"]
    rows = [row for row in Warehouse(home / "warehouse.duckdb").rows("mixed", "boats") if row["kind"] == "sft"]
    assert abs(mix["achieved"]["sft"]["rows"] - 0.9) <= 1 / len(rows) and mix["weight"] == 2
    compared = json.loads(synth_assets(env, "release", "diff", version, newest, "--json").stdout)
    assert compared["settings"]["order"] == ["mixed", "curriculum"] and compared["removed"]
    assert synth_assets(env, "release", "verify").returncode == 0


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
