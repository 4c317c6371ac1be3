"""A table whose cells are coloured by their value: topics by stages, evolutions by operation and round."""

from collections.abc import Callable, Sequence

from synth_assets.plots.svg import Role, Sheet, shortened

__all__ = ["heat_map"]

LABEL, CELL, ROW, MARGIN = 190.0, 104.0, 26.0, 12.0
CELLS = 160
"""Cells drawn at most, so that a picture stays below 50 KB; the rows beyond are counted."""


def heat_map(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    *,
    shown: Callable[[float], str] = lambda value: f"{value:,.0f}",
    full: float | None = None,
    role: Role = "kept",
) -> Sheet:
    """A cell per row and column, the darker the higher its value, 0 framed as missing, None left empty.

    Args:
        title: What the values are.
        rows: Labels, from the top.
        columns: Labels, from the left.
        values: One sequence per row, one value per column, none negative.
        shown: A value as text.
        full: The value of the darkest cell; None for the highest of each column.
        role: Of the cells.
    """
    drawn = min(len(rows), max(CELLS // max(len(columns), 1), 1))
    beyond = len(rows) - drawn
    sheet = Sheet(title, MARGIN * 2 + LABEL + CELL * max(len(columns), 3), MARGIN * 2 + 46 + ROW * (drawn + bool(beyond)))
    sheet.text(MARGIN, MARGIN + 12, shortened(title, sheet.width - 2 * MARGIN))
    darkest = [full if full is not None else max((row[place] or 0 for row in values), default=0) for place in range(len(columns))]
    for place, column in enumerate(columns):
        sheet.text(MARGIN + LABEL + CELL * (place + 0.5), MARGIN + 36, shortened(column, CELL - 4), "quiet", anchor="middle")
    for number, (label, row) in enumerate(zip(rows[:drawn], values[:drawn], strict=True)):
        top = MARGIN + 44 + ROW * number
        sheet.text(MARGIN + LABEL - 8, top + 17, shortened(label, LABEL - 8), "quiet", anchor="end")
        for place, value in enumerate(row):
            if value is None:
                continue
            x = MARGIN + LABEL + CELL * place
            # At most half opaque, so that ink is read on any cell.
            depth = 0.08 + 0.42 * min(value / darkest[place], 1.0) if darkest[place] else 0.0
            empty = value == 0
            sheet.rectangle(x + 1, top + 1, CELL - 2, ROW - 2, "rejected" if empty else role, opacity=0.18 if empty else depth)
            sheet.text(x + CELL / 2, top + 17, shown(value), anchor="middle")
    if beyond:
        sheet.text(MARGIN + LABEL - 8, MARGIN + 44 + ROW * drawn + 17, f"and {beyond} more", "quiet", anchor="end")
    return sheet
