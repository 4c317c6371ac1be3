"""What the gate's sample says: rows, defects, the upper bound of the defect rate, and whether that is within the domain's limit.

A defect is a row that people rejected or had to correct. While rows are unread, only what can no longer change counts: the bound that would come of it
if all other rows were accepted. Invariant: a sample in which nobody found a defect never blocks a domain that does not ask for reviews.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from synth_assets.config import SpotCheck
from synth_assets.quality.statistics import allowed_defects, defect_bound, needed_sample

__all__ = ["Gate"]


@dataclass(frozen=True)
class Gate:
    """One domain's gate sample."""

    lot: int
    """Rows that the sample was drawn from."""
    rows: int
    """Rows of the sample."""
    read: int
    """Of them with a verdict."""
    defects: int
    """Of them rejected or fixed."""
    settings: SpotCheck

    @classmethod
    def of(cls, settings: SpotCheck, lot: int, verdicts: Sequence[str | None]) -> "Gate":
        """From the verdicts on the sample, None for a row that nobody has read."""
        read = [verdict for verdict in verdicts if verdict]
        return cls(lot, len(verdicts), len(read), sum(verdict != "accept" for verdict in read), settings)

    @property
    def bound(self) -> float | None:
        """Upper 95 % bound of the lot's defect rate, unread rows taken for good; None where nothing can be said yet."""
        if not self.rows or not self.read or (not self.defects and (self.read < self.rows or not self.settings.required)):
            return None
        return defect_bound(self.defects, self.rows, self.lot)

    @property
    def final_bound(self) -> float | None:
        """The upper 95 % bound once every row is read, to be told to people; None before, when it would say too little."""
        return defect_bound(self.defects, self.rows, self.lot) if self.rows and self.read == self.rows else None

    @property
    def needed(self) -> int:
        """Rows that the limit needs if none of them has a defect; all of a lot that is smaller."""
        return min(self.lot, needed_sample(self.settings.max_defect_rate))

    @property
    def allowed(self) -> int | None:
        """Defects that the sample may have; None where it is too small for the limit."""
        return allowed_defects(self.rows, self.lot, self.settings.max_defect_rate)

    @property
    def passed(self) -> bool:
        """Whether the rows may go on."""
        if self.settings.required and self.read < self.rows:
            return False
        return self.bound is None or self.bound <= self.settings.max_defect_rate

    @property
    def metrics(self) -> dict[str, float]:
        """The same in numbers, for the history."""
        numbers = {"gate_lot": self.lot, "gate_rows": self.rows, "gate_read": self.read, "gate_defects": self.defects, "gate_rows_needed": self.needed}
        return {**numbers, **({} if self.bound is None else {"defect_rate_upper_bound": self.bound})}
