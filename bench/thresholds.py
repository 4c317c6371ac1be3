"""What the default thresholds make of good and of bad data: the figure of every quality check on both, and whether it passes.

    python -m bench.thresholds [FOLDER]    with alpaca_52k.jsonl.gz and model_outputs_dev.jsonl.gz

Good rows are Alpaca's, cleaned as the gates would, and the answers of the strongest model; bad ones are the weakest model's answers, and what
goes wrong in practice: answers cut off or in another language, templates with a changed number, one topic for all, pairs that only differ in length.
"""

import random
import tempfile
from pathlib import Path
from typing import Any

from bench.checks import DOMAIN, TOPICS, tables
from bench.measuring import Row, alpaca, folder, lines, print_table
from synth_assets import schemas
from synth_assets.accounts import Outcome
from synth_assets.expectations.catalogue import CATALOGUE
from synth_assets.expectations.validation import CheckResult, validate
from synth_assets.quality.near_duplicates import rouge_l_survivors
from synth_assets.quality.rules import check_row
from synth_assets.quality.words import words
from synth_assets.warehouse import Warehouse

ROWS = 2_000
STRONG, WEAK = "claude-3-5-sonnet-20240620", "falcon-7b-instruct"


def clean(rows: list[Row]) -> list[Row]:
    """Rows without a broken rule and without near-duplicate prompts: what the gates let pass."""
    passed = [row for row in rows if not check_row(row[1], row[2], language="en", rules=DOMAIN.gates.rules)]
    return [passed[place] for place in rouge_l_survivors([words(prompt) for _, prompt, _ in passed], 0.7).kept]


def checked(made: dict[str, list[dict[str, Any]]], planned: float = 1.2) -> dict[tuple[str, str], CheckResult]:
    """Results of the quality checks of all stages."""
    found = {}
    with tempfile.TemporaryDirectory() as place:
        warehouse = Warehouse(Path(place) / "warehouse.duckdb")
        for stage, rows in made.items():
            out = Outcome(planned=len(rows), kept=rows)
            for n in range(int(len(rows) * (planned - 1))):
                out.planned += 1
                out.reject({"id": f"rejected {n}"}, "refusal")
            warehouse.commit_stage(stage, "bench", out, run_id="run")
        facts = {table.name: warehouse.frame(table.name, "bench" if any(c.name == "domain" for c in table.columns) else None) for table in schemas.TABLES}
        for stage in CATALOGUE:
            found |= {(stage, result.name): result for result in validate(stage, facts[stage], DOMAIN, facts) if result.kind == "quality"}
    return found


def with_domain(rows: list[Row], **changes: Any) -> dict[str, list[dict[str, Any]]]:
    """Tables of `rows` with reference answers on a tenth, and values changed by table."""
    made = tables(rows)
    for n, (asked, told) in enumerate(zip(made["evolved_instructions"], made["teacher_responses"], strict=True)):
        if n % 10 == 0:
            asked["answer"], told["answer"], told["verdict"] = "1", "1", changes.get("verdict", "correct")
    for n, pair in enumerate(made["preference_pairs"]):
        if n % 3 == 0 and not changes.get("longer"):
            pair["chosen"], pair["rejected"] = pair["rejected"], pair["chosen"]
        if changes.get("no_margin"):
            pair["chosen_score"] = pair["rejected_score"]
    if topic := changes.get("topic"):
        for rows_of in made.values():
            for n, row in enumerate(rows_of):
                if "topic" in row:
                    row["topic"] = topic if n % 20 else TOPICS[1]
    return made


def outputs(model: str) -> list[Row]:
    data = folder()
    assert data is not None, "name the folder of data"
    return [(str(n), str(row["instruction"]), str(row["outputs"][model])) for n, row in enumerate(lines(data / "model_outputs_dev.jsonl.gz"))]  # type: ignore[index]


def main() -> None:
    draw = random.Random(1)
    rows = alpaca()
    draw.shuffle(rows)
    good = clean(rows[: ROWS * 2])[:ROWS]
    template = [(i, f"What is {draw.randint(1, 99)} times {draw.randint(1, 99)}, written out as a word?", told) for i, _, told in good]
    german = [(i, asked, "Das Wasser steigt sechs Stunden lang und fällt danach wieder." if n % 8 == 0 else told) for n, (i, asked, told) in enumerate(good)]
    refusing = [(i, asked, "I'm sorry, but I can't help with that request." if n % 8 == 0 else told) for n, (i, asked, told) in enumerate(good)]
    leaking = [(i, asked, told + "<|im_end|>" if n % 20 == 0 else told) for n, (i, asked, told) in enumerate(good)]
    sets = {
        "Alpaca, clean": checked(with_domain(good)),
        f"{STRONG}, clean": checked(with_domain(clean(outputs(STRONG)))),
        f"{WEAK}, as it is": checked(with_domain(outputs(WEAK))),
        "most rejected": checked(with_domain(good[:200]), planned=12),
        "templates": checked(with_domain(template)),
        "one topic": checked(with_domain(good, topic=TOPICS[0])),
        "an eighth German": checked(with_domain(german)),
        "an eighth refuses": checked(with_domain(refusing)),
        "a 20th leaks": checked(with_domain(leaking)),
        "unverified": checked(with_domain(good, verdict="unverified")),
        "pairs by length": checked(with_domain(good, longer=True)),
        "no margins": checked(with_domain(good, no_margin=True)),
    }
    checks = list(next(iter(sets.values())))
    head = ("stage", "check", "threshold", *sets)
    threshold = {(stage, c.name): c.expect.threshold(DOMAIN) for stage, suite in CATALOGUE.items() for c in suite.checks}
    body = [(*place, threshold[place], *(f"{'' if found[place].passed else 'FAILS '}{found[place].seen}" for found in sets.values())) for place in checks]
    print_table("Quality checks: what was seen, FAILS where it does not pass", head, body)


if __name__ == "__main__":
    main()
