import gzip
import json
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_assets.quality.near_duplicates import RougePool, rouge_l_exceeds, rouge_l_pairs, survivors
from synth_assets.quality.pairs import exact
from synth_assets.quality.rouge import nearest_rouge_l
from synth_assets.quality.words import words
from synth_assets_tests.quality.joins import as_set

SHARED_DATA = Path(__file__).parents[2] / ".." / "shared" / "data"

Text = list[str]
texts_of = st.lists(st.lists(st.sampled_from("abcd"), max_size=9), max_size=8)


def lcs(a: Sequence[str], b: Sequence[str]) -> int:
    @cache
    def of(i: int, j: int) -> int:
        if i == len(a) or j == len(b):
            return 0
        return 1 + of(i + 1, j + 1) if a[i] == b[j] else max(of(i + 1, j), of(i, j + 1))

    return of(0, 0)


def rouge_l(a: Text, b: Text) -> Fraction:
    return Fraction(2 * lcs(a, b), len(a) + len(b)) if a or b else Fraction(0)


def with_common(common: int, m: int, n: int) -> tuple[Text, Text]:
    shared = [f"s{i}" for i in range(common)]
    return [*shared, *(f"a{i}" for i in range(m - common))], [*(f"b{i}" for i in range(n - common)), *shared]


@pytest.mark.parametrize(
    ("common", "m", "n", "threshold", "above"),
    [
        (7, 10, 10, 0.7, False),
        (8, 10, 10, 0.7, True),
        (21, 23, 37, 0.7, False),
        (21, 37, 23, 0.7, False),
        (22, 23, 37, 0.7, True),
        (35, 41, 59, 0.7, False),
        (42, 46, 74, 0.7, False),
        (56, 71, 89, 0.7, False),
        (0, 0, 0, 0.7, False),
        (0, 0, 0, 0.0, False),
        (0, 3, 4, 0.0, False),
        (1, 3, 4, 0.0, True),
        (1, 1, 1, 1.0, False),
        (1, 1, 1, 0.999999999, True),
    ],
)
def test_rouge_l_decides_in_integers(common: int, m: int, n: int, threshold: float, above: bool) -> None:
    assert rouge_l_exceeds(common, m, n, exact(threshold)) is above
    one, other = with_common(common, m, n)
    pool = RougePool()
    pool.add(one)
    assert (pool.exceeds(other, threshold) is not None) is above
    assert as_set(rouge_l_pairs([one, other], threshold)) == ({(0, 1)} if above else set())


