"""One small domain in which every check of every stage passes: the ground in which the tests plant one defect each."""

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from synth_assets import schemas
from synth_assets.accounts import Row
from synth_assets.config import Domain, Methods, SpotCheck, Targets
from synth_assets.quality.sampling import content_key

if TYPE_CHECKING:
    import pandas

Tables = dict[str, list[Row]]

DOMAIN = Domain.model_validate(
    {
        "name": "harbour",
        "title": "Tides and knots",
        "language": "en",
        "seed": 3,
        "topics": [{"name": "tides", "description": "Water that comes and goes."}, {"name": "knots", "description": "Rope that holds."}],
        "seeds": {"path": "seeds.jsonl", "source": "authors", "license": "Apache-2.0"},
        "targets": {"sft": 8, "preference": 4},
        "methods": {
            "self_instruct": {"target": 4},
            "magpie": {"target": 2},
            "evol_instruct": {"rounds": 2},
            "reasoning": {"samples": 2},
            "constitutional": {"pairs": 4, "rounds": 2},
            "best_of_n": {"pairs": 1},
        },
        "gates": {"quality": "warn"},
        "spot_check": {"gate": 5, "audit": 2, "max_defect_rate": 0.8, "required": True},
        "real_data": [
            {"path": "real.jsonl", "kind": "sft", "source": "harbour archive", "license": "CC-BY-4.0"},
            {"path": "pairs.jsonl", "kind": "preference", "source": "harbour archive", "license": "CC-BY-4.0"},
        ],
        "benchmarks": [{"name": "pilots", "path": "pilots.jsonl"}],
    }
)

FREE_DOMAIN = DOMAIN.model_copy(
    update={"methods": Methods(), "targets": Targets(sft=1), "benchmarks": (), "spot_check": SpotCheck(gate=0, audit=0)},
)
"""A domain that asks for as little as can be asked for."""

SEEDS = [
    ("tides", "How many hours lie between two high waters?", "About twelve hours and twenty-five minutes pass from one high water to the next."),
    ("tides", "Explain why spring tides come twice a month.", "Sun and moon pull in one line at new and at full moon, and their pulls add up."),
    ("tides", "Name a coast with a very small tidal range.", "The Mediterranean near Sicily rises and falls by a few hand widths only."),
    ("knots", "Which knot makes a loop that does not slip?", "A bowline makes a fixed loop and can still be untied after a heavy load."),
    ("knots", "Describe how to tie a reef knot safely.", "Cross right over left and tuck, then left over right and tuck, and pull all four ends."),
    ("knots", "List two hitches for a wooden post.", "A clove hitch is quick to make, and two half hitches hold better when the rope moves."),
    ("knots", "Recommend a stopper for the end of a sheet.", "Tie a figure eight: it is bulky, easy to undo and does not jam in a block."),
]
GENERATED = [
    ("tides", "Compare the tides of an estuary with those of open sea.", "A funnel-shaped estuary squeezes the rising water, so its range is larger."),
    ("tides", "What does a tide table tell a skipper before leaving?", "It gives the times and heights of high and low water for one place and day."),
    ("tides", "Suggest a safe hour for walking across the mudflats.", "Start about two hours before low water and turn back once it has passed."),
    ("knots", "Why should a climber dress a figure eight neatly?", "Parallel strands share the load, and a partner can check the shape at a glance."),
    ("knots", "Give advice on joining ropes of unequal thickness.", "Use a double sheet bend, with the bight formed in the heavier line."),
    ("knots", "When would a sailor prefer splicing over knotting?", "A splice keeps nearly all of the strength, so it suits lines that stay in use."),
    ("tides", "Tell a beginner what neap water means.", "Around half moon the range is smallest, since sun and moon pull at right angles."),
]
EVOLVED = [
    "How many hours lie between two high waters, and why does this drift by nearly an hour each day?",
    "Explain for a school class why spring tides come twice a month, without using any figures at all.",
    "Which knot makes a loop that does not slip even when a wet rope is jerked again and again?",
    "Suggest how an expedition crossing frozen rivers might predict when floes begin to break.",
]
REAL = [
    ("tides", "sft", "What is slack water?", "The short time in which the stream neither floods nor ebbs.", None),
    ("knots", "sft", "Can a bowline come undone?", "Yes, a loose one may shake out, so leave a long tail or add a stopper.", None),
    ("knots", "preference", "How do I store a rope?", "Dry it, coil it loosely and hang it in the shade.", "Leave it wet in a bag."),
]
BENCHMARK = "Name the lights that a vessel at anchor shows at night, and how far they must be seen."
CRITIQUE = "It gives no reason."


