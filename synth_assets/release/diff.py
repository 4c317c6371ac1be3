"""Two releases compared: which rows came, went, changed or moved to another split, and what else was decided otherwise.

Read from the folders alone, so that releases of other machines can be compared too. Invariant: a row is counted under one of the five words.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from synth_assets.identity import digest
from synth_assets.release import export

__all__ = ["Difference", "compare"]

_SETTINGS = ("format", "held_out", "order", "forms", "mix", "teachers", "reward_versions", "packages", "inputs", "left_out")


@dataclass(frozen=True)
class Difference:
    """What release `b` has otherwise than `a`; rows by id, sorted."""

    a: str
    b: str
    added: list[str]
    removed: list[str]
    changed: list[str]
    """The same id with other texts or other columns; ids follow content, so that this means another source, licence or root."""
    moved: dict[str, str]
    """Id to "old split > new split" of rows that are otherwise the same."""
    same: int
    counts: dict[str, dict[str, int]]
    """"kind/domain/origin" to the rows added, removed, changed, moved."""
    settings: dict[str, tuple[Any, Any]]
    """Parts of `release.json` that differ, as (in a, in b)."""

    def data(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return asdict(self)


def compare(a: Path, b: Path) -> Difference:
    """Compare two release folders, which `export.verify` should have found whole."""
    old, new = ({row["id"]: row for row in export.read(folder)} for folder in (a, b))
    added, removed, both = sorted(new.keys() - old.keys()), sorted(old.keys() - new.keys()), sorted(old.keys() & new.keys())
    bare = [{i: digest({name: value for name, value in rows[i].items() if name != "split"}) for i in both} for rows in (old, new)]
    changed = [i for i in both if bare[0][i] != bare[1][i]]
    moved = {i: f"{old[i]['split']} > {new[i]['split']}" for i in both if bare[0][i] == bare[1][i] and old[i]["split"] != new[i]["split"]}
    counts: dict[str, Counter[str]] = {}
    for word, ids in (("added", added), ("removed", removed), ("changed", changed), ("moved", moved)):
        for i in ids:
            row = new.get(i) or old[i]
            counts.setdefault(f"{row['kind']}/{row['domain']}/{row['origin']}", Counter())[word] += 1
    manifests = [json.loads((folder / "release.json").read_text(encoding="utf-8")) for folder in (a, b)]
    settings = {name: (manifests[0].get(name), manifests[1].get(name)) for name in _SETTINGS if manifests[0].get(name) != manifests[1].get(name)}
    same = len(both) - len(changed) - len(moved)
    return Difference(a.name, b.name, added, removed, changed, moved, same, {place: dict(n) for place, n in sorted(counts.items())}, settings)
