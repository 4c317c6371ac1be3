import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_assets.config import NearDuplicates
from synth_assets.quality.cosine import nearest_cosine
from synth_assets.quality.jaccard import nearest_jaccard, shingles
from synth_assets.quality.near_duplicates import Duplicate, Pairs, cosine_pairs, deduplicate, jaccard_pairs, rouge_l_pairs, survivors
from synth_assets.quality.pairs import exact
from synth_assets.quality.rouge import nearest_rouge_l
from synth_assets.quality.words import words
from synth_assets_tests.quality.joins import as_set

Text = list[str]


def jaccard(a: Text, b: Text) -> Fraction:
    one, other = shingles(a), shingles(b)
    return Fraction(len(one & other), len(one | other)) if one or other else Fraction(0)


def pairs(measure: str, *rows: tuple[int, int, float]) -> Pairs:
    left, right, similarity = zip(*rows, strict=True) if rows else ((), (), ())
    return Pairs(measure, np.array(left, dtype=np.int32), np.array(right, dtype=np.int32), np.array(similarity, dtype=np.float64))


# Jaccard


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("one", 1), ("one two three four", 1), ("one two three four five", 1), ("a b c d e f", 2), ("a a a a a a a", 1), ("甲乙丙丁戊己", 2)],
)
def test_shingles(text: str, count: int) -> None:
    assert len(shingles(words(text))) == count


@pytest.mark.parametrize(
    ("one", "other", "threshold", "near"),
    [
        ("", "", 0.5, False),
        ("one", "one", 1.0, True),
        ("one", "two", 0.1, False),
        ("one two", "two one", 0.1, False),
        ("a b c d", "a b c d e", 0.1, False),
        # 8 shingles of 12 words, the last word changed: 7 common of 9.
        ("a b c d e f g h i j k l", "a b c d e f g h i j k x", 7 / 9, True),
        ("a b c d e f g h i j k l", "a b c d e f g h i j k x", 0.78, False),
        # 4 common of 5: exactly the threshold, and equal is near.
        ("a b c d e f g h i", "a b c d e f g h", 0.8, True),
        ("a b c d e f g h i", "a b c d e f g h", 0.800000001, False),
        ("甲乙丙丁戊己庚", "甲乙丙丁戊己庚", 0.8, True),
    ],
)
def test_jaccard_at_the_threshold(one: str, other: str, threshold: float, near: bool) -> None:
    assert as_set(jaccard_pairs([words(one), words(other)], threshold)) == ({(0, 1)} if near else set())


def test_a_jaccard_threshold_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        jaccard_pairs([["a"], ["b"]], 0.0)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.sampled_from("ab"), max_size=14), max_size=9), st.sampled_from([0.3, 0.5, 0.7, 0.8, 1.0]))
def test_jaccard_pairs_are_those_of_plain_python(texts: list[Text], threshold: float) -> None:
    found = jaccard_pairs(texts, threshold)
    assert as_set(found) == {(i, j) for i, j in combinations(range(len(texts)), 2) if jaccard(texts[i], texts[j]) >= exact(threshold)}
    for i, j, similarity in zip(found.left, found.right, found.similarity, strict=True):
        assert similarity == float(jaccard(texts[i], texts[j]))
    assert nearest_jaccard(texts).tolist() == [max((float(jaccard(a, b)) for j, b in enumerate(texts) if j != i), default=0.0) for i, a in enumerate(texts)]


def test_equal_texts_are_all_paired() -> None:
    long = [f"w{i}" for i in range(20_000)]
    texts = [long, ["x"], long, long, ["x"]]
    assert as_set(jaccard_pairs(texts, 0.8)) == {(0, 2), (0, 3), (2, 3), (1, 4)}
    assert as_set(rouge_l_pairs(texts, 0.7)) == {(0, 2), (0, 3), (2, 3), (1, 4)}


# Cosine


def test_cosine_pairs_over_many_blocks() -> None:
    source = np.random.default_rng(1)
    matrix = source.normal(size=(700, 16)).astype(np.float32)
    matrix[650] = matrix[3] * 2.5
    matrix[400] = 0
    unit = matrix.astype(np.float64)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-300)
    products = unit @ unit.T
    expected = {(i, j) for i, j in combinations(range(700), 2) if products[i, j] > 0.6}
    found = cosine_pairs(matrix, 0.6)
    assert as_set(found) == expected
    assert (3, 650) in expected
    np.fill_diagonal(products, -1)
    np.testing.assert_allclose(nearest_cosine(matrix), products.max(axis=1), atol=1e-12)
    assert nearest_cosine(matrix)[400] == 0


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows_have_no_neighbour(rows: int) -> None:
    matrix = np.ones((rows, 4), dtype=np.float32)
    assert as_set(cosine_pairs(matrix, 0.5)) == set()
    assert nearest_cosine(matrix).tolist() == [0.0] * rows
    assert nearest_rouge_l([["a"]] * rows).tolist() == [0.0] * rows
    assert nearest_jaccard([["a"]] * rows).tolist() == [0.0] * rows
    assert as_set(rouge_l_pairs([["a"]] * rows, 0.5)) == as_set(jaccard_pairs([["a"]] * rows, 0.5)) == set()


# Survivors


