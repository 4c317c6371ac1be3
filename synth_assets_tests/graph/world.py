"""A domain of the test's own and a teacher that answers by content, for running the whole graph as its user does: by the command line.

The teacher is the double of the Messages API with llama.cpp's raw-prompt routes; its answers are good enough to pass the gates, and
some of them are bad on purpose.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synth_assets.identity import digest
from synth_assets.warehouse import Warehouse
from synth_assets_tests.messages_api import Answer, Call

TOPICS = ("sail", "oars", "ropes")
_VERBS = ("Describe", "Compare", "Explain", "List", "Judge", "Sketch in words", "Name", "Rank")
_THINGS = (
    "the strain on a mast in a gale", "a wooden blade and a carbon one", "why a bowline holds and never jams", "four faults of an old halyard",
    "whether a child may scull alone", "the way a crew divides its work at night", "materials that rot in salt water", "three anchors by weight",
    "a rudder seen from below", "how tides mislead a beginner", "signals given with a lamp", "a repair with canvas and tar",
    "what barnacles do to speed", "the smell of a bilge and its causes", "lines that should be replaced each year", "harbours without a chart",
)  # fmt: skip


METHODS: dict[str, Any] = {
    "self_instruct": {"target": 6, "batch": 4, "human_examples": 2, "machine_examples": 1, "instances": 2},
    "magpie": {"target": 2, "batch": 2},
    "evol_instruct": {"rounds": 2, "roots": 4},
    "reasoning": {"samples": 2},
    "constitutional": {"pairs": 6},
    "best_of_n": {"pairs": 4, "samples": 3},
}
"""Of the domain below: every method there is."""


def write_domain(folder: Path, name: str = "boats", **changes: Any) -> Path:
    """A small English domain with every method in it."""
    files = folder / name
    files.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {
        "title": "Small boats",
        "language": "en",
        "topics": [{"name": t, "description": f"All about {t}."} for t in TOPICS],
        "seeds": {"path": f"{name}/seeds.jsonl", "source": "the tests", "license": "CC0-1.0"},
        "targets": {"sft": 40, "preference": 8},
        "methods": METHODS,
        "gates": {"quality": "warn"},
        "spot_check": {"gate": 5, "audit": 2},
        "real_data": [
            {"path": f"{name}/real.jsonl", "source": "curated", "license": "curated"},
            {"path": f"{name}/pairs.jsonl", "kind": "preference", "source": "curated", "license": "curated"},
        ],
        "benchmarks": [{"name": "held-out", "path": f"{name}/heldout.jsonl"}],
    }
    (folder / f"{name}.yaml").write_text(json.dumps(settings | changes), encoding="utf-8")  # JSON is YAML
    asked = [f"{_VERBS[n % 8]} {_THINGS[n]} for a new member of the club." for n in range(9)]
    seeds = [{"topic": TOPICS[n % 3], "instruction": asked[n], "response": _answer(asked[n], n, n % 5)} for n in range(9)]
    sums = [
        {"topic": TOPICS[n % 3], "instruction": f"A locker holds {n + 3} shelves with {n + 5} floats on every shelf; find the number of floats.",
         "response": f"{n + 3} * {n + 5} = {(n + 3) * (n + 5)}\nAnswer: {(n + 3) * (n + 5)}", "answer": str((n + 3) * (n + 5))}
        for n in range(3)
    ]  # fmt: skip
    sums[1]["instruction"] = "Each of 4 dinghies carries 6 fenders. Count all fenders in the fleet."
    sums[2]["instruction"] = "What is 5 times 7, the knots of rope in our smallest net?"
    _lines(files / "seeds.jsonl", [*seeds, *sums])
    _lines(
        files / "real.jsonl",
        [{"topic": TOPICS[n % 3], "instruction": f"Tell me about knot number {n} of the old manual.", "response": _response(f"knot {n}", n)} for n in range(9)],
    )
    _lines(
        files / "pairs.jsonl",
        [{"topic": "ropes", "instruction": f"Is rope {n} worn out?", "chosen": _response(f"rope {n}", n), "rejected": "No idea."} for n in range(3)],
    )
    heldout = "A lighthouse flashes every eleven seconds and a second one every thirteen; after how many seconds do both flash together again?"
    _lines(files / "heldout.jsonl", [{"id": "h1", "prompt": heldout, "answer": "143"}])
    return folder


def teacher(call: Call) -> Answer:
    """Answers by what is asked, the same for the same question on every port: the seed follows from the endpoint's address."""
    system, text = str(call.body.get("system", "")), call.text
    number = int(digest({name: value for name, value in call.body.items() if name != "seed"})[:6], 16)
    if call.path.endswith("completion"):
        return Answer(f"Could you tell me about {_THINGS[number % 16]} on lake number {number % 97}?")
    if "write tasks for" in system or "write tasks." in system:
        return Answer(f"{_VERBS[number % 8]} {_THINGS[number // 8 % 16]}, as skipper {number % 89} saw it.")
    if "what a task needs" in system:
        return Answer(("Classification", "Input", "Complete")[number % 3])
    if "write examples for" in system:
        first, second = ("Output", "Input") if "classification" in system else ("Input", "Output")
        return Answer("\n".join(f"{first}: {_THINGS[(number + n) % 16]}\n{second}: it is number {number % 89 + n}" for n in range(4)))
    if "rewrite tasks" in system:
        return Answer(
            text if number % 5 == 0 else f"{text.removeprefix('Task: ').rstrip('.?')}, naming {number % 7 + 2} causes and one remedy that costs nothing."
        )
    if "compare two tasks" in system:
        return Answer("Equal" if number % 3 == 0 else "Not equal")
    if "Solve the problem" in system:
        return _solution(text, number)
    if "review answers" in system:
        return Answer("It gives no reason for its advice.")
    if "improve answers" in system:
        return Answer(_answer(text, number, 8) + " The reason is that wet fibres lose a tenth of their strength.")
    if number % 11 == 0:
        return Answer("This answer goes on and on", stop_reason="max_tokens")
    if number % 13 == 0:
        return Answer("", stop_reason="refusal")
    return Answer(_answer(text, number))


