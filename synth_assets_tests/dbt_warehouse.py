"""A small warehouse of two domains, hostile texts included, with the dbt project built over it: once per test session."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from synth_assets.accounts import Outcome, Row
from synth_assets.identity import row_id
from synth_assets.schemas import BY_NAME, TEACHER_CALLS
from synth_assets.warehouse import Warehouse

PROJECT = Path(__file__).parents[1] / "dbt_quality"

SCRIPT = "<script>alert('x')</script>"
MARKDOWN = '[click](javascript:alert(1)) "quoted" **bold** {{ 7 * 7 }}'
CHINESE = "请解释 2+2 为什么等于 4。"


_VALUES: dict[str, Any] = {
    "VARCHAR": "text",
    "INTEGER": 3,
    "DOUBLE": 0.25,
    "BOOLEAN": True,
    "VARCHAR[]": ["one", "two"],
    "STRUCT(role VARCHAR, content VARCHAR)[]": [{"role": "user", "content": "What is 2 + 2?"}],
}


def full_row(table: str, **values: Any) -> Row:
    """A row with a value in every column."""
    return {c.name: _VALUES[c.type] for c in BY_NAME[table].columns} | values


def built_warehouse(factory: pytest.TempPathFactory) -> Path:
    """Folder with `warehouse.duckdb` and dbt's `target`; the workers of one pytest-xdist session share it."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "dbt_quality"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "build.lock"):
        if not (folder / "dbt.log").exists():
            fill(Warehouse(folder / "warehouse.duckdb"))
            (folder / "dbt.log").write_text(run_dbt(folder, "build"), encoding="utf-8")
    return folder


