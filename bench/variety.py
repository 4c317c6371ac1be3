"""What attributes and personas do to the diversity of generated instructions: one domain with its attributes and without, Self-Instruct by itself.

    python -m bench.variety [DOMAIN] [ATTEMPTS]     customer_support and 48, with the teacher that the environment names; unset, the embedded one

Both sides make the same number of attempts from the same seeds and topics, and differ in nothing else. Figures are of the accepted instructions;
those that grow with the number of rows are measured on as many as the smaller side has. Calls go into a ledger of their own, in a temporary folder.
"""

import os
import sys
import tempfile
from pathlib import Path

from bench.measuring import print_table
from synth_assets.accounts import Outcome
from synth_assets.config import Domain
from synth_assets.domain_files import load_domain, shipped_folder
from synth_assets.methods import attributes, self_instruct
from synth_assets.methods import seeds as seeds_method
from synth_assets.methods.instruction_pool import InstructionPool
from synth_assets.quality.diversity import measure
from synth_assets.quality.embeddings import Embedder
from synth_assets.teacher.choice import open_teacher

FIGURES = ("distinct_1", "distinct_2", "entropy_1", "compression_ratio", "self_bleu", "vendi", "nearest_cosine_mean")


def instructions(domain: Domain, seeds: list[dict[str, object]], attempts: int, home: Path) -> list[dict[str, object]]:
    """Accepted instructions of so many attempts, in order."""
    settings = domain.methods.self_instruct
    assert settings is not None
    bounded = settings.model_copy(update={"target": attempts, "attempts_per_target": 1.0, "style": "inline"})
    domain = domain.model_copy(update={"methods": domain.methods.model_copy(update={"self_instruct": bounded})})
    outcome = Outcome()
    with open_teacher(home, os.environ | {"SYNTH_TEACHER": os.environ.get("SYNTH_TEACHER", "embedded")}) as teacher:
        teacher.run(self_instruct.plan(domain, InstructionPool(domain.language, seeds), teacher.profile, outcome))
    return outcome.kept


def main() -> None:
    name, attempts = sys.argv[1] if len(sys.argv) > 1 else "customer_support", int(sys.argv[2]) if len(sys.argv) > 2 else 48
    loaded = load_domain(shipped_folder(), name)
    domain = loaded.config
    if not domain.attributes:
        raise SystemExit(f"{name} has no attributes")
    seeded = Outcome()
    seeds_method.seeds(loaded, seeded)
    seeds = sorted(seeded.kept, key=lambda row: str(row["id"]))
    with tempfile.TemporaryDirectory() as folder:
        sides = {
            "without": instructions(domain.model_copy(update={"attributes": (), "personas": ()}), seeds, attempts, Path(folder)),
            "with": instructions(domain, seeds, attempts, Path(folder)),
        }
        embedder = Embedder(Path(folder) / "embeddings.sqlite")
        count = min(map(len, sides.values()))
        table = []
        for side, rows in sides.items():
            texts = [str(row["instruction"]) for row in rows[:count]]
            vectors = embedder.embed(texts) if embedder.supports(domain.language) else None
            found = measure(texts, [str(row["topic"]) for row in rows[:count]], domain.topic_names, domain.language, vectors)
            table.append((side, len(rows), *(found.get(figure, float("nan")) for figure in FIGURES)))
    asked = sorted({f"{key}: {value}" for row in sides["with"] for key, value in attributes.of_row(row).items()})
    print_table(f"{name}, {attempts} attempts each, figures of the first {count} accepted", ("attributes", "accepted", *FIGURES), table)
    print(f"Values among the accepted ones: {'; '.join(asked)}")


if __name__ == "__main__":
    main()
