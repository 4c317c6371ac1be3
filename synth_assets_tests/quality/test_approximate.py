import sys

import numpy as np
import pytest

from synth_assets.config import NearDuplicates
from synth_assets.errors import MissingExtra
from synth_assets.quality import cosine, jaccard
from synth_assets.quality.approximate import SAMPLE, Recall, sample_of
from synth_assets.quality.cosine import CosineJoin, cosine_join, cosine_pairs
from synth_assets.quality.cosine_lists import CosineLists
from synth_assets.quality.jaccard import jaccard_join, jaccard_pairs
from synth_assets.quality.jaccard_minhash import JaccardMinHash
from synth_assets.quality.near_duplicates import deduplicate
from synth_assets.quality.pairs import exact
from synth_assets_tests.quality.joins import Text, as_set, kept_by


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than one are many."""
    monkeypatch.setattr(jaccard, "EXACT_UP_TO", 1)
    monkeypatch.setattr(cosine, "EXACT_UP_TO", 1)


def rows_of_text() -> list[Text]:
    """1,200 texts of which every third is an edit of an earlier one, with empty ones and ones of one word."""
    source = np.random.default_rng(3)
    texts: list[Text] = [[], ["x"], [], ["x"]]
    for row in range(1200):
        text = [f"w{number}" for number in source.integers(0, 3000, 40)] if row % 3 < 2 else list(texts[int(source.integers(4, len(texts)))])
        if row % 3 == 2:
            text[int(source.integers(len(text)))] = f"edit{row}"
        texts.append(text)
    return texts


def vectors() -> np.ndarray:
    """900 unit vectors of which every third is close to an earlier one, and one of zeros."""
    source = np.random.default_rng(5)
    matrix = source.normal(size=(900, 96))
    for row in range(2, 900, 3):
        other = matrix[int(source.integers(row))]
        matrix[row] = other + source.uniform(0.1, 0.6) * np.linalg.norm(other) * source.normal(size=96) / np.sqrt(96)
    matrix[7] = 0
    matrix[1:7] /= np.linalg.norm(matrix[1:7], axis=1, keepdims=True)
    return matrix.astype(np.float32)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("threshold", [0.5, 0.8, 1.0])
def test_minhash_invents_no_pair_and_says_what_it_misses(threshold: float, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rensa")
    texts = rows_of_text()
    join = jaccard_join(texts, threshold)
    assert isinstance(join, JaccardMinHash)
    found = as_set(jaccard_pairs(texts, threshold))
    monkeypatch.setattr(jaccard, "EXACT_UP_TO", 10**9)
    truth = as_set(jaccard_pairs(texts, threshold))
    assert found <= truth
    assert len(found) >= 0.95 * len(truth)
    assert join.recall.pairs > 0 or threshold == 1.0
    assert join.recall.share >= 0.95
    kept, dropped = kept_by(join)
    assert kept[:2] == [0, 1]
    assert 3 in {d.row for d in dropped}
    named = {(d.row, d.survivor): d.similarity for d in dropped}
    certain = kept_by(jaccard_join(texts, threshold))
    assert {(d.row, d.survivor): d.similarity for d in certain.dropped if (d.row, d.survivor) in named}.items() <= named.items()
    assert len(set(kept) ^ set(certain.kept)) <= 0.05 * len(texts)


def test_minhash_recall_is_that_of_all_pairs_where_all_rows_are_sampled() -> None:
    pytest.importorskip("rensa")
    texts = [text for text in rows_of_text()[4:] if text][:SAMPLE]
    different = [list(text) for text in dict.fromkeys(map(tuple, texts))]
    join = JaccardMinHash(exact(0.5), different, 1)
    # Each pair is met from both of its rows.
    assert join.recall.pairs == 2 * len(as_set(jaccard_pairs(different, 0.5)))


@pytest.mark.usefixtures("few")
def test_lists_invent_no_pair_and_say_what_they_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    matrix = vectors()
    join = cosine_join(matrix, 0.9)
    assert isinstance(join, CosineLists)
    found = as_set(cosine_pairs(matrix, 0.9))
    monkeypatch.setattr(cosine, "EXACT_UP_TO", 10**9)
    truth = as_set(cosine_pairs(matrix, 0.9))
    assert found <= truth
    assert len(found) >= 0.95 * len(truth)
    assert len(truth) > 100
    kept, _ = kept_by(join)
    certain = kept_by(CosineJoin(matrix, exact(0.9)))
    assert len(set(kept) ^ set(certain.kept)) <= 0.05 * len(matrix)
    assert join.recall.pairs > 20
    assert join.recall.share >= 0.9


def test_what_was_missed_is_measured_against_all_kept_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists that nothing was put into have a recall of nothing."""
    pytest.importorskip("faiss")
    matrix = vectors()
    join = CosineLists(matrix, exact(0.9), 1)
    monkeypatch.setattr(join._index, "add", lambda _: None)
    kept_by(join)
    assert join.recall.found == 0 < join.recall.pairs


@pytest.mark.usefixtures("few")
def test_the_recall_is_reported_with_the_result() -> None:
    pytest.importorskip("faiss")
    pytest.importorskip("rensa")
    texts = rows_of_text()[:900]
    found = deduplicate(texts, texts, vectors(), [0.0] * 900, NearDuplicates(), nearest=False)
    assert set(found.recall) == {"jaccard", "cosine"}
    assert deduplicate(texts[:1], texts[:1], vectors()[:1], [0.0], NearDuplicates()).recall == {}


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("package", ["rensa", "faiss"])
def test_a_missing_package_is_named_with_its_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"2 rows .* \(1\).* needs {package}: pip install 'synth-assets\[large\]'"):
        if package == "rensa":
            jaccard_join([["a"], ["b"]], 0.8)
        else:
            cosine_join(np.eye(2, dtype=np.float32), 0.9)


@pytest.mark.parametrize(("rows", "sampled"), [(0, 0), (1, 1), (7, 7), (SAMPLE, SAMPLE), (10**6, SAMPLE)])
def test_the_sample_is_spread_over_all_rows(rows: int, sampled: int) -> None:
    sample = sample_of(rows).tolist()
    assert len(set(sample)) == sampled
    assert sample == sorted(sample)
    assert all(0 <= row < rows for row in sample)
    if rows > 1:
        assert (sample[0], sample[-1]) == (0, rows - 1)


def test_no_pairs_among_the_sample_say_nothing() -> None:
    assert Recall(0, 0).share == 1.0
    assert Recall(1, 4).share == 0.25
