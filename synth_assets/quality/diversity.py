"""How varied the prompts of one domain are, as numbers that are stored with the data version so that drift and collapse show.

N-gram figures are of all prompts; what depends strongly on the number of rows, or costs too much, is of a sample of 1,000 that is drawn by
content, so that two versions of the data are compared on mostly the same rows. A figure that cannot be measured is left out.

The unit of n-grams in Chinese is the character, in every figure: segmenters' dictionaries differ by version, so that figures of two versions of the
data would not compare, and a character is what the gates' limits are in.

Invariant: the order of the prompts changes nothing.
"""

import zlib
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from synth_assets.identity import digest
from synth_assets.quality.embeddings import Matrix
from synth_assets.quality.numbering import Numbers
from synth_assets.quality.verb_nouns import verb_noun_figures
from synth_assets.quality.words import count_words, ngrams, words

__all__ = ["SAMPLE", "measure", "nearest_cosines", "ngram_counts", "self_bleu", "vendi_score"]

SAMPLE = 1_000
"""Prompts that self-BLEU, compression ratio, Vendi score and nearest neighbours are measured on."""

_BLOCK = 20_000
"""Rows compared at once: 80 MB of similarities for the sample."""


def measure(
    prompts: Sequence[str],
    topics: Sequence[str],
    declared_topics: Sequence[str],
    language: str,
    embeddings: Matrix | None = None,
    anchors: Matrix | None = None,
) -> dict[str, float]:
    """All measures of one domain's prompts.

    Args:
        prompts: What is asked, one per row.
        topics: The topic of each row.
        declared_topics: The topics of the domain file.
        language: BCP 47 tag; words of Chinese are characters.
        embeddings: A unit vector per row; None where there are none (the language is not supported).
        anchors: A unit vector per declared topic, of its description; None as for `embeddings`.

    Returns:
        Numbers by name:
        `rows`; `mean_words`;
        `distinct_1`..`distinct_3`: different n-grams by all n-grams, over all prompts (Li et al. 2016, arXiv 1510.03055);
        `distinct_2_of_100`: the mean of distinct-2 within hundreds of prompts of the sample, which more rows do not lower: what history compares;
        `entropy_1`..`entropy_3`: entropy of the n-grams' frequencies, in bits;
        `compression_ratio`: bytes by bytes of zlib (Shaib et al. 2024, arXiv 2403.00553), higher is more repetitive;
        `self_bleu`: mean BLEU of a prompt against all others, 0 to 1, higher is less varied (Zhu et al. 2018, arXiv 1802.01886);
        `verb_noun_share`, `_pairs`, `_entropy`: root verbs and their objects in the sample, where a parser is installed (see `verb_nouns`);
        `vendi`: effective number of different prompts (Friedman and Dieng 2023, arXiv 2210.02410);
        `nearest_cosine_mean`, `_p50`, `_p95`: of the cosine between a prompt and its nearest neighbour;
        `topic_coverage`: declared topics with at least one row, as a share; `topic_entropy`: entropy of rows over them by its maximum;
        `anchor_coverage`, `anchor_entropy`: the same with each row in the cell of the topic that its text is nearest to, whatever it was made for.
    """
    figures: dict[str, float] = {"rows": float(len(prompts)), **_topic_figures(topics, declared_topics)}
    if not prompts:
        return figures
    tokens = [words(prompt) for prompt in prompts]
    figures["mean_words"] = sum(count_words(prompt, language) for prompt in prompts) / len(prompts)
    for n, counts in enumerate(ngram_counts(tokens, 3), start=1):
        total = int(counts.sum())
        if total:
            frequencies = counts / total
            figures[f"distinct_{n}"] = len(counts) / total
            figures[f"entropy_{n}"] = float((frequencies * np.log2(1 / frequencies)).sum())
    chosen = _sample(prompts)
    if figures.get("distinct_2") is not None:
        figures["distinct_2_of_100"] = _distinct_in_hundreds([tokens[i] for i in chosen])
    raw = "\n".join(prompts[i] for i in chosen).encode("utf-8", "surrogatepass")
    figures["compression_ratio"] = len(raw) / len(zlib.compress(raw, 9))
    if len(prompts) > 1:
        figures["self_bleu"] = self_bleu([tokens[i] for i in chosen])
    figures |= verb_noun_figures([prompts[i] for i in chosen], language)
    if embeddings is not None and anchors is not None and len(anchors):
        cells = [declared_topics[cell] for cell in (embeddings @ anchors.T).argmax(axis=1).tolist()]
        figures |= {name.replace("topic", "anchor"): value for name, value in _topic_figures(cells, declared_topics).items()}
    if embeddings is not None:
        figures["vendi"] = vendi_score(embeddings[chosen])
        if len(prompts) > 1:
            nearest = nearest_cosines(embeddings, chosen)
            figures["nearest_cosine_mean"] = float(nearest.mean())
            figures["nearest_cosine_p50"] = float(np.quantile(nearest, 0.5))
            figures["nearest_cosine_p95"] = float(np.quantile(nearest, 0.95))
    return figures


