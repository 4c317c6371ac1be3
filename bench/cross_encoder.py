"""What a cross-encoder costs beside the embedded reward model: answers a second and memory, on one model's answers of AlpacaEval.

    python -m bench.cross_encoder [FILE] [--model NAME]

NAME is what a domain would have under `gates.reward.model`, on this machine; then the shares of the better model's answers are printed too. Without
it a model of MS MARCO's size (MiniLM, 6 layers, 22.7 M parameters) is built of the sentence model's body and a head that learnt nothing: its speed is
that of a trained one, and its scores are not looked at. Each side runs in a process of its own, so that memory is its own.
"""

import argparse
import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.measuring import peak_megabytes, print_table, seconds
from bench.reward import COMPARED, outputs
from synth_assets.quality.cross_encoder import load_cross_encoder
from synth_assets.quality.embeddings import Embedder, weights_folder
from synth_assets.quality.reward import published, wilson_interval

Cost = tuple[float, float, float]
"""Answers a second, and megabytes before and after."""


def untrained(at: Path) -> str:
    """A folder with a cross-encoder of the sentence model's body."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    torch.manual_seed(0)
    AutoModelForSequenceClassification.from_pretrained(weights_folder(), num_labels=1, dtype=torch.float32).save_pretrained(at)
    AutoTokenizer.from_pretrained(weights_folder()).save_pretrained(at)
    return str(at)


def embedded(prompts: list[str], answers: list[str]) -> Cost:
    with tempfile.TemporaryDirectory() as scratch:
        embedder, before = Embedder(Path(scratch) / "embeddings.sqlite"), peak_megabytes()
        embedder.embed(["one text, so that the model is loaded"])
        with seconds() as took:
            published().score(prompts, answers, embedder.embed)
    return len(answers) / took[0].wall, before, peak_megabytes()


def crossed(model: str, prompts: list[str], answers: list[str]) -> Cost:
    before = peak_megabytes()
    encoder = load_cross_encoder(model)
    encoder.score(prompts[:1], answers[:1])
    with seconds() as took:
        encoder.score(prompts, answers)
    return len(answers) / took[0].wall, before, peak_megabytes()


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--model", metavar="NAME")
    options = parser.parse_args()
    rows = outputs(options.file)[1::2]
    if not rows:
        return
    prompts = [row["instruction"] for row in rows]
    answers = [row["outputs"][COMPARED[0][0]] for row in rows]
    with tempfile.TemporaryDirectory() as scratch, ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        name = options.model or pool.submit(untrained, Path(scratch) / "model").result()
        costs = {
            "embedded model": pool.submit(embedded, prompts, answers).result(),
            f"cross-encoder {name}": pool.submit(crossed, name, prompts, answers).result(),
        }
    base = costs["embedded model"][0]
    print_table(
        f"{len(answers)} answers to their prompts, none known before",
        ("model", "answers/s", "of the embedded one's", "MB before", "MB at most"),
        [(title, f"{rate:.1f}", f"{rate / base:.2f}", f"{before:.0f}", f"{peak:.0f}") for title, (rate, before, peak) in costs.items()],
    )
    if options.model:
        encoder = load_cross_encoder(options.model)
        scores = {model: encoder.score(prompts, [row["outputs"][model] for row in rows]) for pair in COMPARED for model in pair}
        table = []
        for better, worse in COMPARED:
            won = float((scores[better] > scores[worse]).mean() + (scores[better] == scores[worse]).mean() / 2)
            table.append((better, worse, f"{won:.3f} ({', '.join(f'{bound:.3f}' for bound in wilson_interval(won * len(prompts), len(prompts)))})"))
        print_table("the better model's answer scores higher (Wilson 95 %)", ("better", "worse", options.model), table)


if __name__ == "__main__":
    main()