def good() -> Tables:
    """Rows of every table, fresh."""
    tables: Tables = {name: [] for name in schemas.BY_NAME}
    tables["seeds"] = [
        _common(f"s{n}", topic) | {"instruction": asked, "input": "", "response": told, "answer": "12 h 25 min" if n == 0 else None}
        | {"source": "authors", "license": "Apache-2.0"}
        for n, (topic, asked, told) in enumerate(SEEDS)
    ]  # fmt: skip
    tables["generated_instructions"] = [
        _common(f"g{n}", topic) | {"instruction": asked, "input": "", "method": "magpie" if n in {2, 5} else "self_instruct"}
        | {"parent_ids": ["s0"], "batch": 0, "task_id": f"g{n}", "task_kind": None, "output": None} | _MADE
        for n, (topic, asked, _) in enumerate(GENERATED)
    ]  # fmt: skip
    tables["evolved_instructions"] = _evolved(tables)
    tables["teacher_responses"] = _responses(tables)
    tables["preference_pairs"] = _pairs(tables)
    tables["real_data"] = [
        _common(f"r{n}", topic) | {"kind": kind, "instruction": asked, "input": "", "response": told, "rejected": worse}
        | {"source": "harbour archive", "license": "CC-BY-4.0"}
        for n, (topic, kind, asked, told, worse) in enumerate(REAL)
    ]  # fmt: skip
    tables["filtered"] = _filtered(tables)
    tables["spot_check"] = [
        {"id": f"c{n}", "domain": DOMAIN.name, "row_id": f"f{n}", "content_key": f"k{n}", "purpose": purpose, "verdict": verdict}
        for n, (purpose, verdict) in enumerate([("gate", "accept")] * 4 + [("gate", "fix"), ("audit", None)])
    ]
    tables["mixed"] = _mixed(tables)
    tables["benchmarks"] = [
        {"benchmark": "harbour/pilots", "item_id": "p1", "part": "prompt", "text": BENCHMARK, "digest": "d"},
        {"benchmark": "other/pilots", "item_id": "p1", "part": "prompt", "text": SEEDS[0][1], "digest": "d"},
    ]
    tables["rejections"] = [
        {"domain": DOMAIN.name, "stage": "filtered", "row_id": "x1", "rule": "refusal", "score": None, "evidence": "", "row": "{}"},
        {"domain": DOMAIN.name, "stage": "generated_instructions", "row_id": "f0", "rule": "banned_word", "score": None, "evidence": "", "row": "{}"},
    ]
    refused = {"row_id": "gone", "domain": DOMAIN.name, "reviewer": "ann", "note": "", "corrected": "", "undoes": ""}
    tables["reviews"] = [
        refused | {"content_key": "of another row", "verdict": "reject", "reason": "wrong", "reviewed_at": "2026-01-01"},
        refused | {"content_key": content_key(tables["filtered"][0]), "verdict": "accept", "reason": None, "reviewed_at": "2026-01-02"},
    ]
    tables["stage_history"] = [_history(table.name, passed) for table in schemas.STAGES for passed in (True, False, None)]
    tables["stage_accounts"] = [_account(table.name, len(tables[table.name])) for table in schemas.STAGES]
    for table in schemas.STAGES:
        # A column that a good row has no value for is there all the same.
        for row in tables[table.name]:
            row |= {column.name: row.get(column.name) for column in table.columns}
    return tables


def frames(tables: Mapping[str, list[Row]]) -> "dict[str, pandas.DataFrame]":
    """The tables as frames, all columns of the schema present in every row that has not lost them."""
    import pandas as pd

    return {
        name: pd.DataFrame(deepcopy(rows)) if rows else pd.DataFrame(columns=[column.name for column in schemas.BY_NAME[name].columns])
        for name, rows in tables.items()
    }


_MADE: Row = {"model": "teacher", "prompt_version": "p@1", "call_keys": ["call"]}


def _common(identity: str, topic: str) -> Row:
    return {"id": identity, "domain": DOMAIN.name, "topic": topic, "language": "en"}


METRICS = {
    "kept": 100,
    "distinct_2_of_100": 0.8,
    "nearest_cosine_mean": 0.4,
    "topic_entropy": 0.9,
    "mean_words": 12.0,
    "mean_response_words": 40.0,
    "refusal_rate": 0.01,
    "reward_mean": 0.6,
    "margin_mean": 0.3,
    "acceptance_rate": 0.7,
    "cost_per_kept_row_usd": 0.002,
}
"""What both the newest materialization and the last one that passed have measured."""


def _history(stage: str, passed: bool | None) -> Row:
    """The last one that passed, a failed one after it that counts for nothing, and the newest, which is not checked yet."""
    number, metrics = {True: (1, METRICS), False: (2, {"kept": 100}), None: (3, METRICS)}[passed]
    made = {"run_id": f"run {number}", "data_version": "d", "passed": passed, "materialized_at": f"2026-01-0{number}"}
    return {"domain": DOMAIN.name, "stage": stage, **made, "metrics": json.dumps(metrics)}


