"""Forgetting one thing everywhere: first the stores that a rerun would read from, at last the warehouse that says what there is to forget.

So a kill on the way loses no knowledge of what was to go, and the same command again ends it. Domain files are the user's own: the lines that
would bring a row back are named, and left alone.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from synth_assets.accounts import Row
from synth_assets.conversations import prompt_of
from synth_assets.domain_files import domains_folder, load_domains
from synth_assets.forgetting import descent, stores, warehouse_rows
from synth_assets.forgetting.release_holders import held_by
from synth_assets.home import Home
from synth_assets.records import CuratedPair, CuratedRecord, SeedRecord
from synth_assets.warehouse import Warehouse

__all__ = ["Report", "forget"]


@dataclass
class Report:
    """What went, or would go."""

    rows: Counter[str] = field(default_factory=Counter)
    """By table."""
    replies: int = 0
    verdicts: int = 0
    vectors: int = 0
    events: int = 0
    report: bool = False
    releases: dict[str, int] = field(default_factory=dict)
    """Rows by release that held them; release folders are left as they are."""
    lines: list[str] = field(default_factory=list)
    """`file:line` of the user's files that would bring a row back."""
    domains: list[str] = field(default_factory=list)
    """Domains to run again."""


def forget(home: Home, *, row: str | None = None, seed: str | None = None, source: str | None = None, dry_run: bool) -> Report:
    """Forget a row by its id, a seed with all that was made from it, or a source with all its rows; exactly one of the three is given.

    Raises:
        NotOneRow: nothing, or more than one row, is meant.
    """
    database, ledger = Warehouse(home.warehouse), home.root / "ledger.sqlite"
    with database.read():
        if source is not None:
            first = descent.rows_of_source(database.query, source)
        else:
            first = [descent.the_row(database.query, seed or row or "", "seeds" if seed else None)]
        texts = sorted({text for one in first for text in _texts(one)})
        keys = stores.keys_with(ledger, texts)
        doomed = descent.descendants(database.query, first, keys)
        keys |= {key for one in doomed.rows for key in one.get("call_keys") or ()}
        keys |= {use["key"] for use in database.rows("call_uses") if use["row_id"] in doomed.ids}
        contents = {one["content_key"] for one in doomed.rows if one.get("content_key")}
    told = Report(domains=doomed.domains)
    told.releases = held_by(home.releases, doomed.ids, texts)
    told.lines = _lines(first)
    if dry_run:
        for (_, _, stage), rows in doomed.places.items():
            told.rows[stage] += len(rows)
        told.replies = len(keys)
        return told
    told.replies = stores.replies(ledger, keys)
    told.verdicts = stores.verdicts(home.reviews, doomed.ids, contents)
    told.vectors = stores.embeddings(home.embeddings, _vectors(doomed.rows))
    told.events = stores.events(home.dagster, doomed.ids)
    told.report = stores.report(home.reports / "quality_report.html")
    told.rows = warehouse_rows.remove(database, doomed, keys, contents)
    return told


def _texts(row: Row) -> list[str]:
    """What a row says: not its topic or licence."""
    return [text for name in ("instruction", "input", "response", "rejected", "prompt", "chosen") if isinstance(text := row.get(name), str) and text]


def _vectors(rows: list[Row]) -> set[bytes]:
    """Keys of the vectors of everything that rows say, alone and as the gates join it."""
    from synth_assets.quality.embeddings import key_of

    said = {text for row in rows for text in _texts(row)}
    said |= {prompt_of(row) for row in rows if isinstance(row.get("instruction"), str) and isinstance(row.get("input"), str)}
    return {key_of(text) for text in said}


def _lines(first: list[Row]) -> list[str]:
    """Where the user's own files still say it."""
    said = {json.dumps([row["instruction"], row["input"]]) for row in first if "instruction" in row and "input" in row}
    found = []
    for loaded in load_domains(domains_folder())[0].values():
        sources: list[tuple[str, Sequence[tuple[int, SeedRecord | CuratedRecord | CuratedPair]]]] = [(loaded.config.seeds.path, loaded.seeds)]
        sources += [(entry.path or "", records) for entry, records in loaded.curated]
        for path, records in sources:
            for line, record in records:
                if json.dumps([record.instruction, record.input]) in said:
                    found.append(f"{loaded.folder / path}:{line}")
    return found
