"""An amount that is not known yet: never less than `low`, never more than `high`, and `likely` what is expected."""

from dataclasses import dataclass

__all__ = ["NOTHING", "Interval"]


@dataclass(frozen=True)
class Interval:
    """A non-negative amount; low <= likely <= high, which is made so where arithmetic or a guess left it otherwise."""

    low: float
    likely: float
    high: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "likely", min(max(self.low, self.likely), max(self.low, self.high)))
        object.__setattr__(self, "high", max(self.low, self.high))

    @classmethod
    def exactly(cls, amount: float) -> "Interval":
        """An amount that is known."""
        return cls(amount, amount, amount)

    def __add__(self, other: "Interval") -> "Interval":
        return Interval(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def __mul__(self, other: "Interval") -> "Interval":
        return Interval(self.low * other.low, self.likely * other.likely, self.high * other.high)

    def scaled(self, low: float, likely: float, high: float) -> "Interval":
        """Each end by a factor of its own."""
        return Interval(self.low * low, self.likely * likely, self.high * high)

    def capped(self, most: float) -> "Interval":
        """Not above `most`."""
        return Interval(min(self.low, most), min(self.likely, most), min(self.high, most))


NOTHING = Interval(0.0, 0.0, 0.0)
