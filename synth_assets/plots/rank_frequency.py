"""Occurrences of n-grams by their rank, both logarithmic: a natural text falls steadily, templates make a shelf at the left."""

from collections.abc import Sequence
from itertools import pairwise
from math import log10

from synth_assets.plots.svg import Sheet, shortened

__all__ = ["rank_frequency"]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640.0, 260.0, 58.0, 16.0, 36.0, 42.0
POINTS = 120
"""Points drawn at most: ranks at equal distances on the logarithmic axis."""


def rank_frequency(title: str, occurrences: Sequence[int]) -> Sheet:
    """The curve of `occurrences`, one number per different n-gram in any order."""
    sheet = Sheet(title, WIDTH, HEIGHT)
    sheet.text(12, 24, shortened(title, WIDTH - 24))
    ranked = sorted((count for count in occurrences if count > 0), reverse=True)
    floor, across, up = HEIGHT - BOTTOM, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    sheet.line(LEFT, floor, WIDTH - RIGHT, floor, "quiet")
    sheet.line(LEFT, TOP, LEFT, floor, "quiet")
    decades_x = max(log10(len(ranked)) if ranked else 0.0, 1.0)
    decades_y = max(log10(ranked[0]) if ranked else 0.0, 1.0)
    for power in range(int(decades_x) + 1):
        x = LEFT + across * power / decades_x
        sheet.line(x, TOP, x, floor)
        sheet.text(x, floor + 15, f"{10**power:,}", "quiet", anchor="middle")
    for power in range(int(decades_y) + 1):
        y = floor - up * power / decades_y
        sheet.line(LEFT, y, WIDTH - RIGHT, y)
        sheet.text(LEFT - 6, y + 4, f"{10**power:,}", "quiet", anchor="end")
    if ranked:
        ranks = sorted({min(round(10 ** (decades_x * part / POINTS)), len(ranked)) for part in range(POINTS + 1)})
        points = [(LEFT + across * log10(rank) / decades_x, floor - up * log10(ranked[rank - 1]) / decades_y) for rank in ranks]
        # A corner that turns nothing says nothing.
        kept = [points[0], *(here for (before, here), (_, after) in pairwise(pairwise(points)) if not before[1] == here[1] == after[1]), points[-1]]
        sheet.curve(kept, "mark")
    sheet.text(LEFT + across / 2, HEIGHT - 8, "rank of the n-gram", "quiet", anchor="middle")
    return sheet
