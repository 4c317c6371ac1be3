"""The mix of synthetic and real rows at a given share, without replacement.

From S synthetic and R real rows at synthetic share p the largest mix has N = min(S/p, R/(1-p)) rows: one side is used up, the other sampled,
topic by topic in proportion to what there is. A row's rank within its topic is drawn from its id alone, so that the choice does not depend on the
order of the input, and a row that is added or dropped upstream moves few others.

Invariant: no id is taken twice, and the counts of both sides differ from pN and (1-p)N by less than one row.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from synth_assets.errors import StageFailed
from synth_assets.identity import seeded

__all__ = ["Mix", "largest_remainder", "mix"]


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


def mix(synthetic: Mapping[str, str], real: Mapping[str, str], share: float, *seed: object) -> Mix:
    """The largest mix of rows at synthetic share `share`.

    Near-duplicates between the two sides are the caller's to remove before.

    Args:
        synthetic: Topic by id of the synthetic rows that may be taken.
        real: Likewise of the real rows.
        share: Synthetic share by rows, above 0 and below 1. Read as the decimal that it is written as: 0.7 is 7/10.
        seed: Position of the decision, for instance the domain's seed, its name and the kind of row.

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
    rows = floor(min(len(synthetic) / p, len(real) / (1 - p)))
    if rows == 0:
        empty = " and ".join(name for name, side in (("synthetic", synthetic), ("real", real)) if not side)
        return Mix((), (), tuple(sorted([*synthetic, *real])), f"no {empty} rows, so no mix of the two: {len(synthetic)} synthetic, {len(real)} real")
    counts = largest_remainder({"synthetic": p, "real": 1 - p}, rows)
    chosen_synthetic = _sample(synthetic, counts["synthetic"], *seed, "synthetic")
    chosen_real = _sample(real, counts["real"], *seed, "real")
    surplus = (synthetic.keys() - set(chosen_synthetic)) | (real.keys() - set(chosen_real))
    return Mix(chosen_synthetic, chosen_real, tuple(sorted(surplus)))


def largest_remainder(weights: Mapping[str, Fraction | int], seats: int) -> dict[str, int]:
    """`seats` divided in proportion to `weights` by largest remainder (Hamilton); equal remainders go by the order of `weights`."""
    total = sum(weights.values())
    quotas = {key: Fraction(weight * seats) / total for key, weight in weights.items()}
    given = {key: floor(quota) for key, quota in quotas.items()}
    by_remainder = sorted(weights, key=lambda key: given[key] - quotas[key])
    for key in by_remainder[: seats - sum(given.values())]:
        given[key] += 1
    return given


def _sample(topics: Mapping[str, str], count: int, *seed: object) -> tuple[str, ...]:
    """`count` of the ids, each topic in proportion to its rows. Quotas never exceed a topic's rows, because `count` never exceeds all of them."""
    cells: defaultdict[str, list[str]] = defaultdict(list)
    for row_id, topic in topics.items():
        cells[topic].append(row_id)
    quotas = largest_remainder({topic: len(cells[topic]) for topic in sorted(cells)}, count)
    chosen: list[str] = []
    for topic, quota in quotas.items():
        chosen += sorted(cells[topic], key=lambda row_id: (seeded(*seed, row_id).random(), row_id))[:quota]
    return tuple(sorted(chosen))
