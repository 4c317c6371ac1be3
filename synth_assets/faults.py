"""Faults of a user's file in words: what is wrong, and what to write instead.

pydantic says which value broke which constraint; the remedy is read from the model's JSON schema, so that a limit is stated once, in the model.
No message holds pydantic's own text, and every quoted value is short and printable.
"""

import difflib
import json
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from synth_assets.errors import Problem

__all__ = ["Fault", "Location", "broken", "capped", "closest", "faults_of", "quoted", "read_bytes", "repeats"]

Location = tuple[str | int, ...]
"""Keys and list positions (from 0) that lead from the root of a file's data to a value."""

T = TypeVar("T")

MOST_PROBLEMS = 100
"""Problems of one file that are spelled out; a wrong export has one on every line."""


class Fault(NamedTuple):
    """One thing wrong in a file's data; the caller knows the file and finds the line from `at`."""

    at: Location
    what: str
    remedy: str


def broken(faults: Sequence[Fault]) -> PydanticCustomError:
    """The error for a validator to raise where a rule is more than a type; each `at` starts at the validated value."""
    return PydanticCustomError("rule", "{text}", {"text": "; ".join(f"{f.what} -> {f.remedy}" for f in faults), "faults": list(faults)})


def repeats(values: Iterable[T]) -> Iterator[tuple[int, int]]:
    """(position, position of its first occurrence), from 0, of every value that occurred before."""
    first: dict[T, int] = {}
    for position, value in enumerate(values):
        if first.setdefault(value, position) != position:
            yield position, first[value]


def quoted(text: str) -> str:
    """`text` in quotes for a message: at most 60 characters, control characters escaped."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def closest(word: str, allowed: Iterable[str], likeness: float = 0.6) -> str | None:
    """The allowed word that `word` most likely means, or None where none is alike by difflib's ratio, 0 to 1."""
    folded = {a.casefold(): a for a in allowed}
    found = difflib.get_close_matches(word[:100].casefold(), folded, n=1, cutoff=likeness)
    return folded[found[0]] if found else None


def capped(path: Path, problems: list[Problem]) -> list[Problem]:
    """The problems of one file by line; past `MOST_PROBLEMS` only their number."""
    ordered = sorted(problems, key=lambda p: p.line or 0)
    if len(ordered) <= MOST_PROBLEMS:
        return ordered
    more = Problem(path, ordered[MOST_PROBLEMS].line, f"{len(ordered) - MOST_PROBLEMS} further problems from this line on", "mend those above first")
    return [*ordered[:MOST_PROBLEMS], more]


def read_bytes(path: Path) -> bytes | Problem:
    """The file's bytes, or why there are none."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return Problem(path, None, "a folder, not a file", "name a file in it")
        if not stat.S_ISREG(mode):
            return Problem(path, None, "not a regular file", "name a file that can be read twice")
        data = path.read_bytes()
    except FileNotFoundError:
        near = closest(path.name, _neighbours(path), likeness=0.85)  # a common suffix alone makes 0.75
        return Problem(path, None, "there is no such file", f"create it, or correct its name{_meant(near)}")
    except OSError as error:
        return Problem(path, None, f"cannot be read: {error.strerror or error}", "correct the name, or allow this user to read it")
    return data if data.strip(b"\xef\xbb\xbf \t\r\n") else Problem(path, None, "the file is empty", "write its content, or delete it and what names it")


def _neighbours(path: Path) -> list[str]:
    try:
        return [p.name for p in path.parent.iterdir()]
    except OSError:
        return []


def faults_of(error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    """Every fault behind a failed validation of `model`, in words; `at` starts at the model's root."""
    found = error.errors(include_url=False)
    # A list whose items are all wrong is also reported as too short: true of what is left, but not of what was written.
    above = Counter(e["loc"][:n] for e in found for n in range(len(e["loc"])))
    return [fault for e in found if not (e["type"] == "too_short" and above[e["loc"]]) for fault in _in_words(e, _schema(model))]


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _in_words(error: ErrorDetails, schema: dict[str, Any]) -> list[Fault]:
    at, value = error["loc"], error["input"]
    match error["type"]:
        case "rule":
            return [Fault((*at, *fault.at), fault.what, fault.remedy) for fault in error["ctx"]["faults"]]
        case "missing" if isinstance(at[-1], str):
            return [Fault(at, f"key {_dotted(at)} is missing", f"add {at[-1]}: {_expected(_part(schema, at))}")]
        case "missing":
            at = at[:-1]  # a list of fixed length has too few items
        case "extra_forbidden":
            allowed = list(_part(schema, at[:-1]).get("properties", ()))
            where = f" in {_dotted(at[:-1])}" if at[:-1] else ""
            return [Fault(at, f"unknown key {quoted(str(at[-1]))}{where}", f"use one of {', '.join(allowed)}{_meant(closest(str(at[-1]), allowed))}")]
    part = _part(schema, at)
    near = closest(value, part["enum"]) if "enum" in part and isinstance(value, str) else None
    return [Fault(at, f"{_dotted(at)} is {_found(value)}", f"write {_expected(part)}{_meant(near)}{_quotes(value, part)}")]


