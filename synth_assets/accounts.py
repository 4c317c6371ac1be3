"""The account that every stage keeps: planned = kept + rejected + surplus.

`planned` is counted from what was asked for, before anything comes back; the other three are the rows themselves.
So the sum is a check on the stage, not a definition, and nothing can disappear between two stages.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from synth_assets.errors import StageFailed

Row = dict[str, Any]
"""One row of a stage's table: column name to value. Every row has an `id`."""


@dataclass(frozen=True)
class Rejection:
    """One rule that one candidate broke. A candidate that breaks three rules has three."""

    row: Row
    """The whole candidate, its texts included."""
    rule: str
    """Name of the rule, as the user finds it in the README and in `gates`."""
    score: float | None = None
    """What was measured, in the rule's own unit; None where the rule is yes or no."""
    evidence: str = ""
    """What was found, short enough to read in a table."""


@dataclass
class Outcome:
    """What became of every candidate of one stage in one domain."""

    planned: int = 0
    """Candidates that were asked for."""
    kept: list[Row] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    surplus: list[Row] = field(default_factory=list)
    """Made and good, but more than was wanted."""
    call_uses: list[tuple[str, str]] = field(default_factory=list)
    """(call key, row id): which paid call stands behind which candidate."""

    @property
    def rejected_ids(self) -> set[str]:
        """Ids of the candidates that at least one rule rejected."""
        return {str(r.row["id"]) for r in self.rejected}

    @property
    def candidates(self) -> int:
        """Candidates that were made, whatever became of them."""
        return len(self.kept) + len(self.rejected_ids) + len(self.surplus)

    def reject(self, row: Row, rule: str, score: float | None = None, evidence: str = "") -> None:
        """Reject `row` by `rule`."""
        self.rejected.append(Rejection(row, rule, score, evidence))

    def use(self, row_id: str, keys: Iterable[str]) -> None:
        """Note that the calls `keys` stand behind candidate `row_id`."""
        self.call_uses.extend((key, row_id) for key in keys if key)

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What the block adds; where it raises, the account is as it was before."""
        before = (self.planned, list(self.kept), list(self.rejected), list(self.surplus), list(self.call_uses))
        try:
            yield
        except BaseException:
            self.planned, self.kept, self.rejected, self.surplus, self.call_uses = before
            raise

    def check_balance(self, stage: str, domain: str) -> None:
        """Raise StageFailed unless every planned candidate is in exactly one place."""
        kept = [str(r["id"]) for r in self.kept]
        surplus = [str(r["id"]) for r in self.surplus]
        places = [*kept, *surplus, *self.rejected_ids]
        if len(set(places)) != len(places):
            twice = sorted({i for i in places if places.count(i) > 1})[:5]
            raise StageFailed(f"{stage} of {domain}: rows in two places at once: {', '.join(twice)}. This is a defect: please report it.")
        if self.planned != len(places):
            raise StageFailed(
                f"{stage} of {domain}: {self.planned} candidates were planned, but {len(kept)} kept + {len(self.rejected_ids)} rejected "
                f"+ {len(surplus)} surplus = {len(places)}. This is a defect: please report it."
            )
