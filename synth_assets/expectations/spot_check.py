"""Checks of the spot check: a whole sample of rows that exist, a verdict on each where the domain asks for it, and few enough defects.

The lot is counted anew: rows of `filtered`, without what people corrected but with what they corrected it from. A row that is missing in the sample,
or a verdict that nobody gave, would make the bound of the defect rate worth nothing.
"""

from synth_assets.expectations.check import Check, Column, Figure, StageSlice, Suite, texts
from synth_assets.expectations.common import shared
from synth_assets.expectations.forms import at_most, each_of, holds, unique
from synth_assets.quality.human_fixes import lot
from synth_assets.quality.spot_check_gate import Gate

__all__ = ["SUITE"]

STAGE = "spot_check"


def _lot(rows: StageSlice) -> set[str]:
    """Ids of the rows that the automatic gates let pass."""
    stored = rows.fact("filtered")
    made = ({"id": identity, "method": method} for identity, method in zip(texts(stored, "id"), texts(stored, "method"), strict=True))
    return {row["id"] for row in lot(made, rows.records("rejections"))}


def _row_found(rows: StageSlice) -> list[bool]:
    known = rows.known("filtered") | _lot(rows)
    return [identity in known for identity in rows.texts("row_id")]


def _gate_rows_off(rows: StageSlice) -> float:
    wanted = min(rows.domain.spot_check.gate, len(_lot(rows)))
    return abs(rows.texts("purpose").count("gate") - wanted)


def _reviewed(rows: StageSlice) -> list[bool]:
    """Whether a row needs no verdict, or has one."""
    required = rows.domain.spot_check.required
    return [not required or purpose != "gate" or bool(verdict) for purpose, verdict in zip(rows.texts("purpose"), rows.texts("verdict"), strict=True)]


def _defect_bound(rows: StageSlice) -> float | None:
    """None where nothing can be said yet."""
    verdicts = [verdict for verdict, purpose in zip(rows.texts("verdict"), rows.texts("purpose"), strict=True) if purpose == "gate"]
    # A sample larger than its lot is gate_sample_whole's finding.
    return Gate.of(rows.domain.spot_check, max(len(_lot(rows)), len(verdicts)), verdicts).bound


SUITE = Suite(
    STAGE,
    (
        *shared(STAGE),
        Check(
            "rows_exist",
            "structure",
            "Every sampled row is a row of filtered.",
            "A row to review that is not there.",
            holds(),
            Column("row_found", _row_found),
        ),
        Check(
            "purposes_known",
            "structure",
            "Every row is sampled for the gate or for the audit.",
            "A purpose that nobody knows.",
            each_of("purpose", ("gate", "audit")),
        ),
        Check(
            "rows_sampled_once",
            "structure",
            "No row is sampled twice for the same purpose.",
            "A row that would count twice in the gate.",
            unique("row_id", "purpose"),
        ),
        Check(
            "gate_sample_whole",
            "structure",
            "The gate's sample has as many rows as the domain asks for, or all that there are.",
            "A sample that is too small, or too large, for what is concluded from it.",
            at_most(0),
            Figure("gate_rows_missing_or_added", _gate_rows_off),
        ),
        Check(
            "verdicts_known",
            "structure",
            "Every verdict is accept, reject or fix.",
            "A verdict that nobody knows.",
            each_of("verdict", ("accept", "reject", "fix")),
        ),
        Check(
            "gate_reviewed",
            "structure",
            "Where spot_check.required is set, every row of the gate's sample has a verdict.",
            "Rows that nobody has looked at yet: run `synth-assets review`, then materialize spot_check again.",
            holds(),
            Column("reviewed_or_not_required", _reviewed),
        ),
        Check(
            "defect_rate_within_limit",
            "structure",
            "The upper 95 % bound (Wilson) of the lot's defect rate, by the gate's sample, is at most spot_check.max_defect_rate.",
            "Too many rows that people rejected or had to correct: see missed_by_rules for what the gates overlook, mend them or the methods.",
            at_most(lambda domain: domain.spot_check.max_defect_rate),
            Figure("defect_rate_upper_bound", _defect_bound),
        ),
    ),
    inputs={"filtered": ("id", "method"), "rejections": (), "stage_accounts": ()},
)
