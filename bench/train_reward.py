"""Train the embedded reward model that ships with the package, on the shipped domains' own texts.

    python -m bench.train_reward             what ships now
    python -m bench.train_reward --write     fit, replace reward_v1.json and its card

How good it is on answers of other models: `python -m bench.reward`.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import synth_assets
from synth_assets.conversations import prompt_of
from synth_assets.quality.embeddings import Embedder
from synth_assets.quality.reward import RewardModel, published, train, training_pairs
from synth_assets.quality.reward_card import card

PACKAGE = Path(synth_assets.__file__).parent
SHIPPED = PACKAGE / "quality" / "reward_v1.json"
SEED = 1


def shipped_rows(*stems: str) -> list[dict[str, Any]]:
    """Rows of these files of all shipped domains, with their prompts."""
    paths = sorted(path for stem in stems for path in PACKAGE.glob(f"domains/*/{stem}.jsonl"))
    rows = [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    return [{**row, "prompt": prompt_of(row)} for row in rows]


def fit(embedder: Embedder) -> RewardModel:
    """A model of the shipped domains' seeds, curated responses and curated pairs."""
    seeds, curated, preferences = (shipped_rows(stem) for stem in ("seeds", "curated", "curated_pairs"))
    sources = {"seeds": len(seeds), "curated rows": len(curated), "curated pairs": len(preferences)}
    return train(training_pairs([*seeds, *curated], preferences, SEED), embedder.embed, SEED, sources)


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


def main() -> None:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"replace {SHIPPED.name}; without it nothing is written")
    parser.add_argument("--embeddings", type=Path, metavar="FILE", help="keep embeddings there between two runs")
    options = parser.parse_args()
    if not options.write:
        show(published())
        return
    with tempfile.TemporaryDirectory() as folder:
        model = fit(Embedder(options.embeddings or Path(folder) / "embeddings.sqlite"))
    show(model)
    SHIPPED.write_text(model.to_json() + "\n", encoding="utf-8")
    SHIPPED.with_suffix(".md").write_text(card(model), encoding="utf-8")


if __name__ == "__main__":
    main()