def ngram_counts(tokens: Sequence[Sequence[str]], longest: int) -> list[NDArray[np.int64]]:
    """Frequencies of the different n-grams for n = 1 to `longest`; an n-gram never crosses the end of a text.

    Every n-gram is numbered exactly, by the number of its first n-1 words and its last word, so that no hash can collide.
    """
    vocabulary = Numbers()
    unigrams = vocabulary.of(chain.from_iterable(tokens)).astype(np.int64)
    text_of = np.repeat(np.arange(len(tokens)), [len(text) for text in tokens])
    grams = unigrams
    counts = [np.bincount(unigrams).astype(np.int64)]
    for n in range(2, longest + 1):
        inside = text_of[: len(text_of) - n + 1] == text_of[n - 1 :]
        starts = np.flatnonzero(inside)
        _, inverse, frequencies = np.unique(grams[starts] * len(vocabulary) + unigrams[starts + n - 1], return_inverse=True, return_counts=True)
        counts.append(frequencies.astype(np.int64))
        grams = np.zeros(len(text_of), np.int64)
        grams[starts] = inverse
    return counts


def self_bleu(tokens: Sequence[Sequence[str]], order: int = 4) -> float:
    """Mean BLEU of each text against all others as references, 0 to 1: sacrebleu's sentence BLEU with effective order and smoothing `exp`.

    The clip count of an n-gram is its highest count in any other text, which the two highest counts over all texts tell at once.
    So the cost is that of counting, where the definition compares all pairs.
    """
    grams = [[Counter(ngrams(text, n)) for n in range(1, order + 1)] for text in tokens]
    # Per n-gram: the highest count, the text that has it, and the highest count in the other texts.
    highest: dict[tuple[str, ...], tuple[int, int, int]] = {}
    for i, counters in enumerate(grams):
        for counter in counters:
            for gram, count in counter.items():
                first, owner, second = highest.get(gram, (0, -1, 0))
                if count > first:
                    highest[gram] = (count, i, first)
                elif count > second:
                    highest[gram] = (first, owner, count)
    lengths = Counter(map(len, tokens))
    scores: list[float] = []
    for i, counters in enumerate(grams):
        precisions: list[float] = []
        smooth = 1
        for counter in counters:
            total = counter.total()
            if not total:
                break
            matches = 0
            for gram, count in counter.items():
                first, owner, second = highest[gram]
                matches += min(count, second if owner == i else first)
            if not matches:
                smooth *= 2
            precisions.append(matches / total if matches else 1 / (smooth * total))
        own = len(tokens[i])
        others = lengths - Counter([own])
        nearest = min(others, key=lambda length: (abs(length - own), length), default=own)
        # sacrebleu scores a text without any matching word 0, whatever the smoothing.
        if not precisions or smooth == 2 ** len(precisions):
            scores.append(0.0)
            continue
        brevity = 1.0 if own >= nearest else exp(1 - nearest / own)
        scores.append(brevity * exp(sum(map(log, precisions)) / len(precisions)))
    return sum(scores) / len(scores) if scores else 0.0


def vendi_score(embeddings: Matrix) -> float:
    """Exponential of the entropy of the similarity matrix's eigenvalues, from 1 (all equal) to the number of rows (all orthogonal).

    The n x n cosine matrix and the 384 x 384 covariance have the same non-zero eigenvalues, so the cost grows with n and not with its cube.
    """
    rows = embeddings.astype(np.float64)
    eigenvalues = np.linalg.eigvalsh(rows.T @ rows / len(rows))
    eigenvalues = eigenvalues[eigenvalues > 1e-12]
    return float(np.exp(-(eigenvalues * np.log(eigenvalues)).sum()))


def nearest_cosines(embeddings: Matrix, queries: Sequence[int]) -> NDArray[np.float32]:
    """For each row number in `queries` the highest cosine to any other row."""
    asked = np.asarray(queries)
    best = np.full(len(asked), -1, np.float32)
    for start in range(0, len(embeddings), _BLOCK):
        similarity = embeddings[asked] @ embeddings[start : start + _BLOCK].T
        own = np.flatnonzero((asked >= start) & (asked < start + _BLOCK))
        similarity[own, asked[own] - start] = -1
        np.maximum(best, similarity.max(axis=1), out=best)
    return np.clip(best, -1, 1)


def _sample(prompts: Sequence[str]) -> list[int]:
    """Row numbers of the 1,000 prompts with the smallest digests, in the order of these."""
    order = sorted(range(len(prompts)), key=lambda i: digest(prompts[i]))
    return order[:SAMPLE]


def _distinct_in_hundreds(tokens: Sequence[Sequence[str]]) -> float:
    """Mean distinct-2 of groups of 100 texts; a rest counts only where there is no whole group."""
    groups = [tokens[start : start + 100] for start in range(0, max(len(tokens) - 99, 1), 100)]
    shares = []
    for group in groups:
        grams = [gram for text in group for gram in ngrams(text, 2)]
        if grams:
            shares.append(len(set(grams)) / len(grams))
    return sum(shares) / len(shares) if shares else 0.0


def _topic_figures(topics: Sequence[str], declared: Sequence[str]) -> dict[str, float]:
    cells = Counter(topic for topic in topics if topic in set(declared))
    total = cells.total()
    entropy = sum(count / total * log(total / count) for count in cells.values())
    return {
        "topic_coverage": len(cells) / len(declared) if declared else 0.0,
        # One topic alone can be spread in one way only: evenly.
        "topic_entropy": entropy / log(len(declared)) if len(declared) > 1 else float(total > 0),
    }
