"""Rows written by people from elsewhere than JSON Lines: Parquet files, DuckDB queries, datasets by name.

Parquet belongs to the domain's files and is checked with them. Queries and datasets may be large or far away: they are read when `real_data` is
materialized, and a row of theirs that is no record is rejected, not an error. A query sees the folder of domains and nothing else of the machine.
Invariant: what is returned for one source does not depend on the order in which the source gives its rows.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from synth_assets.config import Domain, RealData
from synth_assets.errors import ConfigError, Problem
from synth_assets.faults import Fault, capped
from synth_assets.identity import canonical, seeded
from synth_assets.records import CuratedPair, CuratedRecord, checked_record

__all__ = ["External", "parquet_records", "read_external", "sampled"]

FOLDER = "{folder}"
"""What stands in a query for the folder of domains."""

_RECORDS: Mapping[str, type[CuratedRecord | CuratedPair]] = {"sft": CuratedRecord, "preference": CuratedPair}
_SELECT = re.compile(r"\s*(?:--[^\n]*\n\s*)*(?:select|with|from)\b", re.IGNORECASE)
R = TypeVar("R")

Numbered = list[tuple[int, CuratedRecord | CuratedPair]]
"""Records with their numbers in the source, from 1."""


@dataclass
class External:
    """What a query or a dataset gave."""

    records: Numbered = field(default_factory=list)
    unusable: list[tuple[int, dict[str, Any], str]] = field(default_factory=list)
    """(number, the row's parts as far as they are texts, what is wrong) of every row that is no record."""


def parquet_records(data: bytes, path: Path, entry: RealData) -> tuple[list[tuple[int, Any]], list[Problem]]:
    """The records of a Parquet file with their row numbers, from 1, and what is wrong with all other rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(pa.BufferReader(data)).to_pylist()
    except (pa.ArrowException, OSError) as error:
        return [], [Problem(path, None, f"not a Parquet file: {str(error).splitlines()[0]}", "write it anew, or name a JSON Lines file")]
    records: list[tuple[int, Any]] = []
    problems: list[Problem] = []
    for number, row in enumerate(rows, 1):
        found = checked_record(entry.parts(row), _RECORDS[entry.kind])
        if isinstance(found, list):
            problems += [Problem(path, number, fault.what, fault.remedy) for fault in found]
        else:
            records.append((number, found))
    return records, capped(path, problems)


def sampled(entry: RealData, domain: Domain, records: Sequence[tuple[int, R]]) -> list[tuple[int, R]]:
    """At most the source's `limit` of its records, drawn by the domain's seed, in the order in which they stand."""
    if entry.limit is None or len(records) <= entry.limit:
        return list(records)
    keys = {number: (seeded(domain.seed, domain.name, "real_data", entry.name, _content(record)).random(), number) for number, record in records}
    chosen = set(sorted(keys, key=keys.__getitem__)[: entry.limit])
    return [(number, record) for number, record in records if number in chosen]


def read_external(entry: RealData, domain: Domain, folder: Path) -> External:
    """The rows of a query or a dataset, sampled down to `limit`; rows that are no records do not count towards it.

    Raises:
        ConfigError: the query or the dataset cannot be read, or no row of it is a record.
    """
    yaml = folder / f"{domain.name}.yaml"
    made = External()
    number = 0
    for number, row in enumerate(_query(entry, folder, yaml) if entry.query else _dataset(entry, folder, yaml), 1):
        parts = entry.parts(row)
        found = checked_record(parts, _RECORDS[entry.kind])
        if not isinstance(found, list) and found.topic not in domain.topic_names:
            found = [Fault(("topic",), f"topic {found.topic!r} is not declared", "declare it, or select it away")]
        if isinstance(found, list):
            texts = {name: value for name, value in parts.items() if isinstance(value, str)}
            made.unusable.append((number, texts, "; ".join(fault.what for fault in found)))
        else:
            made.records.append((number, found))
    if not made.records:
        why = f"none of its {number} rows is a record: {made.unusable[0][2]}" if made.unusable else "it has no rows"
        raise ConfigError([Problem(yaml, None, f"real_data {entry.name}: {why}", "name its fields in `fields`, and a `topic` where rows have none")])
    made.records.sort(key=lambda numbered: _content(numbered[1]))
    made.records = sampled(entry, domain, made.records)
    return made


def _query(entry: RealData, folder: Path, yaml: Path) -> Iterator[dict[str, Any]]:
    import duckdb

    if not _SELECT.match(entry.query or ""):
        raise ConfigError([Problem(yaml, None, f"real_data {entry.name}: not a select", "write one select statement")])
    try:
        with duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}) as con:
            if entry.path is not None:
                con.execute(f"attach {_quoted(str(folder / entry.path))} as source (read_only)")
                con.execute("use source")
            con.execute(f"set allowed_directories = [{_quoted(f'{folder.resolve()}/')}]")
            con.execute("set enable_external_access = false")
            con.execute("set lock_configuration = true")
            found = con.execute((entry.query or "").replace(FOLDER, str(folder.resolve()).replace("'", "''")))
            names = [column[0] for column in found.description or ()]
            while rows := found.fetchmany(10_000):
                yield from (dict(zip(names, row, strict=True)) for row in rows)
    except duckdb.Error as error:
        raise ConfigError([Problem(yaml, None, f"real_data {entry.name}: {str(error).splitlines()[0]}", "correct the query")]) from error


def _dataset(entry: RealData, folder: Path, yaml: Path) -> Iterator[Mapping[str, Any]]:
    try:
        import datasets
    except ImportError as error:
        what = f"real_data {entry.name}: the package `datasets` is not installed"
        raise ConfigError([Problem(yaml, None, what, "pip install datasets")]) from error
    local = (folder / str(entry.dataset)).resolve()
    here = local.is_dir() and local.is_relative_to(folder.resolve())
    name = str(local) if here else str(entry.dataset)
    try:
        yield from datasets.load_dataset(name, entry.config, split=entry.split, revision=None if here else entry.revision)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        what = f"real_data {entry.name}: {type(error).__name__}: {(str(error) or 'no reason given').splitlines()[0]}"
        raise ConfigError(
            [Problem(yaml, None, what, "correct dataset, config, split and revision; a name on the Hub needs the network, or its cache")]
        ) from error


def _content(record: object) -> str:
    return canonical(record.model_dump()) if isinstance(record, CuratedRecord | CuratedPair) else str(record)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
