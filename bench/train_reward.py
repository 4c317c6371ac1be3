"""Train the embedded reward model that ships with the package, and measure a model on answers of known rank.

    python bench/train_reward.py --write                    fit to the shipped domains' own texts, replace reward_v1.json
    python bench/train_reward.py --measure OUTPUTS.jsonl.gz how often the better model's answer scores higher

The file to measure on has an instruction and the answers of several models per line (`outputs[model]`, as AlpacaEval publishes them). Nothing
is trained on it. Only odd lines are measured: one first version was looked at on all lines, and from then on features were chosen with the even
lines in view, so that the odd ones are nearly, not wholly, unseen.
"""

import argparse
import gzip
import itertools
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import synth_assets
from synth_assets.conversations import prompt_of
from synth_assets.quality.embeddings import Embedder
from synth_assets.quality.reward import RewardModel, published, rank_correlation, train, training_pairs, wilson_interval
from synth_assets.quality.words import words

PACKAGE = Path(synth_assets.__file__).parent
SHIPPED = PACKAGE / "quality" / "reward_v1.json"
SEED = 1

COMPARED = (
    ("claude-3-5-sonnet-20240620", "falcon-7b-instruct"),
    ("claude-3-5-sonnet-20240620", "gemma-2b-it"),
    ("Meta-Llama-3-70B-Instruct", "Meta-Llama-3-8B-Instruct"),
    ("Meta-Llama-3-8B-Instruct", "Qwen1.5-1.8B-Chat"),
    ("claude-2", "oasst-sft-pythia-12b"),
)
"""Pairs of models whose order nobody doubts, the better one first."""


def shipped_rows(*stems: str) -> list[dict[str, Any]]:
    """Rows of these files of all shipped domains, with their prompts."""
    paths = sorted(path for stem in stems for path in PACKAGE.glob(f"domains/*/{stem}.jsonl"))
    rows = [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    return [{**row, "prompt": prompt_of(row)} for row in rows]


def fit(embedder: Embedder) -> RewardModel:
    """A model of the shipped domains' seeds, curated responses and curated pairs."""
    pairs = training_pairs(shipped_rows("seeds", "curated"), shipped_rows("curated_pairs"), SEED)
    return train(pairs, embedder.embed, SEED)


def show(model: RewardModel) -> None:
    """Weights and report."""
    report = model.report
    print(f"reward model {model.version}: fitted to {report.pairs} pairs")
    print(f"  {'weight':20} {'':>6} {'blind':>7}")
    for name, weight, blind in sorted(zip(model.names, model.weights, model.blind_weights, strict=True), key=lambda row: -abs(row[1])):
        print(f"  {name:20} {weight:+6.2f} {blind:+7.2f}")
    print(
        f"held out: {report.held_out_pairs} pairs of {report.held_out_prompts} prompts; accuracy {report.accuracy:.3f} "
        f"({report.accuracy_low:.3f} to {report.accuracy_high:.3f}), length alone {report.length_accuracy:.3f}, "
        f"without embeddings {report.blind_accuracy:.3f}, "
        f"correlation with length {report.length_bias:+.2f}"
    )
    for kind, accuracy in report.by_kind.items():
        print(f"  {kind:20} {accuracy:6.3f} of {report.pairs_by_kind[kind]}")


def measure(model: RewardModel, embedder: Embedder, path: Path) -> None:
    """Print one table: accuracy of the model and of length alone, per pair of models, on the odd lines."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in itertools.islice(file, 1, None, 2)]
    names = sorted({name for pair in COMPARED for name in pair})
    prompts = [row["instruction"] for row in rows]
    answers = {name: [row["outputs"][name] for row in rows] for name in names}
    scores = {name: model.score(prompts, answers[name], embedder.embed) for name in names}
    lengths = {name: np.array([len(words(answer)) for answer in answers[name]], float) for name in names}
    print(f"{'better':28} {'worse':26} {'pairs':>5} {'reward':>7} {'95 %':>14} {'length':>7}")
    for better, worse in COMPARED:
        share, baseline = (float(np.where(a > b, 1.0, np.where(a == b, 0.5, 0.0)).mean()) for a, b in ((x[better], x[worse]) for x in (scores, lengths)))
        low, high = wilson_interval(share * len(rows), len(rows))
        print(f"{better:28} {worse:26} {len(rows):5} {share:7.3f} {low:6.3f} - {high:.3f} {baseline:7.3f}")
    every_score, every_length = (np.concatenate(list(x.values())) for x in (scores, lengths))
    print(f"correlation of reward and length over all {len(every_score)} answers: {rank_correlation(every_score, every_length):+.2f}")


def main() -> None:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"replace {SHIPPED.name}; without it nothing is written")
    parser.add_argument("--measure", type=Path, metavar="FILE", help="measure on this file, the shipped model unless --write is given")
    options = parser.parse_args()
    if not options.write and options.measure is None:
        report = published().report
        print(f"shipped reward model: {report.accuracy:.3f} of {report.held_out_pairs} held-out pairs right, length alone {report.length_accuracy:.3f}")
        return
    with tempfile.TemporaryDirectory() as folder:
        embedder = Embedder(Path(folder) / "embeddings.sqlite")
        model = fit(embedder) if options.write else published()
        show(model)
        if options.write:
            SHIPPED.write_text(model.to_json() + "\n", encoding="utf-8")
        if options.measure is not None:
            measure(model, embedder, options.measure)


if __name__ == "__main__":
    main()
