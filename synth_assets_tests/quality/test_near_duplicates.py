import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_assets.config import NearDuplicates
from synth_assets.quality import cosine, jaccard, rouge
from synth_assets.quality.cosine import cosine_join, nearest_cosine
from synth_assets.quality.jaccard import jaccard_join, nearest_jaccard, shingles
from synth_assets.quality.jaccard_index import JaccardIndex
from synth_assets.quality.joins import Flags, Near
from synth_assets.quality.near_duplicates import Duplicate, Survivors, cosine_pairs, deduplicate, jaccard_pairs, ranked, rouge_l_pairs, survivors
from synth_assets.quality.pairs import exact
from synth_assets.quality.rouge import nearest_rouge_l
from synth_assets.quality.words import words
from synth_assets_tests.quality.joins import (
    Text,
    as_set,
    brute_force,
    brute_force_texts,
    expected_pairs,
    hostile_texts,
    kept_by,
    many_texts,
    rouge_l,
    small_blocks,
)
from synth_assets_tests.quality.joins import jaccard as jaccard_of


class Graph:
    """A join whose pairs are given."""

    def __init__(self, measure: str, rows: int, pairs: dict[tuple[int, int], float]) -> None:
        self.measure, self._rows, self._pairs = measure, rows, pairs
        self._kept: set[int] = set()

    def __len__(self) -> int:
        return self._rows

    def near(self, start: int, stop: int, *, everything: bool = False) -> Near:
        found = [(j, i, s) for (i, j), s in self._pairs.items() if start <= j < stop and (i >= start or i in self._kept)]
        columns = list(zip(*found, strict=True)) or [(), (), ()]
        return Near(np.array(columns[0], np.int64), np.array(columns[1], np.int64), np.array(columns[2], np.float64))

    def settle(self, start: int, kept: Flags) -> None:
        self._kept |= {start + int(i) for i in np.flatnonzero(kept)}


def in_order(rows: int, *graphs: tuple[str, dict[tuple[int, int], float]]) -> Survivors:
    return survivors([Graph(measure, rows, pairs) for measure, pairs in graphs], np.arange(rows))


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


@settings(max_examples=100, deadline=None)
@given(many_texts(), st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.8, 1.0]))
def test_both_joins_keep_and_name_what_brute_force_does(texts: list[Text], threshold: float) -> None:
    expected = brute_force_texts(texts, "jaccard", exact(threshold), [0.0] * len(texts))
    with small_blocks():
        for join in (jaccard_join(texts, threshold), JaccardIndex(exact(threshold), texts)):
            assert kept_by(join) == expected


@settings(max_examples=100, deadline=None)
@given(many_texts(), st.sampled_from([0.1, 0.5, 0.8, 1.0]), st.booleans())
def test_jaccard_pairs_are_those_of_plain_python(texts: list[Text], threshold: float, compiled: bool) -> None:
    with pytest.MonkeyPatch.context() as patch, small_blocks():
        patch.setattr(jaccard, "COMPILED_FROM", 0 if compiled else 10**9)
        found = jaccard_pairs(texts, threshold)
    assert as_set(found) == expected_pairs(texts, lambda i, j: jaccard_of(texts[i], texts[j]) >= exact(threshold))
    for i, j, similarity in zip(found.left, found.right, found.similarity, strict=True):
        assert similarity == float(jaccard_of(texts[i], texts[j]))
    assert nearest_jaccard(texts).tolist() == [max((float(jaccard_of(a, b)) for b in texts[:i]), default=0.0) for i, a in enumerate(texts)]


@pytest.mark.parametrize("compiled_from", [0, 10**9])
def test_texts_of_100_000_characters(compiled_from: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaccard, "COMPILED_FROM", compiled_from)
    texts = hostile_texts()
    expected = brute_force_texts(texts, "jaccard", exact(0.8), [0.0] * len(texts))
    assert kept_by(jaccard_join(texts, 0.8)) == expected
    assert expected.kept == [0, 1, 2, 4, 5, 7, 11]


