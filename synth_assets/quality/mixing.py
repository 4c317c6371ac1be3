"""The mix of synthetic and real rows at a given share, without replacement.

From S synthetic and R real rows at synthetic share p the largest mix has N = min(S/p, R/(1-p)) rows: one side is used up, the other sampled,
topic by topic in proportion to what there is. Where a group of rows may fill no more than a share of the mix, N is the largest for which what
the limits leave is enough. A row's rank within its topic is drawn from its id alone, so that the choice does not depend on the
order of the input, and a row that is added or dropped upstream moves few others.

Invariant: no id is taken twice, and the counts of both sides differ from pN and (1-p)N by less than one row.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from synth_assets.errors import StageFailed
from synth_assets.identity import seeded

__all__ = ["Limit", "Mix", "largest_remainder", "mix", "sample"]


@dataclass(frozen=True)
class Limit:
    """A group of rows that may fill at most a share of the mix."""

    name: str
    share: float
    """Above 0, at most 1; read as the decimal that it is written as."""
    ids: frozenset[str]

    def rows(self, mix: int) -> int:
        """How many of the group a mix of so many rows may have."""
        return floor(Fraction(str(self.share)) * mix)


@dataclass(frozen=True)
class Mix:
    """Which rows stand in the mix, by id; all tuples are sorted."""

    synthetic: tuple[str, ...]
    """Chosen synthetic rows."""
    real: tuple[str, ...]
    """Chosen real rows."""
    surplus: tuple[str, ...]
    """Rows of either side that the share leaves no room for."""
    reason: str = ""
    """Why the mix is empty; empty text where it is not."""

    @property
    def chosen(self) -> tuple[str, ...]:
        """All chosen ids: synthetic, then real."""
        return self.synthetic + self.real

    @property
    def share(self) -> float | None:
        """Achieved synthetic share by rows; None for an empty mix."""
        return len(self.synthetic) / len(self.chosen) if self.chosen else None


def mix(synthetic: Mapping[str, str], real: Mapping[str, str], share: float, *seed: object, limits: Sequence[Limit] = ()) -> Mix:
    """The largest mix of rows at synthetic share `share`.

    Near-duplicates between the two sides are the caller's to remove before.

    Args:
        synthetic: Topic by id of the synthetic rows that may be taken.
        real: Likewise of the real rows.
        share: Synthetic share by rows, above 0 and below 1. Read as the decimal that it is written as: 0.7 is 7/10.
        seed: Position of the decision, for instance the domain's seed, its name and the kind of row.
        limits: Groups that are limited. Where two groups share rows, the mix may be smaller than the largest possible.

    Raises:
        StageFailed: an id stands on both sides.
    """
    if not 0 < share < 1:
        raise ValueError(f"the synthetic share must lie between 0 and 1, not {share}")
    both = sorted(synthetic.keys() & real.keys())
    if both:
        raise StageFailed(f"{len(both)} ids stand on both sides of the mix, the first is {both[0]}. This is a defect: please report it.")
    # In binary, 3 / (1 - 0.7) is 9.999999999999998: one row short of the ten that three real rows allow.
    p = Fraction(str(share))
    rows = _bound(synthetic, real, p, limits)
    allowed = _allowed(synthetic, real, rows, limits, *seed)
    while (fewer := _size(len(allowed[0]), len(allowed[1]), p)) < rows:
        rows = fewer
        allowed = _allowed(synthetic, real, rows, limits, *seed)
    if rows == 0:
        return Mix((), (), tuple(sorted([*synthetic, *real])), _why_empty(synthetic, real, limits))
    counts = largest_remainder({"synthetic": p, "real": 1 - p}, rows)
    chosen_synthetic = sample(allowed[0], counts["synthetic"], *seed, "synthetic")
    chosen_real = sample(allowed[1], counts["real"], *seed, "real")
    surplus = (synthetic.keys() - set(chosen_synthetic)) | (real.keys() - set(chosen_real))
    return Mix(chosen_synthetic, chosen_real, tuple(sorted(surplus)))


def _size(synthetic: int, real: int, p: Fraction) -> int:
    return floor(min(synthetic / p, real / (1 - p)))


def _bound(synthetic: Collection[str], real: Collection[str], p: Fraction, limits: Sequence[Limit]) -> int:
    """No mix is larger: by numbers alone, each row under its first limit. Caps may bring the size down by many small steps, and sampling is slow."""
    grouped = [Counter(next((n for n, limit in enumerate(limits) if i in limit.ids), -1) for i in side) for side in (synthetic, real)]
    rows = _size(len(synthetic), len(real), p)
    while True:
        left = [sum(min(count, limits[n].rows(rows)) if n >= 0 else count for n, count in groups.items()) for groups in grouped]
        if (fewer := _size(left[0], left[1], p)) >= rows:
            return rows
        rows = fewer


def _allowed(
    synthetic: Mapping[str, str], real: Mapping[str, str], rows: int, limits: Sequence[Limit], *seed: object
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What the limits of a mix of `rows` leave of both sides. It never grows as `rows` falls, so the first size that stands is the largest."""
    sides = []
    for name, side in (("synthetic", synthetic), ("real", real)):
        left: Mapping[str, str] = side
        for limit in limits:
            group = {i: topic for i, topic in left.items() if i in limit.ids}
            if len(group) > limit.rows(rows):
                kept = set(sample(group, limit.rows(rows), *seed, name))
                left = {i: topic for i, topic in left.items() if i not in group or i in kept}
        sides.append(left)
    return sides[0], sides[1]


def _why_empty(synthetic: Collection[str], real: Collection[str], limits: Sequence[Limit]) -> str:
    if synthetic and real and limits:
        named = ", ".join(f"{limit.name} {limit.share:g}" for limit in limits)
        return f"the caps leave too few rows of one side for its share ({named}): {len(synthetic)} synthetic, {len(real)} real"
    empty = " and ".join(name for name, side in (("synthetic", synthetic), ("real", real)) if not side) or "too few"
    return f"no {empty} rows, so no mix of the two: {len(synthetic)} synthetic, {len(real)} real"


def largest_remainder(weights: Mapping[str, Fraction | int], seats: int) -> dict[str, int]:
    """`seats` divided in proportion to `weights` by largest remainder (Hamilton); equal remainders go by the order of `weights`."""
    total = sum(weights.values())
    quotas = {key: Fraction(weight * seats) / total for key, weight in weights.items()}
    given = {key: floor(quota) for key, quota in quotas.items()}
    by_remainder = sorted(weights, key=lambda key: given[key] - quotas[key])
    for key in by_remainder[: seats - sum(given.values())]:
        given[key] += 1
    return given


def sample(topics: Mapping[str, str], count: int, *seed: object) -> tuple[str, ...]:
    """`count` of the ids, drawn by seed and without replacement, each topic in proportion to its rows.

    Quotas never exceed a topic's rows, because `count` never exceeds all of them.
    """
    cells: defaultdict[str, list[str]] = defaultdict(list)
    for row_id, topic in topics.items():
        cells[topic].append(row_id)
    quotas = largest_remainder({topic: len(cells[topic]) for topic in sorted(cells)}, count)
    chosen: list[str] = []
    for topic, quota in quotas.items():
        chosen += sorted(cells[topic], key=lambda row_id: (seeded(*seed, row_id).random(), row_id))[:quota]
    return tuple(sorted(chosen))
