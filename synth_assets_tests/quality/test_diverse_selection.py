import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_assets.quality.diverse_selection import complexities, select_diverse
from synth_assets.quality.embeddings import DIMENSION, Matrix


def vectors(count: int, seed: int) -> Matrix:
    """Unit vectors of which many are near to each other."""
    made = np.zeros((count, DIMENSION), np.float32)
    made[:, :3] = np.random.default_rng(seed).normal(size=(count, 3))
    made /= np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-6)
    return made


def by_definition(scores: list[float], made: Matrix, wanted: int, limit: float) -> list[int]:
    taken: list[int] = []
    left: list[int] = []
    for row in sorted(range(len(scores)), key=lambda r: (-scores[r], r)):
        if len(taken) < wanted:
            (taken if all(float(made[row] @ made[other]) <= limit for other in taken) else left).append(row)
    return sorted(taken + left[: wanted - len(taken)])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from([0.1, 0.5, 0.5, 0.9]), max_size=30), st.integers(0, 35), st.integers(0, 5), st.sampled_from([-1.0, 0.5, 0.9, 1.0]))
def test_selection_is_that_of_its_definition(scores: list[float], wanted: int, seed: int, limit: float) -> None:
    made = vectors(len(scores), seed)
    assert select_diverse(scores, made, wanted, limit) == by_definition(scores, made, wanted, limit)


def test_the_whole_set_does_not_count_only_what_was_accepted() -> None:
    # Three rows in a chain: each is near to the next, and the ends are apart.
    angles = np.array([0.0, 0.3, 0.6])
    made = np.zeros((3, DIMENSION), np.float32)
    made[:, 0], made[:, 1] = np.cos(angles), np.sin(angles)
    assert select_diverse([0.9, 0.8, 0.7], made, 2, 0.9) == [0, 2]
    assert select_diverse([0.9, 0.8, 0.7], made, 3, 0.9) == [0, 1, 2]
    assert select_diverse([0.9, 0.8, 0.7], None, 2) == [0, 1]


def test_what_stands_already_counts_as_taken() -> None:
    made = vectors(8, 1)
    made[7] = made[0]
    scores = [0.9 - n / 100 for n in range(8)]
    first = select_diverse(scores[:4], made[:4], 4)
    assert first == [0, 1, 2, 3]
    # The row that repeats a standing one comes last, though its score is no worse than theirs.
    assert select_diverse([0.5, 0.9], made[[6, 7]], 1, 0.99, made[first]) == [0]
    assert select_diverse([0.5, 0.9], made[[6, 7]], 1, 0.99) == [1]


def test_complexity_is_a_percentile_of_different_words() -> None:
    assert complexities(["a a a", "a b", "a b c", "写一首诗"]) == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert len(complexities([])) == 0
