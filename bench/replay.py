"""Real answers of real models, replayed by the double of the Messages API through the whole graph: do the gates keep more of a strong model's?

    python -m bench.replay FILE [--prompts 200] [MODEL]...     FILE: model_outputs_dev.jsonl.gz, rows with `instruction` and `outputs` by model

One run of `synth-assets run --to filtered` per model, each in a home of its own. The domain's seeds are the prompts, with the answers of one further
model, REFERENCE, as the responses that the reward is calibrated by; real rows are prompts that no run asks. Without a file there is nothing to replay.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from bench.measuring import lines, print_table
from synth_assets.warehouse import Warehouse
from synth_assets_tests.messages_api import Answer, Call, MessagesApi

REFERENCE = "claude-2"
MODELS = ("claude-3-5-sonnet-20240620", "Meta-Llama-3-70B-Instruct", "Meta-Llama-3-8B-Instruct", "gemma-2b-it", "falcon-7b-instruct", "oasst-sft-pythia-12b")
REAL = 20
LICENCE = {"source": "AlpacaEval", "license": "see its authors"}


def write_domain(folder: Path, rows: list[dict[str, object]]) -> None:
    """The domain `replay` over `rows`, the last of which are its real data."""
    (folder / "replay").mkdir(parents=True)
    settings = {
        "title": "Replayed answers", "language": "en", "topics": [{"name": "all", "description": "Whatever the prompts are about."}],
        "seeds": {"path": "replay/seeds.jsonl", **LICENCE}, "targets": {"sft": len(rows)}, "gates": {"quality": "warn"}, "spot_check": {"gate": 5, "audit": 0},
        "real_data": [{"path": "replay/real.jsonl", **LICENCE}],
    }  # fmt: skip
    (folder / "replay.yaml").write_text(json.dumps(settings), encoding="utf-8")
    for name, own in (("seeds", rows[:-REAL]), ("real", rows[-REAL:])):
        records = [{"topic": "all", "instruction": row["instruction"], "response": row["outputs"][REFERENCE]} for row in own]  # type: ignore[index]
        (folder / "replay" / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def run(model: str, rows: list[dict[str, object]], folder: Path) -> tuple[int, int, Counter[str], str]:
    """Answers asked, rows kept by `filtered`, what rejected the others, and the end of what the run said."""
    answers = {str(row["instruction"]).strip(): str(row["outputs"][model]) for row in rows}  # type: ignore[index]

    def replayed(call: Call) -> Answer:
        return Answer(answers[call.text.strip()])

    home = folder / model
    with MessagesApi(replayed) as api:
        ours = {"SYNTH_HOME": str(home), "SYNTH_DOMAINS": str(folder / "domains"), "SYNTH_TEACHER": model, "ANTHROPIC_BASE_URL": api.url}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SYNTH_", "ANTHROPIC_", "DAGSTER_"))}
        command = [sys.executable, "-m", "synth_assets.cli", "run", "--to", "filtered"]
        done = subprocess.run(command, env=kept | ours | {"ANTHROPIC_API_KEY": "replay"}, capture_output=True, text=True, check=False, timeout=900)
    warehouse = Warehouse(home / "warehouse.duckdb")
    found = warehouse.query("select distinct stage, row_id, rule from synth.rejections where stage in ('teacher_responses', 'filtered')")
    return len(answers), len(warehouse.rows("filtered")), Counter(row["rule"] for row in found), (done.stdout + done.stderr)[-400:]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--prompts", type=int, default=200)
    given = parser.parse_intermixed_args()
    if given.file is None:
        print("name a file of real answers to replay")
        return 0
    # Two prompts of the file that read alike would be two seeds of one text.
    rows = list({" ".join(str(row["instruction"]).casefold().split()): row for row in lines(given.file)}.values())
    rows = rows[:: max(1, len(rows) // (given.prompts + REAL))][: given.prompts + REAL]
    table = []
    with tempfile.TemporaryDirectory() as folder:
        write_domain(Path(folder) / "domains", rows)
        for model in given.models:
            asked, kept, rules, said = run(model, rows[:-REAL], Path(folder))
            table.append((model, asked, kept, f"{kept / asked:.1%}", ", ".join(f"{rule} {n}" for rule, n in rules.most_common(8)) or said.replace("\n", " ")))
            print(table[-1], flush=True)
    print_table(
        f"Answers of {len(rows) - REAL} prompts that survive every gate",
        ("model", "asked", "kept", "share", "rejected by rule (a row may break several)"),
        table,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
