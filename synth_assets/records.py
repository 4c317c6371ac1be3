"""The records of a user's JSON Lines files: seeds, rows written by people, benchmark items.

Every line is read on its own, so that one bad line hides no other; what comes back is the good records with their lines, and a problem per bad line.
Texts are kept as they are, but for white space around them.

Invariant: a record that is returned has every required text, none of them empty, without NUL or lone surrogates.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from synth_assets.errors import Problem
from synth_assets.faults import Fault, broken, capped, faults_of, quoted, read_bytes, repeats

__all__ = ["BenchmarkItem", "CuratedPair", "CuratedRecord", "SeedRecord", "checked_record", "parse_records", "read_records"]

LINE_LIMIT = 1_000_000
"""Bytes of one line at most."""

Text = Annotated[str, Field(min_length=1)]
M = TypeVar("M", bound=BaseModel)


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class SeedRecord(_Record):
    """An instruction and its response by a person; with `answer` where the result can be checked."""

    topic: Text
    instruction: Text
    input: str = ""
    response: Text
    answer: Text | None = None


class CuratedRecord(_Record):
    """A row written by a person, for the real side of the mix."""

    topic: Text
    instruction: Text
    input: str = ""
    response: Text


class CuratedPair(_Record):
    """A preference stated by a person."""

    topic: Text
    instruction: Text
    input: str = ""
    chosen: Text
    rejected: Text

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.chosen == self.rejected:
            raise broken([Fault(("rejected",), "chosen and rejected are the same text", "write a worse response as rejected, or delete the line")])
        return self


class BenchmarkItem(_Record):
    """A test item that no released row may contain."""

    id: Text
    prompt: Text
    answer: Text | None = None


def read_records(path: Path, model: type[M]) -> tuple[list[tuple[int, M]], list[Problem]]:
    """The records of the file with their lines, from 1, and what is wrong with all other lines."""
    data = read_bytes(path)
    return ([], [data]) if isinstance(data, Problem) else parse_records(data, path, model)


def parse_records(
    data: bytes, path: Path, model: type[M], parts: Callable[[Mapping[str, Any]], dict[str, Any]] = dict
) -> tuple[list[tuple[int, M]], list[Problem]]:
    """`read_records` for bytes that are already here; `path` is for the problems, `parts` gives an object's fields their names here."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return [], [Problem(path, 1, "UTF-16, not UTF-8", "save the file as UTF-8")]
    data = data.removeprefix(b"\xef\xbb\xbf")
    if data.lstrip().startswith(b"[") and _is_array(data):
        return [], [Problem(path, 1, "a JSON array, not JSON Lines", "write every object on a line of its own, without the brackets and commas of the array")]
    records: list[tuple[int, M]] = []
    problems: list[Problem] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        found: list[Fault] = []
        try:
            value = _object(line, found)
            record = model.model_validate(parts(value))
            if not found:
                records.append((number, record))
        except ValidationError as error:
            found += faults_of(error, model)
        except _BadLine as error:
            found.append(error.fault)
        problems += [Problem(path, number, fault.what, fault.remedy) for fault in found]
    return records, capped(path, problems)


def checked_record(row: Mapping[str, Any], model: type[M]) -> M | list[Fault]:
    """A row that no JSON Lines file holds, as a record, or what is wrong with it."""
    found: list[Fault] = []
    value = {key: _writable(v, found) if isinstance(v, str) else v for key, v in row.items()}
    try:
        record = model.model_validate(value)
    except ValidationError as error:
        return [*found, *faults_of(error, model)]
    return found or record


class _BadLine(Exception):
    """A line that is no JSON object."""

    def __init__(self, what: str, remedy: str) -> None:
        self.fault = Fault((), what, remedy)
        super().__init__(what)


_REMEDIES = {
    "Extra data": "write one JSON object per line and nothing after it",
    "Unterminated string": "close the quote; a line break within a text is written \\n",
    "Invalid control character": "write a tab within a text as \\t and a line break as \\n",
    "escape": "write every backslash of a text twice",
    "property name": "put keys in double quotes, and no comma after the last value",
    "trailing comma": "delete the comma after the last value",
    "BOM": "delete the byte order mark before this line",
}
"""Part of the parser's own words to the remedy."""


def _object(line: bytes, found: list[Fault]) -> dict[str, Any]:
    """The JSON object on one line, what is wrong within it added to `found`; raises _BadLine where there is none."""
    if len(line) > LINE_LIMIT:
        raise _BadLine(f"a line of {len(line)} bytes, above the limit of {LINE_LIMIT}", "shorten it: no text of this length fits a model")
    if b"\0" in line:
        raise _BadLine(f"a NUL character at byte {line.index(0) + 1}", "delete it, and save the file as UTF-8")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise _BadLine(f"not UTF-8: byte 0x{line[error.start]:02x} at byte {error.start + 1}", "save the file as UTF-8") from None
    repeated: set[str] = set()

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) < len(items):
            keys = [key for key, _ in items]
            repeated.update(keys[position] for position, _ in repeats(keys))
        return made

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        remedy = next((r for part, r in _REMEDIES.items() if part in error.msg), 'write one object, such as {"key": "text"}, with double quotes')
        raise _BadLine(f"not JSON at column {error.colno}: {error.msg}", remedy) from None
    except RecursionError:
        raise _BadLine("JSON that is nested too deep", "write one object whose values are texts") from None
    except ValueError:  # int() refuses digits by the thousand
        raise _BadLine("a number with too many digits", "put it in quotes") from None
    if not isinstance(value, dict):
        raise _BadLine("JSON, but not an object", 'write one object per line, such as {"key": "text"}')
    found += [Fault((key,), f"key {quoted(key)} stands twice", "keep one of the two") for key in sorted(repeated)]
    if b"\\u" in line:
        value = {_writable(key, found): _writable(v, found) if isinstance(v, str) else v for key, v in value.items()}
    return value


def _no_number(word: str) -> NoReturn:
    raise _BadLine(f"{word}, which is no JSON", "write null, or a text in quotes")


_UNWRITABLE = re.compile("[\0\ud800-\udfff]")
"""What UTF-8 or DuckDB cannot hold; only an escape can bring it in."""


def _writable(text: str, found: list[Fault]) -> str:
    if bad := _UNWRITABLE.search(text):
        found.append(Fault((), f"a text with the character U+{ord(bad[0]):04X}", "delete its escape; a character past U+FFFF is written as itself"))
    return _UNWRITABLE.sub("?", text)


def _is_array(data: bytes) -> bool:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, list) and all(isinstance(v, dict) for v in value)
