"""Checks of the rows written by people: licensed, distinct, whole pairs, and free of the benchmarks."""

from synth_assets.conversations import prompt_of
from synth_assets.expectations.check import Check, Column, StageSlice, Suite
from synth_assets.expectations.common import contamination_hits, decontaminated, licences_present, pairs_differ, rows_present, shared
from synth_assets.expectations.forms import each_of, holds, unique

__all__ = ["SUITE"]

STAGE = "real_data"


def _contamination_hits(rows: StageSlice) -> list[int]:
    columns = (rows.texts(name) for name in ("instruction", "input", "response", "rejected"))
    read = [
        (prompt_of({"instruction": asked, "input": given}), [answer for answer in answers if answer]) for asked, given, *answers in zip(*columns, strict=True)
    ]
    # A row cannot be the reason why itself is boilerplate.
    return contamination_hits(rows, read, ())


SUITE = Suite(
    STAGE,
    (
        *shared(STAGE, apart=("source", "license")),
        rows_present,
        licences_present,
        Check(
            "rows_distinct",
            "structure",
            "No row stands twice: instruction, input and both responses together.",
            "The same row twice, for instance in two files.",
            unique("kind", "instruction", "input", "response", "rejected"),
        ),
        Check(
            "kinds_configured",
            "structure",
            "Every row is of a kind that the domain's real_data files declare.",
            "A row of another kind: the slice is older than the domain file.",
            each_of("kind", lambda domain: sorted({file.kind for file in domain.real_data})),
        ),
        Check(
            "pairs_differ",
            "structure",
            "Every preference row has a second response that differs from the first; no other row has one.",
            "A pair without two different responses.",
            holds(),
            Column("pair_differs", pairs_differ),
        ),
        decontaminated(_contamination_hits),
    ),
    inputs={"benchmarks": (), "stage_accounts": ()},
)
