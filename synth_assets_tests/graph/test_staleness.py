"""What a change makes stale, and what it costs to make fresh again: the table of the README, change by change, on the real graph."""

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from synth_assets.defs import stage
from synth_assets.defs.stage import code_version
from synth_assets.methods import constitutional, distillation, elimination, evol_instruct, instruction_pool, magpie, reasoning, self_instruct
from synth_assets.quality import gates, rules
from synth_assets.slices import ELSEWHERE, SLICES
from synth_assets.warehouse import Warehouse
from synth_assets_tests.graph.conftest import Made
from synth_assets_tests.graph.orchestra import Orchestra
from synth_assets_tests.graph.test_run import BALANCE
from synth_assets_tests.graph.world import METHODS, write_domain

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

REAL = {"source": "curated", "license": "curated"}
CHANGES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "nothing": ({}, set()),
    "when it runs": ({"schedule": {"cron": "5 4 * * *", "timezone": "Asia/Shanghai"}}, set()),
    "what it may spend": ({"budget_usd": 3.0}, set()),
    "its description": ({"description": "Rowing and sailing."}, set()),
    "a gate's threshold": ({"gates": {"quality": "warn", "reward": {"floor": 0.01}}}, {"filtered", "spot_check"}),
    "a limit of near-duplicates": ({"gates": {"quality": "warn", "near_duplicates": {"cosine": 0.9}}}, {"filtered", "spot_check", "mixed"}),
    "a rule": ({"gates": {"quality": "warn", "rules": {"max_response_words": 900}}}, {"seeds", "generated_instructions", "filtered", "spot_check"}),
    "decontamination": ({"gates": {"quality": "warn", "decontamination": {"coverage": 0.4}}}, {"real_data", "filtered", "spot_check"}),
    "a target": ({"targets": {"sft": 30, "preference": 8}}, {"filtered"}),
    "a benchmark": ({"benchmarks": [{"name": "held-out", "path": "boats/heldout.jsonl"}, {"name": "more", "path": "boats/more.jsonl"}]}, {"benchmarks"}),
    "the spot check": ({"spot_check": {"gate": 6, "audit": 2}}, {"spot_check"}),
    "the mix": ({"mix": {"synthetic_share": 0.75}}, {"mixed"}),
    "a principle": ({"principles": ["Name the risk first."]}, {"preference_pairs"}),
    "revision": ({"methods": METHODS | {"constitutional": {"pairs": 4}}}, {"preference_pairs"}),
    "reasoning": ({"methods": METHODS | {"reasoning": {"samples": 3}}}, {"teacher_responses"}),
    "evolution": ({"methods": METHODS | {"evol_instruct": {"rounds": 1, "roots": 4}}}, {"evolved_instructions"}),
    "self-instruct": ({"methods": METHODS | {"self_instruct": METHODS["self_instruct"] | {"target": 5}}}, {"generated_instructions"}),
    "real data": (
        {"real_data": [{"path": "boats/real.jsonl", **REAL, "source": "archive"}, {"path": "boats/pairs.jsonl", "kind": "preference", **REAL}]},
        {"real_data"},
    ),
    "what quality does": ({"gates": {"quality": "block"}}, {stage for stage in SLICES if stage not in {"benchmarks", "release"}}),
}
"""A change in the domain's file, and the stages that it makes stale at once; those after them follow if their rows changed. The release, which holds
the files, is stale after any of them."""

FREE = ("a gate's threshold", "a limit of near-duplicates", "a benchmark", "the mix", "the spot check")
"""Changes after which the whole graph is made again without the teacher."""


@pytest.fixture(scope="module")
def copy(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Made:
    own = made.copy(tmp_path_factory.mktemp("staleness"))
    (own.domains / "boats" / "more.jsonl").write_text(
        json.dumps({"id": "m1", "prompt": "Which knot binds a sail to a spar so that it never slips away?"}) + "\n"
    )
    return own


@pytest.fixture(scope="module")
def orchestra(copy: Made) -> Iterator[Orchestra]:
    with Orchestra(copy.env()) as found:
        yield found


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_makes_stale_exactly_the_stages_that_it_affects(copy: Made, orchestra: Orchestra, change: str) -> None:
    settings, stale = CHANGES[change]
    write_domain(copy.domains, **settings)
    assert orchestra.call("materialize", "boats", [f"settings/{table}" for table in SLICES])["success"]
    found = orchestra.call("stale", "boats")
    assert set(found) - {"release"} == stale
    assert ("release" in found) == (change != "nothing")
    assert all(found[table] == [f"settings/{table}"] for table in stale)


def test_thresholds_benchmarks_and_the_mix_are_applied_anew_without_the_teacher(copy: Made, orchestra: Orchestra) -> None:
    settings: dict[str, Any] = {}
    for change in FREE:
        settings |= CHANGES[change][0]
    write_domain(copy.domains, **settings)
    orchestra.call("record")
    asked, before = len(copy.api.calls), Warehouse(copy.home / "warehouse.duckdb").rows("teacher_calls")
    done = orchestra.call("materialize", "boats", [])
    assert done["success"], done["failed"]
    assert len(copy.api.calls) == asked
    warehouse = Warehouse(copy.home / "warehouse.duckdb")
    assert warehouse.rows("teacher_calls") == before and warehouse.query(BALANCE) == []
    assert {row["benchmark"] for row in warehouse.rows("benchmarks")} == {"boats/held-out", "boats/more"}
    assert set(orchestra.call("stale", "boats")) <= {"release"}
    # What a stage and its checks read is in their slice: otherwise a change of it would go unnoticed.
    missed = set()
    for step, path in orchestra.call("read"):
        table = step.removesuffix("_checks")
        known = (*SLICES[table].settings, *ELSEWHERE, *SLICES[table].files) if table in SLICES else ()
        # What methods were to make is compared with what the gates kept: a figure of the run, and of no row.
        if table == "filtered" and path.startswith("methods."):
            continue
        if table in SLICES and not any(path == name or path.startswith(f"{name}.") for name in known):
            missed.add((table, path))
    assert missed == set()


TEMPLATES = {
    "self_instruct": {"generated_instructions"},
    "magpie": {"generated_instructions"},
    "evolve_judge": {"evolved_instructions"},
    "distill_small": {"evolved_instructions", "teacher_responses"},
    "system_messages": {"evolved_instructions", "teacher_responses"},
    "reasoning": {"teacher_responses"},
    "critique": {"preference_pairs"},
    "revision": {"preference_pairs"},
    "principles": {"preference_pairs"},
}
"""A shipped template, and the stages whose code version it changes."""


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_changed_template_changes_the_code_version_of_its_stages(template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = {
        "generated_instructions": (self_instruct, magpie, instruction_pool),
        "evolved_instructions": (evol_instruct, elimination, distillation),
        "teacher_responses": (distillation, reasoning),
        "preference_pairs": (constitutional,),
        "filtered": (gates, rules),
    }
    before = {name: code_version(*found) for name, found in modules.items()}
    for language in ("en", "zh"):
        (tmp_path / language).mkdir()
        for file in (files("synth_assets.prompts") / language).iterdir():
            (tmp_path / language / file.name).write_bytes(file.read_bytes() + (b"\n# changed\n" if file.name == f"{template}.yaml" else b""))
    monkeypatch.setattr(stage, "files", lambda package: tmp_path if package == "synth_assets.prompts" else files(package))
    after = {name: code_version(*found) for name, found in modules.items()}
    assert {name for name in modules if before[name] != after[name]} == TEMPLATES[template]
