"""How commands print: aligned columns, and texts of teachers and users made harmless for a terminal.

Invariant: what `visible` returns moves no cursor, changes no colour and turns no direction of writing.
"""

from collections.abc import Iterable, Sequence

__all__ = ["columns", "dollars", "visible"]


def visible(text: str, *, lines: bool = False) -> str:
    """`text` with every control, format and private character as its escape; with `lines`, line ends stay line ends."""
    return "".join(c if c.isprintable() or (lines and c == "\n") else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def dollars(amount: float | None) -> str:
    """An amount in US dollars; small ones with as many digits as say something."""
    if amount is None:
        return "unknown"
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


def columns(head: Sequence[str], rows: Iterable[Sequence[object]], *, words: int = 1) -> str:
    """A table of plain text; the first `words` columns are left-aligned, the others right-aligned. Cells are made harmless."""
    table = [list(head), *([visible(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[place]) for row in table) for place in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = (cell.ljust(width) if place < words else cell.rjust(width) for place, (cell, width) in enumerate(zip(row, widths, strict=True)))
        return "  ".join(cells).rstrip()

    return "\n".join(map(line, table))