def test_every_shape_at_seven_tenths_is_kept() -> None:
    shapes = [(7 * (m + n) // 20, m, n) for m in range(1, 101) for n in range(1, 101) if 7 * (m + n) % 20 == 0 and 7 * (m + n) // 20 <= min(m, n)]
    assert len(shapes) == 238
    for common, m, n in shapes:
        assert not rouge_l_exceeds(common, m, n, exact(0.7))
        assert rouge_l_exceeds(common + 1, m, n, exact(0.7))
    for m in range(1, 101):
        columns = np.array([(common, n) for common, one, n in shapes if one == m]).reshape(-1, 2)
        assert not rouge_l_exceeds(columns[:, 0], m, columns[:, 1], exact(0.7)).any()


def test_an_empty_pool_has_nothing_near() -> None:
    pool = RougePool()
    assert len(pool) == 0
    assert pool.nearest(["a"]) is None
    assert pool.exceeds(["a"], 0.0) is None


def test_the_pool_names_the_most_similar_and_of_equals_the_earliest() -> None:
    pool = RougePool()
    for text in ("name three birds", "name three birds of prey", "name three fish of prey", "name three birds of prey", ""):
        pool.add(words(text))
    assert pool.nearest(words("name three birds of prey please")) == (1, 10 / 11)
    assert pool.exceeds(words("name three birds of prey please"), 0.7) == (1, 10 / 11)
    assert pool.exceeds(words("name three birds of prey please"), 0.95) is None
    assert pool.nearest(words("unrelated words")) == (0, 0.0)
    assert pool.nearest([]) == (0, 0.0)


def test_a_large_vocabulary_stays_apart_around_the_surrogates() -> None:
    pool = RougePool()
    vocabulary = [f"w{i}" for i in range(0xD800 + 3000)]
    pool.add(vocabulary)
    for i in (0, 0xD7FF, 0xD800, 0xDFFF, len(vocabulary) - 1):
        assert pool.nearest([vocabulary[i], "unseen"]) == (0, 2 / (len(vocabulary) + 2))


def test_long_texts_are_compared() -> None:
    one = [f"w{i % 5000}" for i in range(20_000)]  # about 100,000 characters
    other = [*one[:-100], *(f"x{i}" for i in range(100))]
    pool = RougePool()
    pool.add(one)
    assert pool.nearest(other) == (0, 0.995)


@settings(max_examples=150, deadline=None)
@given(texts_of, st.sampled_from([0.3, 0.5, 0.7, 0.8, 1.0]))
def test_the_pool_keeps_what_plain_python_keeps(texts: list[Text], threshold: float) -> None:
    pool = RougePool()
    kept: list[int] = []
    expected: list[int] = []
    for row, tokens in enumerate(texts):
        best = max(((rouge_l(tokens, texts[k]), -place) for place, k in enumerate(expected)), default=None)
        nearest = pool.nearest(tokens)
        assert nearest == (best and (-best[1], float(best[0])))
        assert pool.exceeds(tokens, threshold) == (nearest if best and best[0] > exact(threshold) else None)
        if pool.exceeds(tokens, threshold) is None:
            pool.add(tokens)
            kept.append(row)
        if not best or best[0] <= exact(threshold):
            expected.append(row)
    assert kept == expected


@settings(max_examples=150, deadline=None)
@given(texts_of, st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]))
def test_rouge_l_pairs_are_those_of_plain_python(texts: list[Text], threshold: float) -> None:
    found = rouge_l_pairs(texts, threshold)
    expected = {(i, j) for i, j in combinations(range(len(texts)), 2) if rouge_l(texts[i], texts[j]) > exact(threshold)}
    assert as_set(found) == expected
    for i, j, similarity in zip(found.left, found.right, found.similarity, strict=True):
        assert similarity == float(rouge_l(texts[i], texts[j]))
    assert nearest_rouge_l(texts).tolist() == [max((float(rouge_l(a, b)) for j, b in enumerate(texts) if j != i), default=0.0) for i, a in enumerate(texts)]


def test_joins_agree_with_the_pool_over_many_blocks() -> None:
    source = np.random.default_rng(5)
    base = [[f"w{w}" for w in source.integers(0, 400, size=source.integers(1, 30))] for _ in range(400)]
    edited = [[*text[: len(text) // 2], "x", *text[len(text) // 2 :]] for text in base[::2]]
    texts = [*base, *edited]
    pool, greedy = RougePool(), []
    for row, tokens in enumerate(texts):
        if pool.exceeds(tokens, 0.7) is None:
            pool.add(tokens)
            greedy.append(row)
    kept = survivors([rouge_l_pairs(texts, 0.7)], [0.0] * len(texts)).kept
    assert kept == greedy
    assert 300 < len(kept) < 500
    assert nearest_rouge_l([texts[k] for k in kept]).max() <= 0.7


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="real data are not beside this checkout: ../shared/data")
def test_the_first_5000_alpaca_instructions() -> None:
    """Alpaca dropped what was above 0.7: nothing is left there, and 22 of these rows are at exactly 0.7."""
    with gzip.open(SHARED_DATA / "alpaca_52k.jsonl.gz", "rt", encoding="utf-8") as lines:
        instructions = [words(json.loads(line)["instruction"]) for line, _ in zip(lines, range(5000), strict=False)]
    scores = [0.0] * len(instructions)
    assert len(survivors([rouge_l_pairs(instructions, 0.7)], scores).kept) == 5000
    assert len(survivors([rouge_l_pairs(instructions, 0.699999999)], scores).kept) == 4978
