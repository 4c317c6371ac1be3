"""Near-duplicates by plain Python, straight from the definitions, and texts to try them on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from synth_assets.quality import joins
from synth_assets.quality.jaccard import shingles
from synth_assets.quality.joins import Join
from synth_assets.quality.near_duplicates import Duplicate, Survivors, survivors
from synth_assets.quality.pairs import Pairs
from synth_assets.quality.words import words

Text = list[str]
Similarity = Callable[[int, int], Fraction | float]

_WORDS = ("the", "tide", "rises", "falls", "a", "b", "潮", "水", "涨", "落")


@st.composite
def many_texts(draw: st.DrawFn, most: int = 10) -> list[Text]:
    """Word lists in English and Chinese: empty, of one word, equal, edited, of one word over and over, and longer than a machine word has bits."""
    made: list[Text] = []
    for _ in range(draw(st.integers(0, most))):
        kind = draw(st.sampled_from(("new", "new", "equal", "edited", "reordered", "long")))
        if kind == "new" or not made:
            made.append(draw(st.lists(st.sampled_from(_WORDS), max_size=12)))
            continue
        text = list(draw(st.sampled_from(made)))
        if kind == "long":
            text = ((text[:4] or ["w"]) * 70)[: draw(st.integers(60, 70))]
        if kind in ("edited", "long") and text:
            text[draw(st.integers(0, len(text) - 1))] = draw(st.sampled_from(_WORDS))
        made.append(text[::-1] if kind == "reordered" else text)
    return made


def lcs(a: Sequence[str], b: Sequence[str]) -> int:
    row = [0] * (len(b) + 1)
    for word in a:
        previous = 0
        for j, other in enumerate(b):
            previous, row[j + 1] = row[j + 1], previous + 1 if word == other else max(row[j + 1], row[j])
    return row[-1]


def rouge_l(a: Text, b: Text) -> Fraction:
    return Fraction(2 * lcs(a, b), len(a) + len(b)) if a or b else Fraction(0)


def jaccard(a: Text, b: Text) -> Fraction:
    one, other = shingles(a), shingles(b)
    return Fraction(len(one & other), len(one | other)) if one or other else Fraction(0)


def brute_force(rows: int, measures: Mapping[str, tuple[Similarity, Callable[[Any], bool]]], scores: Sequence[float]) -> Survivors:
    """Every row, the best first, compared with every kept one."""
    kept: list[int] = []
    dropped: list[Duplicate] = []
    for row in sorted(range(rows), key=lambda row: (-scores[row], row)):
        near: list[Duplicate] = []
        for measure, (similarity, is_near) in measures.items():
            # Of equals the one that was kept first: max takes the first.
            best = max(kept, key=lambda other: similarity(row, other), default=None)
            if best is not None and is_near(similarity(row, best)):
                near.append(Duplicate(row, best, measure, float(similarity(row, best))))
        dropped.extend(near)
        if not near:
            kept.append(row)
    names = list(measures)
    return Survivors(sorted(kept), sorted(dropped, key=lambda d: (d.row, names.index(d.measure))))


def brute_force_texts(texts: list[Text], measure: str, threshold: Fraction, scores: Sequence[float]) -> Survivors:
    """`brute_force` by rouge_l or jaccard."""
    of = rouge_l if measure == "rouge_l" else jaccard
    similarity = cache(lambda one, other: of(texts[one], texts[other]))
    return brute_force(len(texts), {measure: (similarity, lambda f: f > threshold if measure == "rouge_l" else f >= threshold)}, scores)


def kept_by(join: Join) -> Survivors:
    return survivors([join], np.arange(len(join)))


@contextmanager
def small_blocks() -> Iterator[None]:
    """Blocks of three rows, so that a few rows are many blocks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joins, "BLOCK", 3)
        yield


def as_set(pairs: Pairs) -> set[tuple[int, int]]:
    assert all(pairs.left < pairs.right)
    assert sorted(zip(pairs.left, pairs.right, strict=True)) == list(zip(pairs.left, pairs.right, strict=True))
    found = {(int(i), int(j)) for i, j in zip(pairs.left, pairs.right, strict=True)}
    assert len(found) == len(pairs.left) == len(pairs.similarity)
    return found


def expected_pairs(texts: list[Text], is_near: Callable[[int, int], bool]) -> set[tuple[int, int]]:
    """All pairs that are near, but of equal texts those with the first one only."""
    first: dict[tuple[str, ...], int] = {}
    origin = [first.setdefault(tuple(text), row) for row, text in enumerate(texts)]
    pairs = ((i, j) for i, j in combinations(range(len(texts)), 2) if origin[i] == i and (origin[j] == j or origin[j] == i))
    return {(i, j) for i, j in pairs if is_near(i, j)}


def hostile_texts() -> list[Text]:
    """Texts of 100,000 characters among empty ones, ones of one word, and equal ones."""
    long = [f"w{i % 5000}" for i in range(20_000)]
    han = words("潮水涨落" * 25_000)
    edited = [*long[:-100], *(f"x{i}" for i in range(100))]
    shuffled = [*long[2_500:], *long[:2_500]]
    return [long, [], ["x"], edited, han, [], ["x"], ["y"], long, han[1:], shuffled, ["same"] * 20_000, ["same"] * 19_000]
