import gzip
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_assets.quality import rouge
from synth_assets.quality.joins import Join
from synth_assets.quality.near_duplicates import RougePool, rouge_l_exceeds, rouge_l_pairs, rouge_l_survivors
from synth_assets.quality.pairs import exact
from synth_assets.quality.rouge import nearest_rouge_l, rouge_l_join
from synth_assets.quality.rouge_index import RougeIndex
from synth_assets.quality.words import words
from synth_assets_tests.quality.joins import Text, as_set, brute_force_texts, expected_pairs, hostile_texts, kept_by, many_texts, rouge_l, small_blocks

SHARED_DATA = Path(__file__).parents[2] / ".." / "shared" / "data"

THRESHOLDS = st.sampled_from([0.0, 0.3, 0.5, 0.7, 0.8, 1.0])


@pytest.fixture(params=["few", "compiled"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways, whatever the number of texts."""
    for switch in ("COMPILED_FROM", "POOL_COMPILED_FROM"):
        monkeypatch.setattr(rouge, switch, 0 if request.param == "compiled" else 10**9)
    monkeypatch.setattr(rouge, "_COMPILED_FROM_WORDS", 10**9)
    return str(request.param)


def joins_of(texts: list[Text], threshold: float) -> list[Join]:
    return [rouge_l_join(texts, threshold), RougeIndex(exact(threshold), texts)]


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
@pytest.mark.usefixtures("way")
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
    assert pool.exceeds(["a"], 0.0) is None


@pytest.mark.usefixtures("way")
def test_the_pool_names_the_most_similar_and_of_equals_the_earliest() -> None:
    pool = RougePool()
    for text in ("name three birds", "name three birds of prey", "name three fish of prey", "name three birds of prey", ""):
        pool.add(words(text))
    assert len(pool) == 5
    assert pool.exceeds(words("name three birds of prey please"), 0.7) == (1, 10 / 11)
    assert pool.exceeds(words("name three birds of prey please"), 0.95) is None
    assert pool.exceeds(words("unrelated words"), 0.0) is None
    assert pool.exceeds([], 0.0) is None


@pytest.mark.usefixtures("way")
def test_a_large_vocabulary_stays_apart_around_the_surrogates() -> None:
    pool = RougePool()
    vocabulary = [f"w{i}" for i in range(0xD800 + 3000)]
    pool.add(vocabulary)
    for i in (0, 0xD7FE, 0xD7FF, 0xD800, 0xDFFF, len(vocabulary) - 1):
        assert pool.exceeds([vocabulary[i], "unseen"], 0.0) == (0, 2 / (len(vocabulary) + 2))
    assert pool.exceeds(["unseen", "as well"], 0.0) is None


def test_more_words_than_there_are_characters() -> None:
    pool = RougePool()
    pool.add(["one", "two", "three"])
    pool.add([f"w{i}" for i in range(1_200_000)])
    assert pool.exceeds(["w1199999", "two", "three"], 0.5) == (0, 2 / 3)
    pool.add(["four"])
    assert pool.exceeds(["four"], 0.7) == (2, 1.0)


def test_texts_of_100_000_characters() -> None:
    texts = hostile_texts()
    pool = RougePool()
    pool.add(texts[0])
    assert pool.exceeds(texts[3], 0.7) == (0, 0.995)
    assert kept_by(rouge_l_join(texts, 0.7)).kept == [0, 1, 2, 4, 5, 7, 11]
    assert as_set(rouge_l_pairs(texts, 0.7)) == {(0, 3), (0, 8), (0, 10), (2, 6), (3, 10), (4, 9), (11, 12)}


@settings(max_examples=60, deadline=None)
@given(many_texts(), THRESHOLDS, st.booleans())
def test_the_pool_keeps_what_brute_force_keeps(texts: list[Text], threshold: float, compiled: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rouge, "POOL_COMPILED_FROM", 3 if compiled else 10**9)
        pool = RougePool()
        kept: list[int] = []
        expected = brute_force_texts(texts, "rouge_l", exact(threshold), [0.0] * len(texts))
        named = {d.row: (d.survivor, d.similarity) for d in expected.dropped}
        for row, tokens in enumerate(texts):
            near = pool.exceeds(tokens, threshold)
            assert (near and (kept[near[0]], near[1])) == named.get(row)
            if near is None:
                pool.add(tokens)
                kept.append(row)
        assert kept == expected.kept


def test_a_pool_is_asked_for_many_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rouge, "POOL_COMPILED_FROM", 2)
    pool = RougePool()
    for text in ("a b c d e f g h i j", "k l m n", "o p"):
        pool.add(words(text))
    for threshold, near in ((0.9, False), (0.5, True), (0.3, True), (0.6, False), (0.59, True)):
        assert (pool.exceeds(words("a b c d e f x y z w"), threshold) is not None) is near


@pytest.mark.usefixtures("way")
def test_what_was_looked_up_need_not_be_what_is_added() -> None:
    pool = RougePool()
    mutable = words("a b c d")
    for text in ("k l m n", "o p q r"):
        pool.add(words(text))
    assert pool.exceeds(mutable, 0.7) is None
    mutable[:] = words("e f g h")
    pool.add(mutable)
    assert pool.exceeds(words("a b c d"), 0.7) is None
    pool.add(words("s t u v"))
    pool.add(words("a b c d"))
    pool.add(words("a b c d"))
    assert [pool.exceeds(words(text), 0.7) for text in ("e f g h", "s t u v", "a b c d", "o p q r")] == [(2, 1.0), (3, 1.0), (4, 1.0), (1, 1.0)]
    assert len(pool) == 6


@settings(max_examples=60, deadline=None)
@given(many_texts(), THRESHOLDS)
def test_both_joins_keep_and_name_what_brute_force_does(texts: list[Text], threshold: float) -> None:
    expected = brute_force_texts(texts, "rouge_l", exact(threshold), [0.0] * len(texts))
    assert rouge_l_survivors(texts, threshold) == expected
    with small_blocks():
        for join in joins_of(texts, threshold):
            assert kept_by(join) == expected


@settings(max_examples=60, deadline=None)
@given(many_texts(), THRESHOLDS, st.booleans())
def test_rouge_l_pairs_are_those_of_plain_python(texts: list[Text], threshold: float, compiled: bool) -> None:
    with pytest.MonkeyPatch.context() as patch, small_blocks():
        patch.setattr(rouge, "COMPILED_FROM", 0 if compiled else 10**9)
        found = rouge_l_pairs(texts, threshold)
        assert as_set(found) == expected_pairs(texts, lambda i, j: rouge_l(texts[i], texts[j]) > exact(threshold))
        for i, j, similarity in zip(found.left, found.right, found.similarity, strict=True):
            assert similarity == float(rouge_l(texts[i], texts[j]))
        assert nearest_rouge_l(texts).tolist() == [max((float(rouge_l(a, b)) for b in texts[:i]), default=0.0) for i, a in enumerate(texts)]


def test_both_joins_agree_over_many_blocks() -> None:
    source = np.random.default_rng(5)
    base = [[f"w{w}" for w in source.integers(0, 400, size=source.integers(1, 90))] for _ in range(1400)]
    edited = [[*text[: len(text) // 2], "x", *text[len(text) // 2 :]] for text in base[::2]]
    texts = [*base, *edited]
    pool, greedy = RougePool(), []
    for row, tokens in enumerate(texts):
        if pool.exceeds(tokens, 0.7) is None:
            pool.add(tokens)
            greedy.append(row)
    few, compiled = (kept_by(join) for join in joins_of(texts, 0.7))
    assert few == compiled
    assert few.kept == greedy
    assert 1300 < len(greedy) < 1500
    assert nearest_rouge_l([texts[k] for k in greedy]).max() <= 0.7


def test_equal_and_nearly_equal_rows_make_no_pairs_among_themselves() -> None:
    """50,000 of each: their pairs would fill 40 GB."""
    equal = [["name", "three", "birds", "of", "prey"]] * 50_000
    assert len(rouge_l_pairs(equal, 0.7).left) == 49_999
    assert rouge_l_survivors(equal, 0.7).kept == [0]
    counted = [["give", "me", "the", "list", "of", "all", "birds", "number", str(i)] for i in range(50_000)]
    assert rouge_l_survivors(counted, 0.7).kept == [0]


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="real data are not beside this checkout: ../shared/data")
def test_the_first_5000_alpaca_instructions() -> None:
    """Alpaca dropped what was above 0.7: nothing is left there, and 22 of these rows are at exactly 0.7."""
    instructions = alpaca(5000)
    for join in joins_of(instructions, 0.7):
        assert len(kept_by(join).kept) == 5000
    for join in joins_of(instructions, 0.699999999):
        assert len(kept_by(join).kept) == 4978


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="real data are not beside this checkout: ../shared/data")
@pytest.mark.parametrize("threshold", [Fraction(7, 10), Fraction(699999999, 10**9), Fraction(1, 2)])
def test_2000_alpaca_instructions_are_kept_as_brute_force_keeps_them(threshold: Fraction) -> None:
    """Every row against every kept one by the textbook LCS; half of the rows are edits of others, or nothing would be dropped at 0.7."""
    source = np.random.default_rng(2)
    texts = alpaca(1000)
    for row in range(1000):
        text = list(texts[row])
        text[int(source.integers(len(text)))] = "edited"
        texts.append(text)
    texts = [texts[row] for row in source.permutation(2000)]
    in_common = words_in_common(texts)
    kept: list[int] = []
    for row, text in enumerate(texts):
        # Without as many words in common as the LCS needs, there is no need for the LCS.
        close = [other for other in kept if 2 * in_common[row, other] > threshold * (len(text) + len(texts[other]))]
        if not any(rouge_l(text, texts[other]) > threshold for other in close):
            kept.append(row)
    assert 500 < len(kept) < 1500
    for join in joins_of(texts, float(threshold)):
        assert kept_by(join).kept == kept


def words_in_common(texts: list[Text]) -> np.ndarray:
    """Words that two texts have in common, repetitions counted: rows x rows."""
    elements = [{(word, text[:place].count(word)) for place, word in enumerate(text)} for text in texts]
    columns = {element: column for column, element in enumerate(set().union(*elements))}
    matrix = np.zeros((len(texts), len(columns)), np.float32)
    for row, present in enumerate(elements):
        matrix[row, [columns[element] for element in present]] = 1
    return (matrix @ matrix.T).astype(int)


def alpaca(rows: int) -> list[Text]:
    with gzip.open(SHARED_DATA / "alpaca_52k.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [words(json.loads(line)["instruction"]) for line, _ in zip(lines, range(rows), strict=False)]
