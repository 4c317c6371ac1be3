"""Files are read line by line: a bad line says why, a bad file stops with its remedy, nothing is read into memory as a whole."""

import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from synth_assets.errors import ScreenError
from synth_assets.screening import reading
from synth_assets.screening.reading import Source, as_json

GOOD = b'{"prompt": "a", "response": "\\u00e9"}'


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"{", "not JSON at column 2: Expecting property name enclosed in double quotes"),
        (b"[1, 2]", "JSON, but not an object"),
        (b"nothing", "not JSON at column 1: Expecting value"),
        (b'{"a": "\xff"}', "not UTF-8: byte 0xff at byte 8"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "a number with too many digits"),
        (b'{"a": ' + b"[" * 100_000, "JSON that is nested too deep"),
    ],
)
def test_a_bad_line_comes_with_its_number_and_reason(tmp_path: Path, line: bytes, fault: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD + b"\r\n\n" + line + b"\n" + GOOD)
    lines = list(Source.of(path).lines())
    assert [(found.number, found.fault) for found in lines] == [(1, ""), (3, fault), (4, "")]
    assert lines[0].raw == lines[2].raw == GOOD
    assert lines[0].row == {"prompt": "a", "response": "é"}
    assert lines[2].done == 1


def test_a_line_that_is_too_long_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LINE_LIMIT", 100)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(GOOD + b"\n" + b"x" * 1_000 + b"\n" + GOOD + b"\n" + b"y" * 5_000)
    assert [(found.number, found.fault) for found in Source.of(path).lines()] == [(1, ""), (2, "longer than 100 bytes"), (3, ""), (4, "longer than 100 bytes")]


@pytest.mark.parametrize(("name", "pack"), [("rows.jsonl.gz", gzip.compress), ("rows.ndjson.xz", lzma.compress), ("rows.json", bytes), ("ROWS.JSONL", bytes)])
def test_names_say_what_a_file_is(tmp_path: Path, name: str, pack: Any) -> None:
    (tmp_path / name).write_bytes(pack(GOOD + b"\n" + GOOD + b"\n"))
    assert [line.raw for line in Source.of(tmp_path / name).lines()] == [GOOD, GOOD]


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    rows = [{"prompt": f"p{i}", "response": "r", "score": float("nan"), "messages": [{"role": "user", "content": "x"}]} for i in range(2_500)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    lines = list(Source.of(path).lines())
    assert [line.number for line in lines] == list(range(1, 2_501))
    assert lines[2_000].row is not None and lines[2_000].row["prompt"] == "p2000"
    assert json.loads(lines[0].raw) == rows[0] | {"score": None}


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("rows.csv", b"a,b", "the name does not say what it is"),
        ("rows.parquet", b"nothing", "cannot be read as Parquet"),
        ("rows.jsonl", b'[{"a": 1}]', "a JSON array, not JSON Lines. .* jq -c"),
        ("rows.jsonl", b'[\n{"a": 1}\n]', "a JSON array, not JSON Lines"),
        ("rows.jsonl", b"\xff\xfe{\x00", "UTF-16, not UTF-8"),
        ("rows.jsonl", b"PAR1\x00\x00", "a Parquet file by its content"),
        ("rows.jsonl.gz", b"no gzip", "cannot be read to its end"),
        ("rows.jsonl.gz", gzip.compress(GOOD * 1_000)[:-20], "cannot be read to its end"),
    ],
)
def test_files_that_cannot_be_read_say_what_to_do(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ScreenError, match=message):
        list(Source.of(path).lines())


def test_missing_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "alpaca.jsonl").write_bytes(GOOD)
    with pytest.raises(ScreenError, match=r"no such file\. Did you mean 'alpaca.jsonl'"):
        Source.of(tmp_path / "alpaka.jsonl")
    with pytest.raises(ScreenError, match="a folder, not a file"):
        Source.of(tmp_path)


def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(GOOD + b"\n")
    lines = Source.of(path).lines()
    next(lines)
    path.write_bytes(GOOD + b"\n" + GOOD + b"\n")
    with pytest.raises(ScreenError, match="was changed while it was read"):
        list(lines)


def test_what_json_has_no_form_for_becomes_text() -> None:
    assert (
        as_json({"a": b"\xff", "b": float("inf"), "c": {4: (1, None)}, "d": "\ud800"}) == b'{"a": "\\\\xff", "b": null, "c": {"4": [1, null]}, "d": "\\ud800"}'
    )