@pytest.mark.parametrize("compiled_from", [0, 10**9])
def test_equal_texts_are_paired_with_the_first_one(compiled_from: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (jaccard, rouge):
        monkeypatch.setattr(module, "COMPILED_FROM", compiled_from)
    texts = [["a", "b"], ["x"], ["a", "b"], ["a", "b"], ["x"], []]
    assert as_set(jaccard_pairs(texts, 0.8)) == as_set(rouge_l_pairs(texts, 0.7)) == {(0, 2), (0, 3), (1, 4)}
    assert as_set(rouge_l_pairs(texts, 1.0)) == set()


def test_50_000_equal_rows_make_no_pairs_among_themselves() -> None:
    text = words("Say in one sentence why a tide rises and why it falls again.")
    assert len(jaccard_pairs([text] * 50_000, 0.8).left) == 49_999
    matrix = np.ones((50_000, 8), np.float32)
    assert len(cosine_pairs(matrix, 0.9).left) == 49_999
    result = deduplicate([text] * 50_000, [text] * 50_000, matrix, [0.5] * 50_000, NearDuplicates())
    assert result.kept == [0]
    assert len(result.dropped) == 3 * 49_999


# Cosine


def unit_products(matrix: np.ndarray) -> np.ndarray:
    unit = matrix.astype(np.float64)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-300)
    products: np.ndarray = unit @ unit.T
    return products


@pytest.mark.parametrize("dimensions", [16, 32, 33, 64])
def test_cosine_pairs_over_many_blocks(dimensions: int) -> None:
    source = np.random.default_rng(1)
    # Seven directions and noise: cosines of every size, and axes that hold most of the length.
    matrix = (source.normal(size=(1300, 7)) @ source.normal(size=(7, dimensions)) + 0.6 * source.normal(size=(1300, dimensions))).astype(np.float32)
    matrix[650] = matrix[3] * 2.5
    matrix[700] = matrix[3]
    matrix[400] = 0
    products = unit_products(matrix)
    expected = {(i, j) for i, j in combinations(range(1300), 2) if products[i, j] > 0.6 and j != 700 and i != 700} | {(3, 700)}
    found = cosine_pairs(matrix, 0.6)
    assert as_set(found) == expected
    assert len(expected) > 1000
    assert (3, 650) in expected
    np.testing.assert_allclose(found.similarity, np.minimum(products[found.left, found.right], 1), atol=1e-12)
    nearest = nearest_cosine(matrix)
    np.testing.assert_allclose(nearest[1:], [products[i, :i].max() for i in range(1, 1300)], atol=1e-6)
    assert nearest[0] == nearest[400] == 0
    greedy = brute_force(300, {"cosine": (lambda i, j: float(products[i, j]), lambda c: c > 0.6)}, [0.0] * 300)
    with small_blocks():
        kept, dropped = kept_by(cosine_join(matrix[:300], 0.6))
    assert kept == greedy.kept
    assert [d[:3] for d in dropped] == [d[:3] for d in greedy.dropped]


def test_no_pair_is_decided_by_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs a hair's breadth on either side of the threshold, in directions that the heads do not hold."""
    monkeypatch.setattr(cosine, "HEAD", 2)
    source = np.random.default_rng(4)
    base = source.normal(size=(400, 48))
    base /= np.linalg.norm(base, axis=1, keepdims=True)
    apart = source.normal(size=(400, 48))
    apart -= (apart * base).sum(axis=1, keepdims=True) * base
    apart /= np.linalg.norm(apart, axis=1, keepdims=True)
    cosines = 0.9 + np.linspace(-2e-6, 2e-6, 400)
    other = cosines[:, None] * base + np.sqrt(1 - cosines**2)[:, None] * apart
    found = as_set(cosine_pairs(np.concatenate([base, other]), 0.9))
    assert {(i, i + 400) for i in np.flatnonzero(cosines > 0.9).tolist()} == found


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows_have_no_neighbour(rows: int) -> None:
    matrix = np.ones((rows, 4), dtype=np.float32)
    assert as_set(cosine_pairs(matrix, 0.5)) == set()
    assert nearest_cosine(matrix).tolist() == [0.0] * rows
    assert nearest_rouge_l([["a"]] * rows).tolist() == [0.0] * rows
    assert nearest_jaccard([["a"]] * rows).tolist() == [0.0] * rows
    assert as_set(rouge_l_pairs([["a"]] * rows, 0.5)) == as_set(jaccard_pairs([["a"]] * rows, 0.5)) == set()


