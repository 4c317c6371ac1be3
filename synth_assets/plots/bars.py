"""Bars that lie: what became of candidates, stage by stage or rule by rule, longest possible bar at the left edge of a common scale."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from synth_assets.plots.svg import CHARACTER, Role, Sheet, shortened

__all__ = ["Bar", "bars", "funnel", "outcome"]

WIDTH, ROW, LABEL, MARGIN = 640.0, 22.0, 190.0, 12.0
RULES = 10
"""Rules that are drawn by themselves; the others share a bar."""


class Bar(NamedTuple):
    """One bar of one or more parts."""

    label: str
    parts: Sequence[tuple[Role, float]]
    note: str
    """What stands at its end."""


def bars(title: str, rows: Sequence[Bar]) -> Sheet:
    """Bars under a title, the longest as wide as there is room."""
    sheet = Sheet(title, WIDTH, 2 * MARGIN + 20 + ROW * len(rows))
    sheet.text(MARGIN, MARGIN + 12, shortened(title, WIDTH))
    notes = CHARACTER * max((len(row.note) for row in rows), default=0) + 10
    room = WIDTH - 2 * MARGIN - LABEL - notes
    longest = max((sum(size for _, size in row.parts) for row in rows), default=0)
    for place, row in enumerate(rows):
        top, x = MARGIN + 22 + ROW * place, MARGIN + LABEL
        sheet.text(x - 8, top + 14, shortened(row.label, LABEL - 8), "quiet", anchor="end")
        for role, size in row.parts:
            width = room * size / longest if longest else 0.0
            sheet.rectangle(x, top + 3, width, ROW - 7, role)
            x += width
        sheet.text(x + 6, top + 14, row.note)
    return sheet


def outcome(title: str, planned: int, kept: int, surplus: int, by_rule: Mapping[str, int]) -> Sheet:
    """What became of one stage's candidates; `by_rule` counts rejected candidates under every rule that they broke, so that it may add up to more."""
    rules = sorted(by_rule.items(), key=lambda entry: (-entry[1], entry[0]))
    rows = [Bar("planned", [("quiet", planned)], f"{planned:,}"), Bar("kept", [("kept", kept)], f"{kept:,}")]
    rows += [Bar("surplus", [("surplus", surplus)], f"{surplus:,}")] if surplus else []
    rows += [Bar(rule, [("rejected", count)], f"{count:,}") for rule, count in rules[:RULES]]
    if rules[RULES:]:
        rest = sum(count for _, count in rules[RULES:])
        rows.append(Bar(f"{len(rules) - RULES} other rules", [("rejected", rest)], f"{rest:,}"))
    return bars(title, rows)


def funnel(title: str, accounts: Sequence[tuple[str, int, int, int]]) -> Sheet:
    """(stage, kept, rejected, surplus) of every stage, from the first to the last."""
    rows = []
    for stage, kept, rejected, surplus in accounts:
        note = f"{kept:,} of {kept + rejected + surplus:,}"
        rows.append(Bar(stage, [("kept", kept), ("rejected", rejected), ("surplus", surplus)], note))
    return bars(title, rows)
