"""How much may be spent, and whether one more call fits: the limits of `SYNTH_BUDGET_USD` and of a domain's own file.

A budget is the sum that this home's ledger may ever reach, over all runs and processes: the ledger asks `allows` in the transaction that
reserves the call. Invariant: settled + in flight + next never passes a limit, where every call counts at its upper bound until its price is known.
"""

import math
from dataclasses import dataclass

from synth_assets.errors import BudgetExceeded

__all__ = ["Budget", "Spending"]

ROUNDING_USD = 1e-9
"""Sums of floats: far below the price of one token."""


@dataclass(frozen=True)
class Spending:
    """What one scope has spent, in US dollars."""

    settled_usd: float = 0.0
    """Paid, and upper bounds of calls whose outcome will never be known."""
    in_flight_usd: float = 0.0
    """Upper bounds of calls that are out."""


@dataclass(frozen=True)
class Budget:
    """The limits in force. None is no limit; it is reached only by a free teacher or by `SYNTH_BUDGET_USD=unlimited`."""

    total_usd: float | None = None
    """For everything in the ledger."""
    domain: str = ""
    """Whose calls these are."""
    domain_usd: float | None = None
    """For the calls of `domain`."""

    @property
    def finite(self) -> bool:
        """Whether anything limits the spending."""
        return any(limit is not None and math.isfinite(limit) for limit in (self.total_usd, self.domain_usd))

    @property
    def given(self) -> bool:
        """Whether anybody said how much may be spent, be it without limit."""
        return self.total_usd is not None or self.domain_usd is not None

    def allows(self, next_usd: float, total: Spending, domain: Spending) -> bool:
        """Whether a call of at most `next_usd` may go out now; False where it may fit once calls in flight have come home.

        Raises:
            BudgetExceeded: it does not fit, whatever becomes of those in flight.
        """
        now = True
        for limit, spent, name, remedy in (
            (self.total_usd, total, "SYNTH_BUDGET_USD", "Raise SYNTH_BUDGET_USD to go on"),
            (self.domain_usd, domain, f"budget_usd of domain {self.domain}", "Raise budget_usd in the domain's file to go on"),
        ):
            if limit is None:
                continue
            room = limit - spent.settled_usd + ROUNDING_USD
            if next_usd > room:
                raise BudgetExceeded(
                    f"The next call may cost up to ${next_usd:.4f}, and ${spent.settled_usd:.4f} of the ${limit:.2f} in {name} are spent "
                    f"(all runs of this home count). {remedy}; what was answered is in the ledger and is not paid again."
                )
            now = now and next_usd <= room - spent.in_flight_usd
        return now