# Survivors


def test_the_better_score_comes_first_then_the_earlier_row() -> None:
    assert ranked([0.1, 0.9, 0.5, 0.9]).tolist() == [1, 3, 2, 0]
    three = {(0, 1): 0.9, (0, 2): 0.85, (1, 2): 0.95}
    assert in_order(3, ("jaccard", three)) == ([0], [Duplicate(1, 0, "jaccard", 0.9), Duplicate(2, 0, "jaccard", 0.85)])


def test_rows_are_named_by_their_position_and_not_by_their_rank() -> None:
    graph = Graph("jaccard", 3, {(0, 1): 0.9, (0, 2): 0.8})
    assert survivors([graph], ranked([0.1, 0.9, 0.5])) == ([1], [Duplicate(0, 1, "jaccard", 0.8), Duplicate(2, 1, "jaccard", 0.9)])


def test_a_chain_keeps_both_ends() -> None:
    assert in_order(3, ("cosine", {(0, 1): 0.96, (1, 2): 0.97})) == ([0, 2], [Duplicate(1, 0, "cosine", 0.96)])


def test_a_row_is_told_every_measure_and_the_most_similar_survivor() -> None:
    found = in_order(3, ("rouge_l", {(0, 2): 0.8, (1, 2): 0.8}), ("cosine", {(1, 2): 0.99}))
    assert found == ([0, 1], [Duplicate(2, 0, "rouge_l", 0.8), Duplicate(2, 1, "cosine", 0.99)])


def test_no_pairs_drop_nothing() -> None:
    assert survivors([], np.arange(2)) == ([0, 1], [])
    assert in_order(0, ("cosine", {})) == ([], [])


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not a number"):
        ranked([0.5, math.nan])


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, dict[tuple[int, int], float], dict[tuple[int, int], float]]:
    rows = draw(st.integers(0, 9))
    pairs = st.sampled_from([*combinations(range(rows), 2)]) if rows > 1 else st.nothing()
    edges = st.dictionaries(pairs, st.sampled_from([0.8, 0.9, 1.0]))
    return rows, draw(edges), draw(edges)


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_survivors_of_two_measures_are_those_of_brute_force(graph: tuple[int, dict[tuple[int, int], float], dict[tuple[int, int], float]]) -> None:
    rows, first, second = graph
    measures = {
        "rouge_l": (lambda i, j: first.get((min(i, j), max(i, j)), 0.0), lambda s: s > 0),
        "jaccard": (lambda i, j: second.get((min(i, j), max(i, j)), 0.0), lambda s: s > 0),
    }
    with small_blocks():
        assert in_order(rows, ("rouge_l", first), ("jaccard", second)) == brute_force(rows, measures, [0.0] * rows)


@settings(max_examples=60, deadline=None)
@given(many_texts(), st.data())
def test_deduplicate_is_brute_force_by_score(texts: list[Text], data: st.DataObject) -> None:
    scores = data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=len(texts), max_size=len(texts)))
    measures = {
        "rouge_l": (lambda i, j: rouge_l(texts[i], texts[j]), lambda f: f > Fraction(7, 10)),
        "jaccard": (lambda i, j: jaccard_of(texts[i], texts[j]), lambda f: f >= Fraction(8, 10)),
    }
    with small_blocks():
        found = deduplicate(texts, texts, None, scores, NearDuplicates())
    assert (found.kept, found.dropped) == brute_force(len(texts), measures, scores)
    assert found.rouge_l is not None
    assert found.jaccard is not None
    for place, row in enumerate(found.kept):
        before = [other for other in found.kept if (-scores[other], other) < (-scores[row], row)]
        assert found.rouge_l[place] == max((float(rouge_l(texts[row], texts[other])) for other in before), default=0.0)
        assert found.jaccard[place] == max((float(jaccard_of(texts[row], texts[other])) for other in before), default=0.0)


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
    assert found.rouge_l is not None
    assert found.rouge_l.tolist() == [0, 0, 0]
    assert found.cosine is not None
    assert found.cosine.tolist() == [0, 0, 0]
    assert found.jaccard is not None
    assert len(found.jaccard) == 3


