"""Self-Instruct's filters and growing pool against a reference that compares every instruction with every one kept before it.

    python -m bench.instruction_filter [FOLDER]     a folder of data as for planted.py: the first 2,000 instructions of Alpaca

The reference is written from the paper (section 2.2) and shares no line with the package: its own words, its own filters, its own longest common
subsequence, fractions in place of floats. The two must keep exactly the same instructions; where they do not, the first ones are shown and it exits 1.
Alpaca went through these filters when it was made, and nearly all of it passes: so the same instructions are filtered at 0.4 as well, and with every
other one replaced by a damaged copy of an earlier one.
"""

import random
import re
import string
import sys
import time
from collections import Counter
from fractions import Fraction

from bench.measuring import alpaca, folder, lines, print_table
from synth_assets.accounts import Outcome
from synth_assets.methods.instruction_pool import InstructionPool
from synth_assets.quality.asking import asks

COUNT = 2000
SEEDS = 175
LIMIT, STRICT = Fraction(7, 10), Fraction(4, 10)
BANNED = ("image", "images", "graph", "graphs", "picture", "pictures", "file", "files", "map", "maps", "draw", "plot", "go to",
          "video", "audio", "music", "flowchart", "diagram")  # fmt: skip


def lcs_table(a: list[str], b: list[str]) -> int:
    """Length of the longest common subsequence, by the table of the textbook."""
    row = [0] * (len(b) + 1)
    for x in a:
        before = 0
        for j, y in enumerate(b, start=1):
            row[j], before = (before + 1 if x == y else max(row[j], row[j - 1])), row[j]
    return row[-1]


def lcs_bits(a: list[str], b: list[str]) -> int:
    """The same by one long number per text (Hyyro 2004), a hundred times faster: tested against the table below."""
    full = (1 << len(a)) - 1
    places: dict[str, int] = {}
    for i, x in enumerate(a):
        places[x] = places.get(x, 0) | 1 << i
    v = full
    for y in b:
        u = v & places.get(y, 0)
        v = ((v + u) | (v - u)) & full
    return len(a) - v.bit_count()


def reference(seeds: list[str], texts: list[str], limit: Fraction) -> list[int]:
    """Places of the instructions that the paper would keep."""
    pool = [re.findall("[a-z0-9]+", text.lower()) for text in seeds]
    kept = []
    for place, text in enumerate(texts):
        said = text.strip()
        count = len([chunk for chunk in said.split() if re.search(r"\w", chunk.replace("_", ""))])
        bad = (
            count <= 3
            or count > 150
            or any(re.search(r"\b" + word.replace(" ", r"\s+") + r"\b", said, re.IGNORECASE) for word in BANNED)
            or re.match(r"write\s+a\s+program\b", said, re.IGNORECASE)
            or said[0] in string.punctuation
            or not said[0].isascii()
        )
        tokens = re.findall("[a-z0-9]+", text.lower())
        near = any(len(t) + len(tokens) and Fraction(2 * lcs_bits(tokens, t), len(t) + len(tokens)) > limit for t in pool)
        if not bad and not near:
            kept.append(place)
            pool.append(tokens)
    return kept


def ours(seeds: list[str], texts: list[str], limit: Fraction) -> tuple[list[int], Outcome]:
    pool, outcome = InstructionPool("en", [{"id": f"s{n}", "instruction": text} for n, text in enumerate(seeds)]), Outcome()
    rows = [{"id": str(n), "instruction": text} for n, text in enumerate(texts)]
    return [n for n, row in enumerate(rows) if pool.offer(row, outcome, min_words=4, max_words=150, rouge_l=float(limit))], outcome


def main() -> int:
    data = folder()
    if data is not None and (data / "alpaca_52k.jsonl.gz").is_file():
        texts = [str(row["instruction"]) for row in lines(data / "alpaca_52k.jsonl.gz")[:COUNT]]
        seeds = [str(row["instruction"]) for row in lines(data / "self_instruct_seed_tasks.jsonl")]
    else:
        drawn = [prompt for _, prompt, _ in alpaca(COUNT + SEEDS)]
        seeds, texts = drawn[:SEEDS], drawn[SEEDS:]
    source = random.Random(1)
    for _ in range(2000):
        a, b = ([source.choice("abcdef") for _ in range(source.randint(0, 12))] for _ in range(2))
        assert lcs_bits(a, b) == lcs_table(a, b), (a, b)
    damaged = [damage(texts[source.randrange(n)], source) if n % 2 else text for n, text in enumerate(texts)]
    runs = (("as they are", texts, LIMIT), ("as they are", texts, STRICT), ("every other one damaged", damaged, LIMIT))
    # The package's own filter beside the paper's is taken out of the comparison: what asks for nothing is shown to neither.
    asking = [(what, [text for text in own if asks(text, "en")], limit) for what, own, limit in runs]
    return max(compare(f"{len(own)} instructions {what}, {len(seeds)} seeds, at {float(limit)}", seeds, own, limit) for what, own, limit in asking)


def damage(text: str, source: random.Random) -> str:
    """A copy with some words lost, doubled or strange, and at times one that is banned or a sign in front."""
    words = text.split()
    for _ in range(source.randint(1, 4)):
        place = source.randrange(len(words))
        words[place : place + 1] = source.choice(
            ([], [words[place]] * 2, ["herring"], [source.choice(BANNED)] if source.random() < 0.2 else [words[place], "again"])
        )
        words = words or ["herring"]
    return source.choice(("", "", "", "- ", "\u201c")) + " ".join(words)


def compare(title: str, seeds: list[str], texts: list[str], limit: Fraction) -> bool:
    """Print both sides; whether they differ."""
    started = time.perf_counter()
    wanted = reference(seeds, texts, limit)
    middle = time.perf_counter()
    kept, outcome = ours(seeds, texts, limit)
    ended = time.perf_counter()
    rules = Counter(rejection.rule for rejection in outcome.rejected)
    rows = [("reference", len(wanted), f"{middle - started:.1f}", ""), ("synth_assets", len(kept), f"{ended - middle:.1f}", dict(rules.most_common()))]
    print_table(title, ("who", "kept", "seconds", "rejected by rule"), rows)
    different = sorted(set(wanted) ^ set(kept))
    for place in different[:10]:
        who = "the reference" if place in set(wanted) else "synth_assets"
        print(f"only {who} keeps {place}: {texts[place]!r} {[(r.rule, r.evidence) for r in outcome.rejected if r.row['id'] == str(place)]}")
    print("the same instructions" if not different else f"{len(different)} different")
    return bool(different)


if __name__ == "__main__":
    sys.exit(main())
