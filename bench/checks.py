"""Every check of one domain at 50,000 rows a stage: seconds per stage, reading the warehouse included.

    python -m bench.checks [FOLDER] [--rows N] [--profile]    a folder of data as for planted.py

All tables hold N rows (seeds 1,000), made of Alpaca's texts where there are any. The first table is of a process that has compiled nothing and
imported nothing; the figure to look at is the second round's.
"""

import cProfile
import pstats
import sys
import tempfile
import time
from pathlib import Path

from bench.measuring import Row, alpaca, items, print_table
from synth_assets import schemas
from synth_assets.accounts import Outcome
from synth_assets.config import Domain
from synth_assets.expectations.catalogue import CATALOGUE
from synth_assets.expectations.validation import validate
from synth_assets.warehouse import Warehouse

TOPICS = [f"topic_{n}" for n in range(10)]
DOMAIN = Domain.model_validate(
    {
        "name": "bench",
        "title": "Rows to measure on",
        "language": "en",
        "topics": [{"name": name, "description": "One of ten."} for name in TOPICS],
        "seeds": {"path": "seeds.jsonl", "source": "bench", "license": "MIT"},
        "targets": {"sft": 1, "preference": 1},
        "methods": {"self_instruct": {"target": 1}, "evol_instruct": {"rounds": 4}, "reasoning": {"samples": 2}, "constitutional": {"pairs": 1}},
        "mix": {"synthetic_share": 0.8},
        "real_data": [{"path": f"{kind}.jsonl", "kind": kind, "source": "bench", "license": "MIT"} for kind in ("sft", "preference")],
        "benchmarks": [{"name": "held", "path": "held.jsonl"}],
    }
)
MADE = {"model": "m", "prompt_version": "p", "call_keys": ["k"]}


def tables(rows: list[Row]) -> dict[str, list[dict[str, object]]]:
    """Rows of every stage, made of (id, prompt, response)."""
    shared = [{"id": i, "domain": "bench", "topic": TOPICS[n % 10], "language": "en"} for n, (i, _, _) in enumerate(rows)]
    written = {"source": "bench", "license": "MIT"}
    made: dict[str, list[dict[str, object]]] = {name: [] for name in CATALOGUE}
    for n, (common, (i, prompt, response)) in enumerate(zip(shared, rows, strict=True)):
        asked = {"instruction": prompt, "input": ""}
        kind = "preference" if n % 5 == 0 else "sft"
        worse = response[: len(response) // 2] + "."
        if n < 1000:
            made["seeds"].append(common | asked | {"response": response, "answer": None} | written)
        made["generated_instructions"].append(common | asked | {"method": "self_instruct", "parent_ids": ["0"], "batch": 0} | MADE)
        made["evolved_instructions"].append(
            common
            | asked
            | {
                "method": "evol_instruct",
                "operation": "deepen" if n % 2 else "none",
                "round": n % 2,
                "parent_id": rows[n - n % 2][0],
                "root_id": rows[n - n % 2][0],
                "answer": None,
            }
            | MADE
        )
        made["teacher_responses"].append(
            common
            | {"instruction_id": i, "method": "distill", "system": "", "prompt": prompt, "sample": 0, "thinking": "", "response": response, "answer": None}
            | {"verdict": "unverified", "pass_rate": None, "stop_reason": "end_turn"}
            | MADE
        )
        made["preference_pairs"].append(
            common
            | {"instruction_id": i, "response_id": i, "method": "constitutional", "prompt": prompt, "chosen": response, "rejected": worse, "principle": ["p"]}
            | {"critique": ["c"], "revisions": 1, "chosen_score": 0.7, "rejected_score": 0.4, "reward_version": "v"}
            | MADE
        )
        made["real_data"].append(common | asked | {"kind": "sft", "response": response, "rejected": None} | written)
        made["filtered"].append(
            common
            | {"kind": kind, "source_id": i, "root_id": i, "method": "distill", "system": "", "prompt": prompt, "response": response}
            | {"rejected": worse if kind == "preference" else None, "reward": 0.6, "reward_version": "v", "reward_margin": 0.3, "rouge_l": 0.2, "jaccard": 0.0}
            | {"cosine": None, "contamination": 0.0, "model": "m", "parent_id": None}
        )
        if n < 100:
            made["spot_check"].append({"id": i, "domain": "bench", "row_id": i, "content_key": i, "purpose": "gate", "verdict": None})
        turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        made["mixed"].append(
            common
            | {
                "kind": "sft",
                "messages": turns,
                "chosen": None,
                "rejected": None,
                "origin": "real" if n % 5 == 0 else "synthetic",
                "source_id": i,
                "root_id": i,
            }
            | {"method": "distill", "reward": 0.6}
            | written
        )
    return made


def main() -> None:
    count = int(sys.argv[sys.argv.index("--rows") + 1]) if "--rows" in sys.argv else 50_000
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Warehouse(Path(folder) / "warehouse.duckdb")
        # No name holds the rows: they are more objects than a step's process ever has, and each collection of garbage would go through them.
        for stage, rows in tables(alpaca(count)).items():
            warehouse.commit_stage(stage, "bench", Outcome(planned=len(rows), kept=rows), run_id="run")
        del rows
        held = [{"benchmark": "bench/held", "item_id": f"{i.benchmark} {i.item_id}", "part": i.part, "text": i.text, "digest": ""} for i in items()]
        warehouse.replace_table("benchmarks", held, run_id="run")
        profile = cProfile.Profile() if "--profile" in sys.argv else None
        for number in (1, 2):
            took = []
            for stage, suite in CATALOGUE.items():
                if profile and number == 2:
                    profile.enable()
                started = time.perf_counter()
                with warehouse.read():
                    facts = {
                        name: warehouse.frame(name, "bench" if any(c.name == "domain" for c in schemas.BY_NAME[name].columns) else None, columns)
                        for name, columns in suite.inputs.items()
                    }
                    frame = warehouse.frame(stage, "bench")
                read = time.perf_counter() - started
                results = validate(stage, frame, DOMAIN, facts)
                seconds = time.perf_counter() - started
                if profile:
                    profile.disable()
                failed = [f"{r.name} ({r.unexpected_count})" + (f": {r.error}" if r.error else "") for r in results if not r.passed]
                took.append((stage, len(frame), len(results), f"{read:.2f}", f"{seconds:.2f}", ", ".join(failed)))
            total = sum(float(row[4]) for row in took)
            print_table(f"round {number}: {total:.1f} s in all", ("stage", "rows", "checks", "read s", "all s", "failed"), took)
        if profile:
            pstats.Stats(profile).sort_stats("cumulative").print_stats(45)


if __name__ == "__main__":
    main()