def test_how_near_the_kept_rows_are_is_measured_only_if_asked_for() -> None:
    texts = [words(text) for text in ("Name three birds of prey.", "Name three birds of prey!", "Explain how a zip works.")]
    found = deduplicate(texts, texts, np.eye(3, dtype=np.float32), [0.0] * 3, NearDuplicates(), nearest=False)
    assert found.kept == [0, 2]
    assert (found.rouge_l, found.jaccard, found.cosine) == (None, None, None)


def test_deduplicate_without_embeddings_or_rows() -> None:
    assert deduplicate([["a"]], [["a"]], None, [0.0], NearDuplicates()).cosine is None
    empty = deduplicate([], [], np.empty((0, 3), dtype=np.float32), [], NearDuplicates())
    assert (empty.kept, empty.dropped) == ([], [])
    assert [len(column) for column in empty[2:5] if column is not None] == [0, 0, 0]


def test_columns_of_unlike_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one entry per row"):
        deduplicate([["a"]], [["a"], ["b"]], None, [0.0], NearDuplicates())
    with pytest.raises(ValueError, match="one entry per row"):
        deduplicate([["a"]], [["a"]], np.zeros((2, 3), dtype=np.float32), [0.0], NearDuplicates())


# Two questions about one text


PASSAGE = "a river rises in the hills and runs for ninety miles past four towns before it meets the sea in a wide marsh full of birds"


def kept_of(rows: list[tuple[str, str]]) -> list[int]:
    """Positions of the kept rows of questions with their texts."""
    prompts = [words(f"{question}\n\n{text}") for question, text in rows]
    asked = [len(words(question)) if text else 0 for question, text in rows]
    return deduplicate(prompts, prompts, None, [0.0] * len(rows), NearDuplicates(), asked=asked, nearest=False).kept


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ([("Which animals live in the marsh?", PASSAGE), ("How long is the river?", PASSAGE)], [0, 1]),
        ([("How long is the river?", PASSAGE), ("How long is this river?", PASSAGE)], [0]),
        ([("How long is the river?", PASSAGE), ("Name the towns.", PASSAGE.replace("ninety", "eighty"))], [0, 1]),
        # The first of three is no near-duplicate of the second, which is one of the third.
        ([("Name the towns.", PASSAGE), ("How long is the river?", PASSAGE), ("How long is this river?", PASSAGE)], [0, 1]),
        # A text that is shorter than the questions does not make them alike.
        ([("Name all prime factors of this number.", "60"), ("Name the prime factors of this number.", "60")], [0]),
        ([("Name all prime factors of this number.", "60"), ("Give the square root and its double.", "60")], [0, 1]),
        # One piece: what the question is, is not known.
        ([("How long is the river?", PASSAGE), (f"Name the towns. {PASSAGE}", "")], [0]),
        ([("How long is the river?", PASSAGE), (PASSAGE, "")], [0]),
    ],
)
def test_two_questions_about_one_text_are_near_only_if_the_questions_are(rows: list[tuple[str, str]], kept: list[int]) -> None:
    assert kept_of(rows) == kept


@given(st.lists(st.tuples(st.lists(st.sampled_from("abc"), max_size=4), st.lists(st.sampled_from("xy"), max_size=6)), max_size=12), st.sampled_from([0.5, 0.7]))
def test_questions_and_texts_are_those_of_brute_force(rows: list[tuple[list[str], list[str]]], threshold: float) -> None:
    limit = exact(threshold)
    kept: list[int] = []

    def near(one: list[str], other: list[str]) -> bool:
        return one == other or rouge_l(one, other) > limit

    for place, (question, text) in enumerate(rows):
        for other_question, other_text in (rows[other] for other in kept):
            outweighs = min(len(text), len(other_text)) > max(len(question), len(other_question))
            shared = bool(question and other_question) and outweighs and near(text, other_text)
            if rouge_l(question + text, other_question + other_text) > limit and not (shared and not near(question, other_question)):
                break
        else:
            kept.append(place)
    prompts = [question + text for question, text in rows]
    asked = [len(question) if text else 0 for question, text in rows]
    with small_blocks():
        found = deduplicate(prompts, [[] for _ in rows], None, [0.0] * len(rows), NearDuplicates(rouge_l=threshold), asked=asked, nearest=False)
    assert found.kept == kept
