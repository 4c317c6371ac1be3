"""Which releases held a row: read from their own files, since a release of last month is in no table any more."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

__all__ = ["held_by"]

SHORTEST = 12


def held_by(releases: Path, ids: Collection[str], texts: Collection[str]) -> dict[str, int]:
    """Rows by release, of those releases that hold a row with one of these ids or roots, or with one of these texts (12 characters or more) in a turn."""
    wanted, said = set(ids), [text for text in texts if len(text) >= SHORTEST]
    found: dict[str, int] = {}
    for folder in sorted(path for path in releases.glob("r-*") if path.is_dir()):
        count = sum(bool({row.get("id"), row.get("root_id"), row.get("mixed_id")} & wanted) or _says(row, said) for row in _rows(folder))
        if count:
            found[folder.name] = count
    return found


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    for kind in ("sft", "preference"):
        for path in sorted((folder / kind).glob("*.jsonl")):
            with path.open(encoding="utf-8") as lines:
                yield from map(json.loads, lines)


def _says(row: dict[str, Any], texts: Collection[str]) -> bool:
    turns = [turn["content"] for name in ("messages", "prompt", "chosen", "rejected") for turn in row.get(name) or ()]
    return any(text in turn for turn in turns for text in texts)
