"""Every bad line of a JSON Lines file is named with its line and a remedy, and hides no other."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from synth_assets.errors import Problem
from synth_assets.records import BenchmarkItem, CuratedPair, CuratedRecord, SeedRecord, parse_records, read_records

SEED = {"topic": "algebra", "instruction": "Solve x + 1 = 3.", "response": "x = 2", "answer": "2"}
PAIR = {"topic": "algebra", "instruction": "Solve x + 1 = 3.", "chosen": "x = 2", "rejected": "x = 4"}
ITEM = {"id": "a-1", "prompt": "What is 2 + 2?"}


def seed(**changes: object) -> bytes:
    return json.dumps({**SEED, **changes}).encode()


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("model", "row"),
    [(SeedRecord, SEED), (CuratedRecord, {k: v for k, v in SEED.items() if k != "answer"}), (CuratedPair, PAIR), (BenchmarkItem, ITEM)],
)
def test_good_rows_come_back_with_their_lines(tmp_path: Path, model: type[BaseModel], row: dict[str, str]) -> None:
    line = json.dumps(row).encode()
    records, problems = read_records(written(tmp_path, b"\xef\xbb\xbf" + line + b"\r\n\n  \r\n" + line), model)
    assert problems == []
    assert [number for number, _ in records] == [1, 4]
    assert records[0][1].model_dump(exclude_unset=True) == row


def test_texts_are_stripped_and_otherwise_kept() -> None:
    decomposed = "Cafe\u0301\n\n  indented \U0001f600"
    [(_, record)], problems = parse_records(seed(response=f" \n{decomposed}\t", input="  "), Path("rows.jsonl"), SeedRecord)
    assert (record.response, record.input, problems) == (decomposed, "", [])


BAD_LINES: list[tuple[str, type[BaseModel], bytes, str, str]] = [
    ("not_json", SeedRecord, b"topic: algebra", "not JSON at column 1", "one object"),
    ("single_quotes", SeedRecord, b"{'topic': 'algebra'}", "not JSON at column 2", "double quotes"),
    ("cut_off", SeedRecord, b'{"topic": "alg', "not JSON at column 11: Unterminated", "close the quote"),
    ("two_objects", SeedRecord, seed() + b" " + seed(), "Extra data", "one JSON object per line"),
    ("raw_tab", SeedRecord, b'{"topic": "a\tb"}', "column 13: Invalid control", "\\t"),
    ("latex", SeedRecord, rb'{"topic": "\alpha"}', "column 12: Invalid \\escape", "every backslash"),
    ("bom_inside", SeedRecord, b"\xef\xbb\xbf" + seed(), "column 1: Unexpected UTF-8 BOM", "byte order mark"),
    ("list", SeedRecord, b'["algebra"]', "not an object", "one object per line"),
    ("text", SeedRecord, b'"algebra"', "not an object", "one object per line"),
    ("nan", BenchmarkItem, b'{"id": "a", "prompt": NaN}', "NaN", "null, or a text"),
    ("digits", BenchmarkItem, b'{"id": ' + b"9" * 5000 + b"}", "too many digits", "quotes"),
    ("deep", BenchmarkItem, b"[" * 200_000, "nested too deep", "values are texts"),
    ("unknown_key", SeedRecord, seed(anwser="2"), "unknown key 'anwser'", "did you mean 'answer'?"),
    ("unknown_key_lists", BenchmarkItem, b'{"id": "a", "prompt": "b", "zzz": 1}', "unknown key 'zzz'", "id, prompt, answer"),
    ("missing_key", SeedRecord, b'{"topic": "a", "instruction": "b"}', "key response is missing", "add response: a text"),
    ("number", SeedRecord, seed(answer=2), "answer is 2", "put it in quotes"),
    ("boolean", SeedRecord, seed(answer=True), "answer is true", "put it in quotes"),
    ("null", SeedRecord, seed(input=None), "input is null", "write a text"),
    ("nested", SeedRecord, seed(response={"text": "x"}), "response is a mapping", "write a text"),
    ("several", SeedRecord, seed(response=["x", "y"]), "response is a list of 2", "write a text"),
    ("empty_text", SeedRecord, seed(response=" \n "), "response is an empty text", "not empty"),
    ("empty_answer", SeedRecord, seed(answer=""), "answer is an empty text", "not empty"),
    ("same_pair", CuratedPair, json.dumps({**PAIR, "rejected": "x = 2 "}).encode(), "same text", "worse response"),
    ("raw_nul", SeedRecord, seed().replace(b"algebra", b"alg\0bra"), "NUL character at byte 15", "delete it"),
    ("escaped_nul", SeedRecord, seed(response="a\0b"), "U+0000", "delete its escape"),
    ("surrogate", SeedRecord, seed(response="a\ud83d"), "U+D83D", "delete its escape"),
    ("surrogate_key", SeedRecord, seed(**{"\udc00": "x"}), "U+DC00", "delete its escape"),
    ("long_line", SeedRecord, seed(response="x" * 1_000_000), "above the limit of 1000000", "shorten"),
    ("repeated_key", SeedRecord, seed()[:-1] + b', "topic": "algebra"}', "key 'topic' stands twice", "keep one"),
    ("latin_1", SeedRecord, '{"topic": "Zoë"}'.encode("latin-1"), "not UTF-8: byte 0xeb at byte 14", "UTF-8"),
]


@pytest.mark.parametrize(("model", "line", "what", "remedy"), [c[1:] for c in BAD_LINES], ids=[c[0] for c in BAD_LINES])
def test_a_bad_line_is_named(tmp_path: Path, model: type[BaseModel], line: bytes, what: str, remedy: str) -> None:
    good = json.dumps({SeedRecord: SEED, CuratedPair: PAIR, BenchmarkItem: ITEM}[model]).encode()
    path = written(tmp_path, good + b"\n\n" + line + b"\n" + good + b"\n")
    records, problems = read_records(path, model)
    assert [number for number, _ in records] == [1, 4]
    assert {(p.path, p.line) for p in problems} == {(path, 3)}
    assert any(what in p.what and remedy in p.remedy for p in problems), problems
    for problem in problems:
        assert "pydantic" not in str(problem) and "http" not in str(problem)
        str(problem).encode()
        assert len(str(problem)) < len(str(path)) + 400


def test_all_faults_of_all_lines_at_once(tmp_path: Path) -> None:
    lines = [seed(answer=2, response=""), seed(), b"{", b'{"topic": "a", "topic": 3}', seed(anwser="")]
    records, problems = read_records(written(tmp_path, b"\n".join(lines)), SeedRecord)
    assert [number for number, _ in records] == [2]
    assert [p.line for p in problems] == [1, 1, 3, 4, 4, 4, 4, 5]


def test_past_a_hundred_only_the_number(tmp_path: Path) -> None:
    _, problems = read_records(written(tmp_path, b"{}\n" * 10 + b"x\n" * 200), SeedRecord)
    assert len(problems) == 101
    assert "130 further problems" in problems[-1].what


@pytest.mark.parametrize(
    ("content", "what", "remedy"),
    [
        (b"", "empty", "write its content"),
        (b"\xef\xbb\xbf \r\n\n", "empty", "write its content"),
        (json.dumps([SEED, SEED], indent=1).encode(), "JSON array", "line of its own"),
        (seed().decode().encode("utf-16"), "UTF-16", "UTF-8"),
    ],
    ids=["empty", "blank", "array", "utf_16"],
)
def test_a_file_that_is_no_json_lines(tmp_path: Path, content: bytes, what: str, remedy: str) -> None:
    records, [problem] = read_records(written(tmp_path, content), SeedRecord)
    assert records == []
    assert what in problem.what and remedy in problem.remedy


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    written(tmp_path, seed())
    _, [problem] = read_records(tmp_path / "row.jsonl", SeedRecord)
    assert problem == Problem(tmp_path / "row.jsonl", None, "there is no such file", "create it, or correct its name (did you mean 'rows.jsonl'?)")
    _, [problem] = read_records(tmp_path, SeedRecord)
    assert "a folder" in problem.what


def test_a_pipe_is_refused_rather_than_waited_for(tmp_path: Path) -> None:

    os.mkfifo(tmp_path / "pipe.jsonl")
    _, [problem] = read_records(tmp_path / "pipe.jsonl", SeedRecord)
    assert "not a regular file" in problem.what


JSONISH = st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text() | st.sampled_from(list(SEED)), x))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40) | JSONISH.map(lambda v: json.dumps(v).encode()) | st.just(seed())).map(b"\n".join))
def test_no_bytes_raise(content: bytes) -> None:
    records, problems = parse_records(content, Path("rows.jsonl"), SeedRecord)
    blank = [number for number, line in enumerate(content.split(b"\n"), 1) if not line.strip()]
    assert not {number for number, _ in records} & ({p.line for p in problems} | set(blank))
    for problem in problems:
        str(problem).encode()