def _account(stage: str, kept: int) -> Row:
    return {"domain": DOMAIN.name, "stage": stage, "planned": kept + 2, "candidates": kept + 2, "kept": kept, "rejected": 1, "surplus": 1}


def _evolved(tables: Tables) -> list[Row]:
    rows = []
    for row in [*tables["seeds"], *tables["generated_instructions"]]:
        own = _common(f"e{row['id']}", row["topic"])
        origin = {"method": row.get("method", "seed"), "operation": "none", "round": 0, "parent_id": row["id"], "root_id": own["id"]}
        rows.append(own | {"instruction": row["instruction"], "input": ""} | origin | {"answer": row.get("answer")} | _MADE)
    steps = [("es0", "es0", 1, "deepen"), ("es1", "es1", 1, "add_constraints"), ("es3", "es3", 1, "concretize"), ("v2", "es3", 2, "breadth")]
    for n, (parent, root, number, operation) in enumerate(steps):
        origin = {"method": "evol_instruct", "operation": operation, "round": number, "parent_id": parent, "root_id": root}
        rows.append(_common(f"v{n}", "tides" if n < 2 else "knots") | {"instruction": EVOLVED[n], "input": ""} | origin | {"answer": None} | _MADE)
    return rows


def _responses(tables: Tables) -> list[Row]:
    told = [text for _, _, text in (*SEEDS, *GENERATED)] + [f"{text} It depends on the place as well." for _, _, text in SEEDS[:4]]
    return [
        _common(f"t{n}", row["topic"])
        | {"instruction_id": row["id"], "method": "reasoning" if row["answer"] else "distill", "system": "", "prompt": row["instruction"], "sample": 0}
        | {"thinking": "The moon moves on while the earth turns." if row["answer"] else "", "response": text, "answer": row["answer"]}
        | {"verdict": "correct" if row["answer"] else "unverified", "pass_rate": 0.5 if row["answer"] else None, "stop_reason": "end_turn"}
        | _MADE
        for n, (row, text) in enumerate(zip(tables["evolved_instructions"], told, strict=True))
    ]


def _pairs(tables: Tables) -> list[Row]:
    return [
        _common(f"p{n}", row["topic"])
        | {"instruction_id": row["instruction_id"], "response_id": row["id"], "method": "constitutional", "prompt": row["prompt"]}
        | {"chosen": "Briefly: " + row["response"] if n % 2 else row["response"][: len(row["response"]) // 2] + ".", "rejected": row["response"]}
        | {
            "principle": ["Give reasons."],
            "critique": [CRITIQUE],
            "revisions": 1,
            "samples": None,
            "chosen_score": 0.7,
            "rejected_score": 0.4,
            "reward_version": "v1",
        }
        | _MADE
        for n, row in enumerate(tables["teacher_responses"][1:5])
    ]


def _filtered(tables: Tables) -> list[Row]:
    scores = {"reward_version": "v1", "rouge_l": 0.2, "jaccard": 0.0, "cosine": None, "contamination": 0.0, "model": "teacher", "parent_id": None}
    rows = [
        {"kind": "sft", "source_id": r["id"], "topic": r["topic"], "root_id": r["instruction_id"], "method": r["method"], "prompt": r["prompt"]}
        | {"response": r["response"], "rejected": None, "reward": 0.6, "reward_margin": None}
        for r in tables["teacher_responses"][:9]
    ]
    rows += [
        {"kind": "preference", "source_id": r["id"], "topic": r["topic"], "root_id": r["instruction_id"], "method": r["method"], "prompt": r["prompt"]}
        | {"response": r["chosen"], "rejected": r["rejected"], "reward": 0.7, "reward_margin": 0.3}
        for r in tables["preference_pairs"]
    ]
    return [_common(f"f{n}", row["topic"]) | {"system": ""} | row | scores for n, row in enumerate(rows)]


def _mixed(tables: Tables) -> list[Row]:
    rows: list[Row] = []
    for row in [*tables["filtered"], *tables["real_data"]]:
        real = "prompt" not in row
        asked = [_message("user", row["instruction"] if real else row["prompt"])]
        told = [_message("assistant", row["response"])]
        pair = row["kind"] == "preference"
        rows.append(
            _common(f"m{len(rows)}", row["topic"])
            | {"kind": row["kind"], "messages": asked if pair else asked + told}
            | {"chosen": told if pair else None, "rejected": [_message("assistant", row["rejected"])] if pair else None}
            | {"origin": "real" if real else "synthetic", "source_id": row["id"], "root_id": row["id"] if real else row["root_id"]}
            | {"method": "human" if real else row["method"], "source": "harbour archive" if real else "teacher", "license": "CC-BY-4.0"}
            | {"reward": None if real else row["reward"]}
        )
    return rows


def _message(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}
