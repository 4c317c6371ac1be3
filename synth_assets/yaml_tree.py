"""YAML as plain data that knows its lines: what a settings file needs, and nothing that can run or grow.

Built from the parser's events, not from its objects: tags, anchors and aliases are refused where they stand, so no object is made and no alias
multiplies. Scalars follow YAML 1.2: only `true` and `false` are booleans, so `off`, `no` and `12:30` are texts, and 1e-3 is a number. Keys are texts.

Invariant: the data holds nothing but dict, list, str, int, float, bool and None, without NUL or lone surrogates.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from synth_assets.errors import Problem
from synth_assets.faults import Location, quoted, read_bytes

__all__ = ["Tree", "read_yaml"]

SIZE_LIMIT = 1_000_000
"""Bytes of a domain file at most."""

DEPTH_LIMIT = 20
"""Mappings and lists within each other at most; a domain file has 4."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile("[^\t\n\r -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_INTEGER = re.compile(r"[-+]?[0-9][0-9_]{0,29}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORDS = {"true": True, "false": False, "null": None, "~": None}

_REMEDIES = {
    "mapping values are not allowed": "put a text that holds ': ' in quotes, and align the keys of one level",
    "cannot start any token": "indent with spaces, not tabs, and put a text that begins with a sign such as @, ` or % in quotes",
    "end of stream": "close the quote that opens here",
    "escape": "write every backslash twice, or use single quotes",
    "alphabetic": "put a text that begins with * or & in quotes",
}
"""Part of the parser's own words to the remedy."""


@dataclass
class Tree:
    """The data of one YAML file."""

    data: dict[str, Any]
    lines: dict[Location, int] = field(default_factory=dict)
    """The line, from 1, of every key and list item."""
    unreadable: set[Location] = field(default_factory=set)
    """Values that were refused: their problem is known, and what stands in their place means nothing."""

    def line(self, at: Location) -> int:
        """The line of `at`, or of the nearest thing around it that was written."""
        while at and at not in self.lines:
            at = at[:-1]
        return self.lines.get(at, 1)

    def readable(self, at: Location) -> bool:
        """Whether nothing around `at` or within it was refused."""
        return not any(at[: len(refused)] == refused or refused[: len(at)] == at for refused in self.unreadable)


def read_yaml(path: Path) -> tuple[Tree | None, list[Problem]]:
    """The file's data and everything wrong with it as YAML; no data where not even a mapping could be made out."""
    data = read_bytes(path)
    if isinstance(data, Problem):
        return None, [data]
    if len(data) > SIZE_LIMIT:
        return None, [Problem(path, None, f"{len(data)} bytes of YAML, above the limit of {SIZE_LIMIT}", "keep texts in the JSON Lines files that it names")]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return None, [Problem(path, line, f"not UTF-8: byte 0x{data[error.start]:02x}", "save the file as UTF-8")]
    builder = _Builder(path)
    try:
        root = builder.document(text)
    except yaml.MarkedYAMLError as error:
        builder.problems.append(_syntax(path, error, last=text.rstrip().count("\n") + 1))
        root = None
    except _TooDeep as error:
        builder.problem(error.args[0], f"more than {DEPTH_LIMIT} levels deep", "write the sections of a domain, which are 4 levels deep at most")
        root = None
    return (builder.tree if root is builder.tree.data else None), builder.problems


class _TooDeep(Exception):
    """Nesting past the limit; holds the event's line."""


class _Builder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.tree = Tree({})
        self.events: Iterator[Any] = iter(())

    def problem(self, line: int, what: str, remedy: str) -> None:
        self.problems.append(Problem(self.path, line, what, remedy))

    def document(self, text: str) -> Any:
        """The first document's value; `tree.data` itself where it is a mapping."""
        for number, line in enumerate(text.split("\n"), 1):
            if found := _UNPRINTABLE.search(line):
                self.problem(number, f"the character U+{ord(found[0]):04X} at column {found.start() + 1}", "delete it: it cannot be seen in an editor")
        self.events = iter(yaml.parse(_UNPRINTABLE.sub("?", text), Loader=_LOADER))
        root: Any = None
        seen = False
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent) and seen:
                self.problem(_line(event), "a second YAML document", "write one domain per file, without '---' between its parts")
                return None  # what the first document lacks may stand in the second
            if isinstance(event, yaml.NodeEvent):
                seen = True
                root = self.value(event, ())
                if root is not self.tree.data and () not in self.tree.unreadable:
                    self.problem(_line(event), "not a mapping of keys to values", "begin with lines such as 'title: ...' and 'language: en'")
        if not seen:
            self.problem(1, "nothing but comments", "write the domain: title, language, topics, seeds, targets and real_data at least")
        return root

    def value(self, event: Any, at: Location) -> Any:
        if len(at) > DEPTH_LIMIT:
            raise _TooDeep(_line(event))
        self.tree.lines.setdefault(at, _line(event))
        if isinstance(event, yaml.AliasEvent):
            return self.refuse(at, f"the alias {quoted(f'*{event.anchor}')}", "write the value again: domain files use no aliases")
        if event.anchor is not None:
            self.problem(_line(event), f"the anchor {quoted(f'&{event.anchor}')}", "delete it: domain files use no anchors or aliases")
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.refuse(at, f"the tag {quoted(tag)}", "write a plain value: domain files make no objects and use no tags")
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(at)
        if isinstance(event, yaml.SequenceStartEvent):
            return [self.value(item, (*at, n)) for n, item in enumerate(self.until(yaml.SequenceEndEvent))]
        return self.scalar(event, at)

    def until(self, end: type[yaml.Event]) -> Iterator[Any]:
        """Events up to the `end` of the collection that has begun."""
        for event in self.events:
            if isinstance(event, end):
                return
            yield event

    def mapping(self, at: Location) -> dict[str, Any]:
        made: dict[str, Any] = {} if at else self.tree.data
        for key in self.until(yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent) or _UNPRINTABLE.search(key.value):
                self.tree.unreadable.add(at)
                self.problem(_line(key), "a key that is no plain word", "write a word before the colon; quote a text that begins with a brace or bracket")
                self.skip(key)
                self.skip(next(self.events))
                continue
            inner = (*at, key.value)
            if inner in self.tree.lines:
                first = self.tree.lines[inner]
                self.problem(_line(key), f"key {quoted(key.value)} stands twice: first on line {first}", "keep one of the two")
                self.skip(next(self.events))
                continue
            self.tree.lines[inner] = _line(key)
            made[key.value] = self.value(next(self.events), inner)
        return made

    def skip(self, event: Any) -> None:
        """Pass over the value that begins with `event`."""
        depth = 0
        while True:
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth == 0:
                return
            event = next(self.events)

    def scalar(self, event: Any, at: Location) -> Any:
        text: str = event.value
        plain = event.implicit[0]
        if plain and not text:
            name = f"key {quoted(key)}" if at and isinstance(key := at[-1], str) else "a list item"
            return self.refuse(at, f"{name} has no value", "write one, {} for a section as it stands by default, or delete the line")
        if bad := _UNPRINTABLE.search(text):
            return self.refuse(at, f"a text with the character U+{ord(bad[0]):04X}", "delete its escape")
        return _typed(text) if plain else text

    def refuse(self, at: Location, what: str, remedy: str) -> None:
        self.problem(self.tree.lines[at], what, remedy)
        self.tree.unreadable.add(at)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _typed(text: str) -> str | int | float | bool | None:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text.replace("_", ""))
    if _NUMBER.fullmatch(text) and math.isfinite(number := float(text.replace("_", ""))):
        return number
    return text


def _syntax(path: Path, error: yaml.MarkedYAMLError, last: int) -> Problem:
    what, mark = error.problem or "", error.problem_mark
    if "end of stream" in what and error.context_mark is not None:
        mark = error.context_mark
    remedy = next((r for part, r in _REMEDIES.items() if part in what), "mend indentation, quotes and brackets on this line or the one before")
    line = min(mark.line + 1, last) if mark is not None else None
    column = f" at column {mark.column + 1}" if mark is not None and mark.line < last else ""
    context = f", {error.context}" if error.context else ""
    return Problem(path, line, f"not YAML{column}: {what}{context}", remedy)