def run_dbt(folder: Path, *arguments: str) -> str:
    """What dbt printed about the warehouse in `folder`; its artifacts stay there too."""
    env = os.environ | {"SYNTH_WAREHOUSE": str(folder / "warehouse.duckdb"), "DBT_TARGET_PATH": str(folder / "target"), "DBT_PROFILES_DIR": str(PROJECT)}
    command = [str(Path(sys.executable).with_name("dbt")), "--log-level-file=none", *arguments, "--project-dir", str(PROJECT)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fill(warehouse: Warehouse) -> None:
    """Two domains on their way from seeds to a release."""
    for stage, outcome in math().items():
        warehouse.commit_stage(stage, "math", outcome, run_id="run-1", metrics={"distinct_1": 0.5}, calls=CALLS, extra=hits(stage))
        warehouse.mark_checked(stage, "math", "run-1", stage != "preference_pairs", RESULTS if stage == "seeds" else ())
    warehouse.commit_stage("filtered", "math", math()["filtered"], run_id="run-2", metrics={"distinct_1": 0.25}, extra=hits("filtered"))
    warehouse.commit_stage("seeds", "chat", Outcome(planned=1, kept=[_row("seeds", "chat", 0, topic="你好")]), run_id="run-1")
    warehouse.commit_stage("filtered", "chat", Outcome(planned=1, kept=[_row("filtered", "chat", 0, topic="你好", kind="sft", prompt=CHINESE)]), run_id="run-1")
    items = [full_row("benchmarks", benchmark="sums", item_id=str(n), part=part) for n in range(4) for part in ("prompt", "answer")]
    warehouse.replace_table("benchmarks", items, run_id="run-1")
    mixed = math()["mixed"].kept
    released = [{**full_row("release", id=f"released-{n}", domain="math", kind="sft", split="train"), "mixed_id": mixed[n]["id"]} for n in range(2)]
    warehouse.commit_whole("release", {"math": _outcome(released)}, run_id="run-1")
    warehouse.mark_checked("release", "", "run-1", True)
    warehouse.append("reviews", REVIEWS)


RESULTS: list[Row] = [
    {"check_name": name, "kind": kind, "blocking": blocking, "passed": blocking, "expected": "x", "seen": "y", "unexpected_count": 0, "error": ""}
    | {"row_ids": [] if blocking else ["row"]}
    for name, kind, blocking in (("ids_unique", "structure", True), ("topics_covered", "quality", False))
]


CALLS: list[Row] = [
    full_row(TEACHER_CALLS.name, key=key, attempt=attempt, input_tokens=tokens, output_tokens=10, cost_usd=cost, paid_at="2026-01-01T00:00:00+00:00")
    for key, attempt, tokens, cost in (("shared", 1, 100, 0.5), ("shared", 2, 100, None), ("own", 1, 40, 0.25), ("unused", 1, 7, 1.0))
]


REVIEWS: list[Row] = [
    {**full_row("reviews", domain="math", content_key=key, row_id=f"row-{key}", verdict=verdict, reason=reason, undoes=""), "reviewed_at": f"2026-01-0{n}"}
    for n, (key, verdict, reason) in enumerate((("a", "reject", "private_data"), ("b", "fix", "unsafe"), ("c", "accept", ""), ("d", "fix", None)), 1)
]


def hits(stage: str) -> dict[str, list[Row]]:
    """Two matches of one row and one of another, in filtered."""
    if stage != "filtered":
        return {}
    found = (("a", "1", "prompt"), ("a", "2", "prompt"), ("b", "1", "answer"))
    shared = {"benchmark": "sums", "item_part": "prompt", "rule": "exact", "ngram": "two plus two", "score": 1.0}
    return {"contamination_hits": [{"row_id": row, "item_id": item, "part": part, **shared} for row, item, part in found]}


def math() -> dict[str, Outcome]:
    """The outcome of every stage of the domain `math`."""
    topics = ("algebra", "algebra", "geometry", "fractions")
    filtered = [
        _row("filtered", "math", 0, topic="algebra", kind="sft", prompt=f"Add 2 {SCRIPT}", response="<img src=x onerror=alert(2)>", rejected=None),
        _row("filtered", "math", 1, topic="algebra", kind="sft", prompt=f"Add 2 {SCRIPT}", response=MARKDOWN, rejected=None),
        _row("filtered", "math", 2, topic="geometry", kind="sft", prompt="Add 2, then double it.", response="long " * 1000, rejected=None),
        _row("filtered", "math", 3, topic="untold", kind="preference", prompt="Is 7 prime?", response="Yes.", rejected="No.\u202e reversed"),
    ]
    return {
        "seeds": _outcome([_row("seeds", "math", n, topic=topic) for n, topic in enumerate(topics)]),
        "generated_instructions": _generated(),
        "evolved_instructions": _evolved(),
        "teacher_responses": _outcome([_row("teacher_responses", "math", n, method="distill") for n in range(2)]),
        "preference_pairs": _outcome([_row("preference_pairs", "math", 0, method="constitutional")]),
        "real_data": _outcome([_row("real_data", "math", 0, topic="geometry", kind="sft")]),
        "filtered": _rejecting(_outcome(filtered), {"both": ("too_short", "refusal"), "one": ("refusal",)}),
        "spot_check": _outcome([_row("spot_check", "math", 0, purpose="gate", verdict=None)]),
        "mixed": _outcome(_mixed()),
    }


def _generated() -> Outcome:
    outcome = _rejecting(_outcome([_row("generated_instructions", "math", 0, method="magpie")]), {"short": ("too_short",)})
    outcome.planned, outcome.surplus = 3, [{"id": "beyond", "instruction": "One more."}]
    outcome.use("short", ["shared"])
    return outcome


def _evolved() -> Outcome:
    rows = [_row("evolved_instructions", "math", n, operation=operation, round=n) for n, operation in enumerate(("none", "deepen", "breadth"))]
    outcome = _rejecting(_outcome(rows), {"leak": ("leak", "unchanged")}, round=1, operation="deepen")
    outcome.use(rows[0]["id"], ["shared", "own"])
    outcome.use(rows[1]["id"], ["shared"])
    return outcome


def _mixed() -> list[Row]:
    said = [{"role": "user", "content": "Add 2 and 2."}, {"role": "assistant", "content": "4"}]
    common = {"messages": said, "chosen": None, "rejected": None, "kind": "sft", "license": "CC0-1.0", "source": "<b>ours</b>"}
    rows = [_row("mixed", "math", n, topic="algebra", origin="synthetic", **common) for n in range(3)]
    return [*rows, _row("mixed", "math", 3, topic="geometry", origin="real", **{**common, "messages": [{"role": "user", "content": CHINESE}]})]


def _row(stage: str, domain: str, number: int, **values: object) -> Row:
    return full_row(stage, id=row_id(domain, stage, number), domain=domain, **values)


def _outcome(kept: list[Row]) -> Outcome:
    return Outcome(planned=len(kept), kept=kept)


def _rejecting(outcome: Outcome, rules: dict[str, tuple[str, ...]], **values: object) -> Outcome:
    for name, broken in rules.items():
        outcome.planned += 1
        for rule in broken:
            outcome.reject(
                {"id": name, "instruction": SCRIPT, "response": MARKDOWN, "method": "evol", **values}, rule, score=0.5, evidence=f"{SCRIPT} *{rule}*"
            )
    return outcome
