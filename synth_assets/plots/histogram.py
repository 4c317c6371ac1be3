"""How often values fall between which bounds, with a line where a threshold lies."""

from collections.abc import Sequence
from math import isfinite

from synth_assets.plots.svg import Role, Sheet, shortened

__all__ = ["counts", "histogram"]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640.0, 220.0, 52.0, 14.0, 36.0, 42.0


def counts(values: Sequence[float], bins: int, low: float, high: float) -> list[int]:
    """How many values fall into each of `bins` equal parts of low to high; those outside count in the first and the last."""
    found = [0] * bins
    for value in values:
        place = int((value - low) / (high - low) * bins)
        found[min(max(place, 0), bins - 1)] += 1
    return found


def histogram(
    title: str, values: Sequence[float], *, axis: str, low: float = 0.0, high: float = 1.0, bins: int = 20, threshold: float | None = None, role: Role = "mark"
) -> Sheet:
    """The distribution of `values`, not-a-number left out.

    Args:
        title: What is counted.
        values: Any order.
        axis: What the values are, with their unit.
        low: Lower end of the axis.
        high: Upper end.
        bins: Bars.
        threshold: A limit that a gate sets; None for none.
        role: Of the bars.
    """
    sheet = Sheet(title, WIDTH, HEIGHT)
    sheet.text(12, 24, shortened(title, WIDTH - 24))
    found = counts([value for value in values if isfinite(value)], bins, low, high)
    most, floor, room = max(found), HEIGHT - BOTTOM, HEIGHT - TOP - BOTTOM
    step = (WIDTH - LEFT - RIGHT) / bins
    sheet.text(LEFT - 6, TOP + 10, f"{most:,}", "quiet", anchor="end")
    sheet.text(LEFT - 6, floor, "0", "quiet", anchor="end")
    for place, count in enumerate(found):
        height = room * count / most if most else 0.0
        sheet.rectangle(LEFT + place * step + 1, floor - height, step - 2, height, role)
    sheet.line(LEFT, floor, WIDTH - RIGHT, floor, "quiet")
    for part in range(5):
        x = LEFT + (WIDTH - LEFT - RIGHT) * part / 4
        sheet.text(x, floor + 15, f"{low + (high - low) * part / 4:.3g}", "quiet", anchor="middle" if 0 < part < 4 else "start" if part == 0 else "end")
    sheet.text(LEFT + (WIDTH - LEFT - RIGHT) / 2, HEIGHT - 8, axis, "quiet", anchor="middle")
    if threshold is not None and low <= threshold <= high:
        x = LEFT + (WIDTH - LEFT - RIGHT) * (threshold - low) / (high - low)
        sheet.line(x, TOP, x, floor, "rejected", dashed=True)
        side = "end" if threshold > (low + high) / 2 else "start"
        sheet.text(x + (-5 if side == "end" else 5), TOP + 10, f"limit {threshold:g}", "rejected", anchor=side)  # type: ignore[arg-type]
    return sheet
