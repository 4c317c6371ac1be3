"""Diversity measures beside the plain way to the same numbers: n-gram counts, self-BLEU, Vendi score.

    python bench/diversity.py [FOLDER]     a folder with alpaca_52k.jsonl.gz; else ../shared/data, else texts drawn by seed

Vectors are drawn by seed, in 384 dimensions: what a Vendi score costs does not depend on what they mean. Times are medians of three, run in turn.
"""

from collections import Counter
from math import exp, log

import numpy as np

from bench.measuring import alpaca, medians, print_table
from synth_assets.quality.diversity import ngram_counts, self_bleu, vendi_score
from synth_assets.quality.words import ngrams, words


def by_counter(tokens: list[list[str]]) -> list[int]:
    return [len(Counter(gram for text in tokens for gram in ngrams(text, n))) for n in (1, 2, 3)]


def bleu_by_pairs(tokens: list[list[str]]) -> float:
    """Self-BLEU by its definition: each text against every other."""
    counted = [[Counter(ngrams(text, n)) for n in range(1, 5)] for text in tokens]
    scores = []
    for i, own in enumerate(counted):
        others = [other for j, other in enumerate(counted) if j != i]
        logs, smooth, matched = [], 1, False
        for n, grams in enumerate(own):
            if not grams:
                break
            matches = sum(min(count, max(other[n].get(gram, 0) for other in others)) for gram, count in grams.items())
            matched = matched or matches > 0
            smooth *= 1 if matches else 2
            logs.append(log(matches / grams.total() if matches else 1 / (smooth * grams.total())))
        length = len(tokens[i])
        nearest = min((len(text) for j, text in enumerate(tokens) if j != i), key=lambda size: (abs(size - length), size))
        scores.append((1.0 if length >= nearest else exp(1 - nearest / max(1, length))) * exp(sum(logs) / len(logs)) if matched else 0.0)
    return sum(scores) / len(scores)


def vendi_by_kernel(vectors: np.ndarray) -> float:
    values = np.linalg.eigvalsh(vectors.astype(np.float64) @ vectors.T.astype(np.float64) / len(vectors))
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def main() -> None:
    tokens = [words(prompt) for _, prompt, _ in alpaca()]
    vectors = np.random.default_rng(5).normal(size=(52_000, 384)).astype(np.float32)
    vectors[:, 40:] *= 0.05
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table = []
    for name, plain, fast in (
        (f"different 1-, 2-, 3-grams of {len(tokens)} prompts", lambda: by_counter(tokens), lambda: [len(counts) for counts in ngram_counts(tokens, 3)]),
        ("self-BLEU of 100 prompts", lambda: bleu_by_pairs(tokens[:100]), lambda: self_bleu(tokens[:100])),
        ("Vendi score of 1,000 vectors", lambda: vendi_by_kernel(vectors[:1_000]), lambda: vendi_score(vectors[:1_000])),
    ):
        found = medians({"plain": plain, "ours": fast})
        table.append((name, *(found[way][0].wall for way in found), found["plain"][0].wall / found["ours"][0].wall, found["plain"][1], found["ours"][1]))
    print_table("Diversity measures", ("measure", "plain s", "ours s", "x", "plain", "ours"), table)
    ours = medians({"BLEU": lambda: self_bleu(tokens[:1_000]), "Vendi": lambda: vendi_score(vectors)})
    print_table(
        "Ours at size", ("measure", "s"), [("self-BLEU of 1,000 prompts", ours["BLEU"][0].wall), ("Vendi score of 52,000 vectors", ours["Vendi"][0].wall)]
    )


if __name__ == "__main__":
    main()
