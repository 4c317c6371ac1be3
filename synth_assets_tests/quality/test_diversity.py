"""Diversity on corpora small enough to work out by hand, and against slow definitions."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_assets.quality import diversity
from synth_assets.quality.diversity import measure, nearest_cosines, ngram_counts, self_bleu, vendi_score
from synth_assets.quality.embeddings import DIMENSION, Matrix
from synth_assets.quality.words import ngrams

CORPORA = st.lists(st.lists(st.sampled_from("abcd"), max_size=8), max_size=12)


def unit_vectors(n: int, seed: int = 0) -> Matrix:
    vectors: Matrix = np.random.default_rng(seed).normal(size=(n, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def test_english_by_hand() -> None:
    figures = measure(["Add the numbers.", "add the lists"], ["sums", "lists"], ["sums", "lists", "shapes"], "en")
    assert figures["rows"] == 2
    assert figures["mean_words"] == 3
    assert figures["distinct_1"] == 4 / 6  # add, the, numbers, lists
    assert figures["distinct_2"] == 3 / 4
    assert figures["distinct_3"] == 1
    assert figures["entropy_1"] == pytest.approx(2 * (1 / 3) * math.log2(3) + 2 * (1 / 6) * math.log2(6))
    assert figures["topic_coverage"] == pytest.approx(2 / 3)
    assert figures["topic_entropy"] == pytest.approx(math.log(2) / math.log(3))
    assert "vendi" not in figures


def test_chinese_words_are_characters() -> None:
    figures = measure(["写一首诗", "写一封信"], ["a", "a"], ["a"], "zh")
    assert figures["mean_words"] == 4
    assert figures["distinct_1"] == 6 / 8  # 写 一 首 诗 封 信
    assert figures["distinct_2"] == 5 / 6
    assert figures["topic_coverage"] == figures["topic_entropy"] == 1


def test_repetition_lowers_and_variety_raises() -> None:
    same = measure(["Write a poem about the sea."] * 30, ["a"] * 30, ["a", "b"], "en", np.repeat(unit_vectors(1), 30, axis=0))
    varied = measure([f"{a} {b} {c}" for a in "abc" for b in "defg" for c in "hij"], ["a", "b"] * 18, ["a", "b"], "en", unit_vectors(36))
    for name in ("distinct_1", "distinct_2", "entropy_2", "vendi", "topic_entropy", "topic_coverage"):
        assert same[name] < varied[name]
    for name in ("compression_ratio", "self_bleu", "nearest_cosine_mean"):
        assert same[name] > varied[name]
    assert same["self_bleu"] == pytest.approx(1)
    assert same["vendi"] == pytest.approx(1, abs=1e-4)
    assert same["nearest_cosine_p50"] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("prompts", [[], [""], ["", ""], ["one"], ["！！"]])
def test_next_to_nothing_is_measured_without_failing(prompts: list[str]) -> None:
    figures = measure(prompts, ["a"] * len(prompts), ["a"], "en", unit_vectors(len(prompts)))
    assert figures["rows"] == len(prompts)
    assert all(math.isfinite(value) for value in figures.values())


def test_anchors_say_what_a_row_is_about_whatever_it_was_made_for() -> None:
    axes = np.eye(3, DIMENSION, dtype=np.float32)
    figures = measure(["x", "y", "z"], ["a", "b", "c"], ["a", "b", "c"], "en", axes[[0, 0, 1]], axes)
    assert figures["topic_coverage"] == 1 and figures["anchor_coverage"] == pytest.approx(2 / 3)
    assert figures["anchor_entropy"] == pytest.approx((2 / 3 * math.log(3 / 2) + math.log(3) / 3) / math.log(3))
    assert "anchor_coverage" not in measure(["x"], ["a"], ["a"], "en", axes[:1])


def test_rows_of_undeclared_topics_fill_no_cell() -> None:
    figures = measure(["x", "y"], ["other", "a"], ["a", "b"], "en")
    assert (figures["topic_coverage"], figures["topic_entropy"]) == (0.5, 0)


@given(order=st.permutations(range(12)))
def test_order_changes_nothing(order: list[int]) -> None:
    prompts = [f"Explain {x} to a {y}." for x in ("gravity", "rain", "interest") for y in ("child", "judge", "cook", "cook")]
    vectors = unit_vectors(12)
    vectors[3::4] = vectors[2::4]
    one = measure(prompts, list("abcd" * 3), ["a", "b", "c", "d"], "en", vectors)
    other = measure([prompts[i] for i in order], [("abcd" * 3)[i] for i in order], ["a", "b", "c", "d"], "en", vectors[order])
    assert other == pytest.approx(one, rel=1e-5)


@given(corpus=CORPORA)
def test_ngram_counts_are_those_of_a_counter(corpus: list[list[str]]) -> None:
    for n, counts in enumerate(ngram_counts(corpus, 3), start=1):
        expected = Counter(gram for text in corpus for gram in ngrams(text, n))
        assert sorted(counts.tolist()) == sorted(expected.values())


def bleu_by_definition(corpus: list[list[str]]) -> float:
    """Sentence BLEU of each text against all others, compared pair by pair."""
    scores = []
    for i, text in enumerate(corpus):
        others = corpus[:i] + corpus[i + 1 :]
        logs, smooth, matched = [], 1, False
        for n in range(1, 5):
            grams = Counter(ngrams(text, n))
            if not grams:
                break
            matches = sum(min(count, max((Counter(ngrams(other, n))[gram] for other in others), default=0)) for gram, count in grams.items())
            matched = matched or matches > 0
            smooth *= 1 if matches else 2
            logs.append(math.log(matches / grams.total() if matches else 1 / (smooth * grams.total())))
        nearest = min((len(other) for other in others), key=lambda length: (abs(length - len(text)), length), default=len(text))
        brevity = 1.0 if len(text) >= nearest else math.exp(1 - nearest / max(1, len(text)))
        scores.append(brevity * math.exp(sum(logs) / len(logs)) if matched else 0.0)
    return sum(scores) / len(scores) if scores else 0.0


@given(corpus=CORPORA)
def test_self_bleu_is_that_of_its_definition(corpus: list[list[str]]) -> None:
    assert self_bleu(corpus) == pytest.approx(bleu_by_definition(corpus))


def test_vendi_is_that_of_the_kernel() -> None:
    vectors = unit_vectors(60)
    vectors[30:] = vectors[:30]
    eigenvalues = np.linalg.eigvalsh(vectors.astype(float) @ vectors.T.astype(float) / 60)
    eigenvalues = eigenvalues[eigenvalues > 1e-12]
    assert vendi_score(vectors) == pytest.approx(math.exp(-(eigenvalues * np.log(eigenvalues)).sum()), rel=1e-4)
    assert vendi_score(np.eye(DIMENSION, dtype=np.float32)) == pytest.approx(DIMENSION)


def test_nearest_cosines_leave_the_row_itself_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diversity, "_BLOCK", 7)
    vectors = unit_vectors(40)
    expected = vectors @ vectors.T
    np.fill_diagonal(expected, -1)
    assert nearest_cosines(vectors, [0, 13, 39]) == pytest.approx(expected.max(axis=1)[[0, 13, 39]], abs=1e-6)


def test_the_sample_stays_when_rows_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diversity, "SAMPLE", 20)
    prompts = [f"prompt number {i}" for i in range(200)]
    before = {prompts[i] for i in diversity._sample(prompts)}
    more = [*(f"added {i}" for i in range(10)), *prompts]
    after = {more[i] for i in diversity._sample(more)}
    assert len(before & after) >= 15