def test_the_better_score_survives_then_the_earlier_row() -> None:
    three = pairs("jaccard", (0, 1, 0.9), (0, 2, 0.85), (1, 2, 0.95))
    assert survivors([three], [0.1, 0.9, 0.5]) == ([1], [Duplicate(0, 1, "jaccard", 0.9), Duplicate(2, 1, "jaccard", 0.95)])
    assert survivors([three], [0.5, 0.5, 0.5]).kept == [0]
    assert survivors([three], [0.5, 0.9, 0.9]).kept == [1]


def test_a_chain_keeps_both_ends() -> None:
    chain = pairs("cosine", (0, 1, 0.96), (1, 2, 0.97))
    assert survivors([chain], [1.0, 0.0, 0.5]) == ([0, 2], [Duplicate(1, 2, "cosine", 0.97)])
    assert survivors([chain], [0.0, 1.0, 0.5]).kept == [1]
    # 1 falls to 0, so that 2 has no kept near-duplicate.
    assert survivors([chain], [1.0, 0.5, 0.0]) == ([0, 2], [Duplicate(1, 0, "cosine", 0.96)])


def test_a_row_is_told_every_measure_and_the_most_similar_survivor() -> None:
    rouge = pairs("rouge_l", (0, 2, 0.8), (1, 2, 0.8))
    cosine = pairs("cosine", (1, 2, 0.99))
    assert survivors([rouge, cosine], [0.2, 0.3, 0.1]) == ([0, 1], [Duplicate(2, 1, "rouge_l", 0.8), Duplicate(2, 1, "cosine", 0.99)])


def test_no_pairs_drop_nothing() -> None:
    assert survivors([], [0.5, 0.1]) == ([0, 1], [])
    assert survivors([pairs("cosine")], []) == ([], [])


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not a number"):
        survivors([], [0.5, math.nan])


graphs = st.integers(0, 9).flatmap(
    lambda n: st.tuples(
        st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=n, max_size=n),
        st.sets(st.tuples(st.integers(0, max(n - 1, 0)), st.integers(0, max(n - 1, 0))).filter(lambda p: p[0] < p[1])),
        st.sets(st.tuples(st.integers(0, max(n - 1, 0)), st.integers(0, max(n - 1, 0))).filter(lambda p: p[0] < p[1])),
    )
)


@settings(max_examples=200, deadline=None)
@given(graphs)
def test_kept_rows_are_apart_and_dropped_ones_have_a_better_survivor(graph: tuple[list[float], set[tuple[int, int]], set[tuple[int, int]]]) -> None:
    scores, first, second = graph
    columns = [pairs("rouge_l", *((i, j, 0.8) for i, j in sorted(first))), pairs("jaccard", *((i, j, 0.9) for i, j in sorted(second)))]
    kept, dropped = survivors(columns, scores)
    edges = first | second
    assert not any(i in kept and j in kept for i, j in edges)
    assert sorted({*kept, *(d.row for d in dropped)}) == list(range(len(scores)))
    assert not {d.row for d in dropped} & set(kept)
    for d in dropped:
        assert d.survivor in kept
        assert (min(d.row, d.survivor), max(d.row, d.survivor)) in (first if d.measure == "rouge_l" else second)
        assert (-scores[d.survivor], d.survivor) < (-scores[d.row], d.row)
    assert len({(d.row, d.measure) for d in dropped}) == len(dropped)


# All three


def test_deduplicate_names_survivors_and_how_near_the_kept_rows_are() -> None:
    prompts = ["Name three birds of prey.", "Name three birds of prey!", "Explain how a zip works.", "Say how zips work.", "计算二加二。"]
    responses = ["Owl, kite, hawk.", "Eagle, falcon, buzzard.", "Teeth lock in a row when the slider goes up.", "The slider locks the teeth.", "四。"]
    embeddings = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0.99, 0.01], [0, 0, 1]], dtype=np.float32)
    found = deduplicate(
        [words(p) for p in prompts],
        [words(f"{p}\n{r}") for p, r in zip(prompts, responses, strict=True)],
        embeddings,
        [0.2, 0.8, 0.5, 0.5, 0.1],
        NearDuplicates(),
    )
    assert found.kept == [1, 2, 4]
    assert [(d.row, d.survivor, d.measure) for d in found.dropped] == [(0, 1, "rouge_l"), (0, 1, "cosine"), (3, 2, "cosine")]
    assert found.rouge_l.tolist() == [0, 0, 0]
    assert found.cosine is not None
    assert found.cosine.tolist() == [0, 0, 0]
    assert len(found.jaccard) == 3


def test_deduplicate_without_embeddings_or_rows() -> None:
    assert deduplicate([["a"]], [["a"]], None, [0.0], NearDuplicates()).cosine is None
    empty = deduplicate([], [], np.empty((0, 3), dtype=np.float32), [], NearDuplicates())
    assert (empty.kept, empty.dropped, len(empty.rouge_l)) == ([], [], 0)


def test_columns_of_unlike_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one entry per row"):
        deduplicate([["a"]], [["a"], ["b"]], None, [0.0], NearDuplicates())
    with pytest.raises(ValueError, match="one entry per row"):
        deduplicate([["a"]], [["a"]], np.zeros((2, 3), dtype=np.float32), [0.0], NearDuplicates())
