"""The embedded reward model on answers of known rank: how often the stronger model's answer scores higher, beside length alone.

    python -m bench.reward [FILE]     a file of AlpacaEval outputs; else ../shared/data/model_outputs_dev.jsonl.gz

A line has an instruction and the answers of several models (`outputs[model]`). Only odd lines are measured; no prompt of theirs is among the even
ones, from which the two further columns learn: `verdicts` is the shipped training data and 100 simulated verdicts of a person who knows the rank, half
of them on single answers and half on pairs; `trained` is the same head fitted to the even lines' own comparisons. Neither is shipped. Features
of the shipped version were chosen with the even lines in view, and on the odd ones nothing was.
"""

import argparse
import gzip
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.measuring import folder, peak_megabytes, print_table, seconds
from bench.train_reward import SEED, shipped_rows
from synth_assets.identity import seeded
from synth_assets.quality.embeddings import Embedder
from synth_assets.quality.reward import RewardModel, published, rank_correlation, train, training_pairs, wilson_interval
from synth_assets.quality.reward_pairs import Pair
from synth_assets.quality.verdict_pairs import Seen, lessons
from synth_assets.quality.words import words

COMPARED = (
    ("claude-3-5-sonnet-20240620", "falcon-7b-instruct"),
    ("claude-3-5-sonnet-20240620", "gemma-2b-it"),
    ("Meta-Llama-3-70B-Instruct", "Meta-Llama-3-8B-Instruct"),
    ("Meta-Llama-3-8B-Instruct", "Qwen1.5-1.8B-Chat"),
    ("claude-2", "oasst-sft-pythia-12b"),
)
"""Pairs of models whose order nobody doubts, the better one first."""

VERDICTS = 100


def simulated(rows: Sequence[dict[str, Any]], count: int) -> list[Seen]:
    """Verdicts of a person who always knows the better model: accept or reject, on single answers and on pairs in turn."""
    random = seeded(SEED, "simulated verdicts")
    seen = []
    for number, row in enumerate(random.sample(list(rows), count)):
        better, worse = (row["outputs"][name] for name in random.choice(COMPARED))
        right = random.random() < 0.5
        shown = {"domain": "d", "prompt": row["instruction"], "response": better if right else worse, "rejected": None}
        if number % 2:
            shown["rejected"] = worse if right else better
        seen.append(Seen(shown, "accept" if right else "reject", "" if right else "worse_chosen" if number % 2 else "wrong"))
    return seen


def outputs(named: Path | None) -> list[dict[str, Any]]:
    """Lines of the file that is named, or of the one in the folder of data; none where there is neither."""
    path = named or (data / "model_outputs_dev.jsonl.gz" if (data := folder()) else None)
    if path is None:
        print("no file of model outputs: name one")
        return []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def main() -> None:
    """Parse the command line, fit, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--embeddings", type=Path, metavar="FILE", help="keep embeddings there between two runs")
    options = parser.parse_args()
    if not (lines := outputs(options.file)):
        return
    learned = lines[::2]
    known = {row["instruction"] for row in learned}
    measured = [row for row in lines[1::2] if row["instruction"] not in known]
    names = sorted({name for pair in COMPARED for name in pair})
    prompts = [row["instruction"] for row in measured]
    answers = {name: [row["outputs"][name] for row in measured] for name in names}
    with tempfile.TemporaryDirectory() as scratch:
        _speed(Embedder(Path(scratch) / "speed.sqlite"), prompts, answers[names[0]])
        embedder = Embedder(options.embeddings or Path(scratch) / "embeddings.sqlite")
        shipped = {name: published().score(prompts, answers[name], embedder.embed) for name in names}
        references, preferences = shipped_rows("seeds", "curated"), shipped_rows("curated_pairs")
        taught = lessons(simulated(learned, VERDICTS), SEED)
        told = train(training_pairs([*references, *taught.references], preferences, SEED, taught.pairs), embedder.embed, SEED)
        own = [Pair(row["instruction"], row["outputs"][a], row["outputs"][b]) for row in learned for a, b in COMPARED]
        trained = train([pair for pair in own if pair.chosen.strip() != pair.rejected.strip()], embedder.embed, SEED)
        lengths = {name: np.array([len(words(answer)) for answer in answers[name]], float) for name in names}
        scores = {"shipped": shipped} | {
            title: {name: model.score(prompts, answers[name], embedder.embed) for name in names} for title, model in (("verdicts", told), ("trained", trained))
        }
    _print(scores | {"length": lengths}, len(prompts), trained)


def _speed(embedder: Embedder, prompts: Sequence[str], answers: Sequence[str]) -> None:
    """Rows a second with and without known embeddings, and memory, on one model's answers."""
    before = peak_megabytes()
    embedder.embed(["one text, so that the model is loaded"])
    loaded = peak_megabytes()
    with seconds() as new:
        published().score(prompts, answers, embedder.embed)
    with seconds() as known:
        published().score(prompts, answers, embedder.embed)
    length = sum(len(words(answer)) for answer in answers) / len(answers)
    rates = " and ".join(f"{len(answers) / took[0].wall:.0f} {what}" for took, what in ((new, "with new embeddings"), (known, "with known ones")))
    print(f"answers a second (of {length:.0f} words in the mean): {rates}")
    print(f"memory: {before:.0f} MB before the sentence model, {loaded:.0f} MB with it, {peak_megabytes():.0f} MB at most")


def _print(scores: dict[str, dict[str, Any]], count: int, trained: RewardModel) -> None:
    table: list[list[object]] = []
    for better, worse in COMPARED:
        cells: list[object] = [better, worse]
        for of in scores.values():
            share = float(np.where(of[better] > of[worse], 1.0, np.where(of[better] == of[worse], 0.5, 0.0)).mean())
            low, high = wilson_interval(share * count, count)
            cells.append(f"{share:.3f} ({low:.3f}-{high:.3f})")
        table.append(cells)
    lengths = np.concatenate(list(scores["length"].values()))
    bias = [f"{rank_correlation(np.concatenate(list(of.values())), lengths):+.2f}" for of in scores.values()]
    print_table(f"the better model's answer scores higher, {count} prompts (Wilson 95 %)", ["better", "worse", *scores], table)
    print(f"\ncorrelation of score and length: {', '.join(f'{name} {value}' for name, value in zip(scores, bias, strict=True))}")
    print(f"held-out accuracy of the trained one on its own prompts: {trained.report.accuracy:.3f}")


if __name__ == "__main__":
    main()
