"""What a check is: a name, what a failure means, and the expectation that decides, made only when it is needed.

Great Expectations takes seconds to import, and Dagster wants the names of all checks at once. So an expectation is said in that library's words,
without it, and what one frame cannot tell (parents, near-duplicates, shares) is derived first, into a column or a number that it then looks at.
Invariant: nothing here imports Great Expectations or pandas.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from synth_assets.accounts import Row
from synth_assets.config import Domain
from synth_assets.expectations.forms import Expect, Expectation
from synth_assets.quality.words import words

if TYPE_CHECKING:
    import pandas

__all__ = ["Check", "Column", "Figure", "Kind", "StageSlice", "Suite", "items", "texts"]

Kind = Literal["structure", "quality", "regression"]
"""Structure always blocks; quality does what `gates.quality` of the domain says; regression warns of drift and blocks at a collapse."""


@dataclass(frozen=True)
class StageSlice:
    """One stage's rows of one domain, with what they are compared to."""

    stage: str
    domain: Domain
    frame: "pandas.DataFrame"
    """The rows, with one column per column of the table."""
    facts: Mapping[str, "pandas.DataFrame"]
    """Rows of other tables by table name: those of `Suite.inputs`."""
    _texts: dict[str, list[str]] = field(default_factory=dict, compare=False, repr=False)
    _words: dict[str, list[list[str]]] = field(default_factory=dict, compare=False, repr=False)
    _records: dict[object, list[Row]] = field(default_factory=dict, compare=False, repr=False)

    def texts(self, column: str) -> list[str]:
        """A column of the rows as texts, null as an empty one; made once for all checks, and not to be changed."""
        if column not in self._texts:
            self._texts[column] = texts(self.frame, column)
        return self._texts[column]

    def words(self, column: str) -> list[list[str]]:
        """The words of a column's texts, likewise."""
        if column not in self._words:
            self._words[column] = [words(text) for text in self.texts(column)]
        return self._words[column]

    def fact(self, table: str) -> "pandas.DataFrame":
        """Rows of another table; raises LookupError where they were not given."""
        if table not in self.facts:
            raise LookupError(f"needs the rows of {table}, which were not given")
        return self.facts[table]

    def records(self, table: str, *columns: str, **equal: str) -> list[Row]:
        """Rows of another table as dictionaries, null as None, of all columns or of some; raises LookupError where they were not given.

        Those alone that have these values in the columns `equal`. Made once for all checks, and not to be changed.
        """
        asked = table, columns, tuple(equal.items())
        if asked not in self._records:
            frame = self.fact(table)
            for column, value in equal.items():
                frame = frame[frame[column] == value]
            frame = (frame[list(columns)] if columns else frame).astype(object)
            found = frame.where(frame.notna(), None).to_dict("records")
            self._records[asked] = [{str(name): value for name, value in row.items()} for row in found]
        return self._records[asked]

    def known(self, table: str, column: str = "id") -> set[str]:
        """The values of a column of another table."""
        return set(texts(self.fact(table), column))

    @property
    def account(self) -> dict[str, int]:
        """The stage's own row of `stage_accounts`; raises LookupError unless there is exactly one."""
        accounts = self.fact("stage_accounts")
        own = accounts[accounts["stage"] == self.stage]
        if len(own) != 1:
            raise LookupError(f"stage_accounts has {len(own)} rows for {self.stage} of {self.domain.name}, not 1")
        return {name: int(own.iloc[0][name]) for name in ("planned", "kept", "rejected", "surplus")}


@dataclass(frozen=True)
class Column:
    """A column that is computed from the slice for one check. Texts stay out of it."""

    name: str
    """Names no column of a table."""
    values: Callable[[StageSlice], Sequence[bool | int | float]]
    """One value per row, none missing."""


@dataclass(frozen=True)
class Figure:
    """A number that is computed from the slice for one check."""

    name: str
    value: Callable[[StageSlice], float | None]
    """None where there is nothing to measure, which passes."""
    words: Callable[[StageSlice], str] | None = None
    """What was seen, where the number alone says too little."""


@dataclass(frozen=True)
class Check:
    """One expectation about one stage's slice: one asset check."""

    name: str
    """Stable: it is the check's name in Dagster."""
    kind: Kind
    description: str
    """What holds when it passes."""
    defect: str
    """What is wrong when it fails."""
    expect: Expect
    derived: Column | Figure | None = None
    """What the expectation looks at; None where it looks at stored columns."""
    blocks_beyond: Callable[[Domain], float] | None = None
    """Of a regression check: the figure above which a failure blocks."""

    def expectation(self, domain: Domain) -> Expectation:
        """What the library is asked."""
        return self.expect.make(self.derived.name if self.derived else "", domain)

    def blocks(self, domain: Domain, number: float | None = None) -> bool:
        """Whether a failure blocks what is downstream; `number` is the value of a figure, None where it could not be had."""
        if self.kind == "quality":
            return domain.gates.quality == "block"
        return self.blocks_beyond is None or number is None or number > self.blocks_beyond(domain)

    def severity(self, domain: Domain) -> str:
        """What a failure does, in words: ERROR blocks, WARN shows."""
        if self.kind == "regression":
            return "WARN, ERROR"
        return "ERROR" if self.blocks(domain) else "WARN"


@dataclass(frozen=True)
class Suite:
    """All checks of one stage."""

    stage: str
    checks: tuple[Check, ...]
    inputs: Mapping[str, tuple[str, ...]]
    """Tables that `StageSlice.facts` must hold, each with the columns that are looked at; none named is all of them."""


def texts(frame: "pandas.DataFrame", column: str) -> list[str]:
    """A column as texts; null becomes empty."""
    # Arrow's arrays take ten times as long to go through as the array of objects that is made of them. Of a column that stands twice, the first.
    return [value if isinstance(value, str) else "" for value in frame[[column]].to_numpy(dtype=object)[:, 0]]


def items(value: Any) -> list[Any]:
    """A list column's value as a list, however the frame holds it; null becomes empty."""
    return list(value) if hasattr(value, "__iter__") and not isinstance(value, str) else []