def _answer(asked: str, number: int, named: int = 2) -> str:
    """An answer that names so many things of what was asked: the more, the better in the eyes of the reward model."""
    things = [word for word in re.findall(r"[a-z]{5,}", asked.lower()) if word not in {"question", "answer", "critique"}]
    return f"Where it is about {', '.join(list(dict.fromkeys(things))[:named]) or 'boats'}: {_response('a start', number).removeprefix('For a start, ')}"


def _solution(text: str, number: int) -> Answer:
    numbers = [int(word) for word in text.replace(",", " ").replace(".", " ").split() if word.isdigit()]
    result = numbers[0] * numbers[1] + (number % 3 == 0)
    return Answer(f"<think>\nMultiply {numbers[0]} by {numbers[1]}.\n</think>\nThere are {result}.\nAnswer: {result}")


def _response(subject: str, number: int) -> str:
    first, second, third = _THINGS[number % 16], _THINGS[number // 3 % 16], _THINGS[number // 7 % 16]
    middle = f"Then look at {second}, because it tells you most after {number % 53 + 2} seasons."
    return f"For {subject}, begin with {first}. {middle} At last consider {third}, and write down what you saw."


def _lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def environment(home: Path, domains: Path, url: str, **more: str) -> dict[str, str]:
    """What the command line is told."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SYNTH_", "ANTHROPIC_", "DAGSTER_"))}
    ours = {
        "SYNTH_HOME": str(home),
        "SYNTH_DOMAINS": str(domains),
        "SYNTH_TEACHER": "test-model",
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "sk-test-key",
        "SYNTH_PATIENCE_S": "0",
    }
    return kept | ours | {"DAGSTER_DISABLE_TELEMETRY": "1"} | more


def command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("synth-assets")), *arguments]


def synth_assets(env: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line to its end."""
    return subprocess.run(command(*arguments), env=dict(env), capture_output=True, text=True, check=False, timeout=900)


def stored(home: Path) -> dict[str, list[dict[str, Any]]]:
    """All that a rerun must leave as it is: every stage's rows, what was rejected, and the accounts."""
    warehouse = Warehouse(home / "warehouse.duckdb")
    tables = ("seeds", "generated_instructions", "evolved_instructions", "teacher_responses", "preference_pairs", "real_data", "filtered", "mixed", "release",
              "rejections", "surplus", "stage_accounts", "call_uses", "teacher_calls")  # fmt: skip
    return {table: warehouse.rows(table) for table in tables}
