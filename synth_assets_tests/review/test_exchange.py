"""Verdicts out and in again: the same, whole or not at all, every bad line by its number."""

import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest

from synth_assets.errors import ReviewError
from synth_assets.review.exchange import export_verdicts, import_verdicts
from synth_assets.review.verdicts import Verdicts
from synth_assets_tests.review.test_verdicts import CONTENT, verdict

GOOD = asdict(verdict("reject", reason="wrong", note="no", reviewed_at="2026-01-01T00:00:00.000000+00:00"))


def test_there_and_back_again(tmp_path: Path) -> None:
    with closing(Verdicts(tmp_path / "a.sqlite")) as here, closing(Verdicts(tmp_path / "b.sqlite")) as there:
        here.record(verdict("reject", reason="other", note='线\u2028 "x" \\'), "r1")
        here.undo("ann", {CONTENT}, "r2")
        here.record(verdict("fix", reason="wrong", corrected="  two\r\n\n spaces  "), "r3")
        assert export_verdicts(here, tmp_path / "all.jsonl") == 3
        assert import_verdicts(there, tmp_path / "all.jsonl") == (3, 0)
        assert import_verdicts(there, tmp_path / "all.jsonl") == (0, 3)
        assert there.entries() == here.entries()
    assert [p.name for p in tmp_path.glob("all.jsonl*")] == ["all.jsonl"]


BAD = {
    "no JSON": ("{", "not JSON"),
    "no object": ("[1]", "not an object"),
    "unknown key": (json.dumps(GOOD | {"verdikt": 1}), "verdikt"),
    "no reviewer": (json.dumps({k: v for k, v in GOOD.items() if k != "reviewer"}), "reviewer is missing"),
    "unknown verdict": (json.dumps(GOOD | {"verdict": "rejekt"}), "reject"),
    "no reason": (json.dumps(GOOD | {"reason": ""}), "rejection without a reason"),
    "unknown reason": (json.dumps(GOOD | {"reason": "bad"}), "'bad' is no reason"),
    "a fix of nothing": (json.dumps(GOOD | {"verdict": "fix"}), "without corrected"),
    "an undo of nothing": (json.dumps(GOOD | {"verdict": "undo", "reason": ""}), "without undoes"),
    "an accept with a text": (json.dumps(GOOD | {"verdict": "accept", "corrected": "x"}), "corrected beside verdict accept"),
    "no moment": (json.dumps(GOOD | {"reviewed_at": "yesterday"}), "no moment"),
    "another time zone": (json.dumps(GOOD | {"reviewed_at": "2026-01-01T00:00:00.000000+02:00"}), "no moment"),
    "no key": (json.dumps(GOOD | {"content_key": "xyz"}), "content key"),
    "NUL": (json.dumps(GOOD | {"note": "\0"}), "U+0000"),
    "the same moment": (json.dumps(GOOD | {"note": "other"}), "differs from line 1"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_line_is_named_and_nothing_comes_in(tmp_path: Path, fault: str) -> None:
    line, words = BAD[fault]
    path = tmp_path / "in.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n\n{line}\n", encoding="utf-8")
    with closing(Verdicts(tmp_path / "a.sqlite")) as store:
        with pytest.raises(ReviewError) as caught:
            import_verdicts(store, path)
        assert f"{path}:3: " in str(caught.value) and words in str(caught.value), caught.value
        assert store.entries() == []


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with closing(Verdicts(tmp_path / "a.sqlite")) as store, pytest.raises(ReviewError, match=r"none\.jsonl.*no such file"):
        import_verdicts(store, tmp_path / "none.jsonl")


def test_an_edited_entry_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    with closing(Verdicts(tmp_path / "a.sqlite")) as store:
        path.write_text(json.dumps(GOOD) + "\n", encoding="utf-8")
        import_verdicts(store, path)
        path.write_text(json.dumps(GOOD | {"content_key": "2" * 32}) + "\n" + json.dumps(GOOD | {"reason": "unsafe"}) + "\n", encoding="utf-8")
        with pytest.raises(ReviewError, match="edited"):
            import_verdicts(store, path)
        assert len(store.entries()) == 1


def test_an_export_to_nowhere_is_refused(tmp_path: Path) -> None:
    with closing(Verdicts(tmp_path / "a.sqlite")) as store, pytest.raises(ReviewError, match="cannot be written"):
        export_verdicts(store, tmp_path / "no" / "folder.jsonl")
