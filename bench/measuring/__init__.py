"""What the benchmarks of the gates share: texts to measure on, a clock, a table.

The texts are Alpaca's and three public benchmarks', from a folder that the first argument names, or ../shared/data; where there is neither,
sentences that are drawn by seed from the shipped domains' own words. A folder, so that `make bench` does not run it.
"""

import gzip
import json
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import synth_assets
from synth_assets.conversations import prompt_of
from synth_assets.quality.decontamination import Item

Row = tuple[str, str, str]
ROOT = Path(__file__).resolve().parent.parent.parent


def folder() -> Path | None:
    """The folder of real data, if there is one."""
    named = next((Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")), None)
    found = named or next((path for path in (ROOT.parent / "shared" / "data", ROOT.parent.parent / "shared" / "data") if path.is_dir()), None)
    if named is not None and not named.is_dir():
        raise SystemExit(f"there is no folder {named}")
    return found


def lines(path: Path) -> list[dict[str, object]]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.splitlines()]


def alpaca(count: int = 52_002) -> list[Row]:
    """Id, prompt and response of `count` rows: of Alpaca, or drawn."""
    data = folder()
    if data is not None and (data / "alpaca_52k.jsonl.gz").is_file():
        rows = lines(data / "alpaca_52k.jsonl.gz")[:count]
        return [(str(i), prompt_of(row), str(row["output"])) for i, row in enumerate(rows)]
    return [(str(i), *text) for i, text in enumerate(drawn(count, 7))]


def drawn(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Prompts and responses of the shipped seeds' words, in random order."""
    source = random.Random(seed)
    seeds = [row for path in sorted(Path(synth_assets.__file__).parent.glob("domains/*/seeds.jsonl")) for row in lines(path)]
    vocabulary = [word for row in seeds for word in f"{row['instruction']} {row['response']}".split()]
    for _ in range(count):
        yield " ".join(source.choices(vocabulary, k=source.randint(6, 20))), " ".join(source.choices(vocabulary, k=source.randint(10, 90)))


def items(count: int | None = None) -> list[Item]:
    """Items of the public benchmarks; with `count` as many as that, filled up with prompts and model answers of AlpacaEval."""
    data = folder()
    found: list[Item] = []
    if data is None:
        seeds = [row for path in sorted(Path(synth_assets.__file__).parent.glob("domains/*/seeds.jsonl")) for row in lines(path)]
        found = [Item("seeds", str(i), "prompt", prompt_of(row)) for i, row in enumerate(seeds)]
        if count is not None:
            found += [Item("drawn", str(i), "prompt", " ".join(pair)) for i, pair in enumerate(drawn(count - len(found), 8))]
        return found
    for i, row in enumerate(lines(data / "gsm8k_test.jsonl")):
        found += [Item("gsm8k", str(i), "prompt", str(row["question"])), Item("gsm8k", str(i), "answer", str(row["answer"]))]
    for row in lines(data / "humaneval.jsonl"):
        task = str(row["task_id"])
        found += [Item("humaneval", task, "prompt", str(row["prompt"])), Item("humaneval", task, "answer", str(row["canonical_solution"]))]
    for row in lines(data / "mt_bench.jsonl"):
        turns = row["turns"]
        assert isinstance(turns, list)
        found += [Item("mt_bench", f"{row['question_id']}-{i}", "prompt", turn) for i, turn in enumerate(turns)]
    if count is not None:
        evaluated = lines(data / "model_outputs_dev.jsonl.gz")
        answers = [(i, model, text) for i, row in enumerate(evaluated) for model, text in dict(row["outputs"]).items()]  # type: ignore[call-overload]
        found += [Item("alpaca_eval", str(i), "prompt", str(row["instruction"])) for i, row in enumerate(evaluated)]
        found += [Item("alpaca_eval", f"{i} {model}", "answer", text) for i, model, text in answers]
        # What is still missing are answers cut in two.
        found += [Item("alpaca_eval", f"{i} {model} half", "answer", text[: len(text) // 2]) for i, model, text in answers]
        found = found[:count]
    return found


class Seconds(NamedTuple):
    """How long something took."""

    wall: float
    processor: float
    """Of all threads of this process, those of libraries too: what other work on the machine changes least."""


@contextmanager
def seconds() -> Iterator[list[Seconds]]:
    """Time of the block, in a list that is filled at its end."""
    took: list[Seconds] = []
    start, worked = time.perf_counter(), time.process_time()
    yield took
    took.append(Seconds(time.perf_counter() - start, time.process_time() - worked))


def medians(ways: dict[str, Callable[[], object]], rounds: int = 3) -> dict[str, tuple[Seconds, object]]:
    """Median times and the last result of each way, run in turn so that other work on the machine meets all alike; one round goes before."""
    times: dict[str, list[Seconds]] = {name: [] for name in ways}
    results: dict[str, object] = {}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            with seconds() as took:
                results[name] = way()
            if turn:
                times[name].append(took[0])
    return {name: (Seconds(*map(median, zip(*times[name], strict=True))), results[name]) for name in ways}


def peak_megabytes() -> float:
    """Highest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print(f"\n{title}\n")
    cells = [[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for number, row in enumerate(cells):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
