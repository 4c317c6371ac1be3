"""What a sample that people have read says about the rows that nobody has: the Wilson bound, the sample that a limit needs, agreement.

The bound is the upper end of the two-sided 95 % Wilson score interval (Wilson 1927), so that a lot is passed by mistake in about 2.5 % of cases, not 5.
It never claims certainty from a clean sample: 60 rows without a defect still leave room for 6 %. Invariant: pure functions of counts.
"""

from collections import Counter
from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

__all__ = ["CONFIDENCE", "Agreement", "agreement", "allowed_defects", "defect_bound", "needed_sample", "wilson_interval"]

CONFIDENCE = 0.95


class Agreement(NamedTuple):
    """Two reviewers on the rows that both have judged."""

    rows: int
    agreed: int
    kappa: float | None
    """Cohen's kappa (Cohen 1960): agreement beyond chance, 1 at most; None where chance alone explains all of it, or there are no rows."""


def wilson_interval(defects: int, rows: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval of a share, both ends 0 to 1; (0, 1) where nothing was read.

    Raises:
        ValueError: there are more defects than rows, or less than none.
    """
    if not 0 <= defects <= rows:
        raise ValueError(f"{defects} defects in {rows} rows")
    if rows == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, weight = defects / rows, z * z / rows
    middle = share + weight / 2
    half = z * sqrt((share * (1 - share) + weight / 4) / rows)
    low, high = (middle - half) / (1 + weight), (middle + half) / (1 + weight)
    # At the ends the formula gives exactly 0 and 1 but for rounding.
    return (0.0 if defects == 0 else low), (1.0 if defects == rows else high)


def defect_bound(defects: int, rows: int, lot: int) -> float:
    """Upper 95 % bound of the share of defects in a lot of `lot` rows of which `rows` were drawn; the share itself where all were drawn.

    Raises:
        ValueError: as `wilson_interval`, or the sample is larger than the lot.
    """
    if rows > lot:
        raise ValueError(f"{rows} rows drawn from {lot}")
    if 0 < rows == lot:
        return defects / rows
    return wilson_interval(defects, rows)[1]


def needed_sample(limit: float, defects: int = 0) -> int:
    """The smallest sample with `defects` defects whose upper bound is at most `limit`.

    Raises:
        ValueError: the limit is not above 0 and at most 1: no sample shows that there are no defects at all.
    """
    if not 0 < limit <= 1:
        raise ValueError(f"{limit} is no limit above 0")
    low, high = max(defects, 1), max(defects, 1)
    while wilson_interval(defects, high)[1] > limit:
        low, high = high, 2 * high
    while low < high:  # the bound falls as the sample grows
        middle = (low + high) // 2
        if wilson_interval(defects, middle)[1] > limit:
            low = middle + 1
        else:
            high = middle
    return high


def allowed_defects(rows: int, lot: int, limit: float) -> int | None:
    """The most defects that a sample of `rows` from `lot` rows may have within `limit`; None where even none are too many."""
    allowed = None
    for defects in range(rows + 1):
        if defect_bound(defects, rows, lot) > limit:
            break
        allowed = defects
    return allowed


def agreement(left: Sequence[str], right: Sequence[str]) -> Agreement:
    """How far two reviewers agree; the verdicts of a row stand at the same place in both.

    Raises:
        ValueError: the sequences differ in length.
    """
    pairs = list(zip(left, right, strict=True))
    agreed = sum(a == b for a, b in pairs)
    if not pairs:
        return Agreement(0, 0, None)
    ours, theirs = Counter(left), Counter(right)
    # In whole numbers, so that agreement by chance alone is found exactly.
    chance, whole = sum(ours[verdict] * theirs[verdict] for verdict in ours), len(pairs) ** 2
    kappa = None if chance == whole else (agreed * len(pairs) - chance) / (whole - chance)
    return Agreement(len(pairs), agreed, kappa)
