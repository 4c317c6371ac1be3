"""What may be asked of a release beyond its rows: their order, and further forms."""

from collections.abc import Sequence
from dataclasses import dataclass

from synth_assets.accounts import Row
from synth_assets.conversations import approximate_tokens
from synth_assets.errors import StageFailed
from synth_assets.release.forms import FORMS

__all__ = ["ORDERS", "Options", "placed"]

ORDERS = ("mixed", "curriculum")
"""mixed: by id, which is a digest; curriculum: from easy to hard."""


@dataclass(frozen=True)
class Options:
    """Part of a release's version: the same rows in another order are another release."""

    order: str = "mixed"
    forms: tuple[str, ...] = ()
    """Names of FORMS, sorted."""

    @classmethod
    def of(cls, order: str, forms: Sequence[str]) -> "Options":
        """Options as a user names them; raises StageFailed for one that there is not."""
        if order not in ORDERS:
            raise StageFailed(f"there is no order {order!r}: name one of {', '.join(ORDERS)}.")
        if unknown := sorted(set(forms) - FORMS.keys()):
            raise StageFailed(f"there is no form {unknown[0]!r}: name some of {', '.join(FORMS)}.")
        return cls(order, tuple(sorted(set(forms))))


def placed(rows: Sequence[Row], order: str, rounds: dict[str, int]) -> dict[str, int]:
    """The `place` of every row by its id, where the order is not that of the ids.

    A curriculum goes by the rounds of evolution behind the instruction (rows that were never evolved first, those of people among them), then by
    length: Evol-Instruct makes a task harder with every round (arXiv 2304.12244).

    Args:
        rows: Rows of a release.
        order: One of ORDERS.
        rounds: Rounds behind a synthetic row by its `source_id`.
    """
    if order != "curriculum":
        return {}
    by_difficulty = sorted(rows, key=lambda row: (rounds.get(row["source_id"], 0), approximate_tokens(row), row["id"]))
    return {row["id"]: place for place, row in enumerate(by_difficulty)}