def _meant(near: str | None) -> str:
    return f" (did you mean {near!r}?)" if near else ""


def _dotted(at: Location) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in at).lstrip(".") or "the file"


def _quotes(value: object, part: dict[str, Any]) -> str:
    """The commonest slip between text and number is its quotes."""
    if part.get("type") == "string" and isinstance(value, bool | int | float):
        return "; put it in quotes"
    return "; without quotes" if part.get("type") in ("integer", "number", "boolean") and isinstance(value, str) else ""


def _part(schema: dict[str, Any], at: Location) -> dict[str, Any]:
    """The part of a JSON schema that speaks about the value at `at`; empty where it says nothing."""
    part = schema
    for step in at:
        items = part.get("prefixItems") or [part.get("items", {})]
        part = part.get("properties", {}).get(step, {}) if isinstance(step, str) else items[min(step, len(items) - 1)]
        part = next((p for p in part.get("anyOf", ()) if p.get("type") != "null"), part)
        if "$ref" in part:
            part = schema["$defs"][part["$ref"].rpartition("/")[2]]
    return part


def _found(value: object) -> str:
    match value:
        case None:
            return "null"
        case str() if not value.strip():
            return "an empty text"
        case str():
            return f"the text {quoted(value)}" + (f", {len(value)} characters long" if len(value) > 60 else "")
        case bool() | int() | float():
            return json.dumps(value)
        case list() | tuple():
            return f"a list of {len(value)}" if value else "an empty list"
    return "a mapping"


def _expected(part: dict[str, Any]) -> str:
    """What a JSON schema allows, as the object of "write"."""
    if "enum" in part:
        return "one of " + ", ".join(map(str, part["enum"]))
    if "pattern" in part:
        return "a name of 1 to 48 lower-case letters, digits, '-' or '_' that begins with a letter"
    match part.get("type"):
        case "integer":
            return "a whole number" + _range(part, "minimum", "maximum", str)
        case "number":
            return "a number" + _range(part, "minimum", "maximum", lambda n: f"{n:g}")
        case "string" if part.get("minLength") == 1 and "maxLength" not in part:
            return "a text that is not empty"
        case "string":
            return "a text" + _range(part, "minLength", "maxLength", str, "character")
        case "boolean":
            return "true or false"
        case "array":
            each = part.get("items") or (part.get("prefixItems") or [{}])[0]
            return "a list" + _range(part, "minItems", "maxItems", str, "item") + (f", each {_expected(each)}" if "type" in each else "")
        case "object":
            return f"a mapping with keys out of {', '.join(part['properties'])}"
    return "a mapping"


def _range(part: dict[str, Any], low: str, high: str, number: Callable[[Any], str], unit: str = "") -> str:
    """The limits that follow "a number" (from 1 to 8) or, with a unit, "a text" (of 3 to 120 characters)."""
    least, most = part.get(low), part.get(high)
    if least is None and most is None:
        return ""
    if least is None:
        bounds, last = f"at most {number(most)}", most
    elif most is None:
        bounds, last = f"at least {number(least)}", least
    else:
        bounds, last = (number(most), most) if least == most else (f"{number(least)} to {number(most)}", most)
    if unit:
        return f" of {bounds} {unit}{'' if last == 1 else 's'}"
    return f" from {bounds}" if "to" in bounds else f" of {bounds}"
