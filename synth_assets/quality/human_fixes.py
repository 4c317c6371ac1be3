"""Answers that a person corrected, as candidates of their own in the place of the rows that they correct.

The corrected row has the old one as its parent and passes the gates as any other; the old one is rejected, whatever becomes of the new one, since a
person saw that it is defective. A correction may itself be corrected. Invariant: a corrected row differs from its parent in its answer alone.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

from synth_assets.accounts import Outcome, Row
from synth_assets.identity import row_id
from synth_assets.quality.sampling import content_key

__all__ = ["METHOD", "REPLACED", "apply_fixes", "lot", "replaced"]

METHOD = "human_fix"
"""The method of a corrected row."""

REPLACED = "human_fixed"
"""The rule that rejects what was corrected."""


def apply_fixes(rows: Sequence[Row], fixes: Mapping[str, str], outcome: Outcome) -> list[Row]:
    """`rows`, each one that was corrected followed by its correction; what was corrected is rejected in `outcome`.

    Args:
        rows: Candidates of `gates.candidates`.
        fixes: Corrected answers by the content key of what they correct.
        outcome: Takes the rejections; candidates are counted by `gates.screen`, which gets what is returned here.
    """
    found: list[Row] = []
    for candidate in rows:
        row = candidate
        found.append(row)
        seen = {content_key(row)}
        while (corrected := fixes.get(content_key(row))) is not None:
            new = row | {
                "id": row_id(row["domain"], "filtered", METHOD, row["id"], corrected),
                "method": METHOD,
                "response": corrected,
                "parent_id": row["id"],
            }
            # Two people who correct each other's answers back and forth: the first correction stays.
            if content_key(new) in seen:
                break
            seen.add(content_key(new))
            outcome.reject(row, REPLACED, evidence=f"corrected by a person in {new['id']}")
            found.append(new)
            row = new
    return found


def replaced(rejections: Sequence[Row]) -> list[Row]:
    """The rows that only a correction keeps out, from rows of the table `rejections` of one domain."""
    own = [row for row in rejections if row["stage"] == "filtered"]
    rules: dict[str, set[str]] = {}
    for row in own:
        rules.setdefault(row["row_id"], set()).add(row["rule"])
    return [json.loads(row["row"]) for row in own if row["rule"] == REPLACED and rules[row["row_id"]] == {REPLACED}]


def lot(rows: Iterable[Row], rejections: Sequence[Row]) -> list[Row]:
    """What the automatic gates let pass of what the machine made: `rows` of `filtered` without corrections, and what only a correction keeps out.

    Args:
        rows: With at least `method`.
        rejections: Rows of the table of that name, of the same domain.
    """
    return [row for row in (*rows, *replaced(rejections)) if row["method"] != METHOD]
