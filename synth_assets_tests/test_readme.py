"""Every command and block of the README, as it stands there: who follows it must get where it says.

A new domain is made from the README's own words, run with the double as its teacher, and is what all other commands are tried on.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from synth_assets.quality.rules import RULES
from synth_assets.warehouse import Warehouse
from synth_assets_tests.graph.world import command, environment, teacher
from synth_assets_tests.messages_api import MessagesApi

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", README)
_LINE = r"((?:SYNTH_\w+=\S+ )*(?:\.venv/bin/)?synth-assets [^`\n#]+)"
COMMANDS = list(dict.fromkeys(found.strip() for found in re.findall(rf"(?:^|`){_LINE}", README, re.MULTILINE)))
(FIRST,) = (line for line in COMMANDS if "run --domain cooking" in line)
"""The run that all the others look at."""
SERVING = ("synth-assets review", "synth-assets ui")
"""Commands that go on until they are stopped."""
SMALLER = {"sft: 200": "sft: 12", "target: 80": "target: 6"}
"""The README's sizes are a user's; these are a test's."""


def block(language: str, having: str) -> str:
    """The one block of this language that has these words."""
    (found,) = (text for name, text in BLOCKS if name == language and having in text)
    return str(found)


@dataclass
class Kitchen:
    """The README's domain after its first run."""

    folder: Path
    env: dict[str, str]
    names: dict[str, str]
    """What the README's placeholders stand for."""

    def said(self, line: str) -> tuple[list[str], dict[str, str]]:
        """A command of the README with its placeholders filled in, and its environment."""
        words = [self.names.get(word, word) for word in line.split()]
        given = dict(word.split("=", 1) for word in words if re.match(r"SYNTH_\w+=", word))
        given = {name: str(self.folder / value) if name == "SYNTH_DOMAINS" else value for name, value in given.items()}
        return command(*words[words.index(next(word for word in words if word.endswith("synth-assets"))) + 1 :]), self.env | given

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        arguments, env = self.said(line)
        return subprocess.run(arguments, env=env, cwd=self.folder, capture_output=True, text=True, check=False, timeout=500)


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitchen]:
    folder = tmp_path_factory.mktemp("reader")
    cooking = folder / "my_domains" / "cooking"
    cooking.mkdir(parents=True)
    settings = block("yaml", "Cooking")
    for size, smaller in SMALLER.items():
        assert size in settings
        settings = settings.replace(size, smaller)
    (folder / "my_domains" / "cooking.yaml").write_text(settings, encoding="utf-8")
    dishes = ("soup of leeks", "flat bread", "an omelette", "roasted roots", "rice with saffron", "a stew of beans", "pickled radish", "custard", "dumplings")
    tell = "Begin with {0}, keep the heat low, taste twice, and let it rest for {1} minutes before anybody eats."
    asked = [{"topic": "techniques", "instruction": f"Describe how {dish} is made for one person."} for dish in dishes]
    _write(cooking / "seeds.jsonl", [row | {"response": tell.format(dish, n + 2)} for n, (row, dish) in enumerate(zip(asked, dishes, strict=True))])
    real = [
        {"topic": "techniques", "instruction": f"Which pan suits {dish}?", "response": tell.format(f"a wide pan for {dish}", n)}
        for n, dish in enumerate(dishes)
    ]
    _write(cooking / "real.jsonl", real)
    _write(
        cooking / "test.jsonl", [{"id": "t1", "prompt": "A cook halves a recipe for seven people; how many grams of flour are left of 840?", "answer": "420"}]
    )
    with MessagesApi(teacher, raw_prompts=True) as api:
        made = Kitchen(folder, environment(folder / "home", folder / "my_domains", api.url), {})
        done = made.run(FIRST)
        assert done.returncode == 0, done.stdout + done.stderr
        warehouse = Warehouse(folder / "home" / "warehouse.duckdb")
        version = next((folder / "home" / "release").glob("r-*")).name
        (row,) = warehouse.query("select id from synth.filtered order by id limit 1")
        (call,) = warehouse.query("select key from synth.teacher_calls order by key limit 1")
        made.names |= {
            "ROW": row["id"],
            "KEY": call["key"],
            "A": version,
            "B": "latest",
            "DOMAIN": "cooking",
            "VERSION": version,
            "DIR": str(folder / "screened"),
        }
        made.names |= {"FILE": str(cooking / "real.jsonl"), "BENCHMARK": str(cooking / "test.jsonl"), "SOURCE": "recipes we wrote"}
        yield made


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_there_are_commands_to_try() -> None:
    assert len(COMMANDS) >= 10
    assert {line for line in SERVING if any(line in found for found in COMMANDS)}


@pytest.mark.parametrize("line", [line for line in COMMANDS if line != FIRST and not any(serving in line for serving in SERVING)])
def test_a_command_does_what_it_says(line: str, kitchen: Kitchen) -> None:
    done = kitchen.run(line)
    assert done.returncode == 0, f"{done.args}\n{done.stdout}\n{done.stderr}"
    assert done.stdout.strip()


@pytest.mark.parametrize("line", [line for line in COMMANDS if any(serving in line for serving in SERVING)])
def test_a_page_is_served_until_it_is_stopped(line: str, kitchen: Kitchen) -> None:
    arguments, env = kitchen.said(f"{line} --port 0" if "review" in line else f"{line} --port 31417")
    served = subprocess.Popen(arguments, env=env | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert served.stdout is not None
    try:
        said = ""
        for out in served.stdout:
            said += out
            if "http://127.0.0.1" in out:
                break
        assert "http://127.0.0.1" in said, said
    finally:
        served.send_signal(signal.SIGINT)
        served.communicate(timeout=60)


def test_make_has_every_target_that_is_named() -> None:
    for target in set(re.findall(r"(?m)(?:`|^)make ([a-z-]+)", README)):
        assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=False).returncode == 0, target


def test_it_counts_the_rules() -> None:
    assert f"**Rules** (`quality/rules.py`), {len(RULES)} of them" in README


def test_the_python_block_reads_the_release(kitchen: Kitchen) -> None:
    code = block("python", "load_dataset").replace(".synth/", f"{kitchen.env['SYNTH_HOME']}/").replace("<version>", kitchen.names["VERSION"])
    # The README's domain makes no pairs.
    code = "\n".join(line for line in code.splitlines() if '"preference"' not in line)
    env = os.environ | {"HF_HOME": str(kitchen.folder / "hf"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_sql_block_answers(kitchen: Kitchen) -> None:
    warehouse = Warehouse(Path(kitchen.env["SYNTH_HOME"]) / "warehouse.duckdb")
    unbalanced, rejected = (line for line in block("sql", "stage_accounts").replace("'math'", "'cooking'").splitlines() if line)
    assert warehouse.query(unbalanced.partition(";")[0]) == []
    assert warehouse.query(rejected.partition(";")[0])
