"""Checks of the mix: the share that was asked for, every row once, conversations in form, and nothing that a gate or a person rejected."""

from collections import Counter
from typing import Any

from synth_assets.expectations.check import Check, Column, Figure, StageSlice, Suite, items, texts
from synth_assets.expectations.common import licences_present, rows_present, shared
from synth_assets.expectations.forms import at_most, each_of, holds, unique
from synth_assets.expectations.regression import HISTORY, regression_checks
from synth_assets.quality.sampling import SEEN, content_key
from synth_assets.review.standing import Entry, verdicts

__all__ = ["SUITE"]

STAGE = "mixed"


def _rows_off_share(rows: StageSlice) -> float:
    """Rows beyond the tolerance, in the kind that is farthest from the domain's synthetic share."""
    share, tolerance = rows.domain.mix.synthetic_share, rows.domain.checks.mixed.share_tolerance
    counts = Counter(zip(rows.texts("kind"), rows.texts("origin"), strict=True))
    beyond = 0.0
    for kind in {kind for kind, _ in counts}:
        synthetic = counts[kind, "synthetic"]
        total = synthetic + counts[kind, "real"]
        # A hair for the share's binary form: 0.7 of 10 rows is not 7 exactly.
        beyond = max(beyond, abs(synthetic - share * total) - max(1.0, tolerance * total) - 1e-9)
    return beyond


def _source_found(rows: StageSlice) -> list[bool]:
    known = {"synthetic": rows.known("filtered"), "real": rows.known("real_data")}
    return [origin not in known or source in known[origin] for source, origin in zip(rows.texts("source_id"), rows.texts("origin"), strict=True)]


def _not_rejected(rows: StageSlice) -> list[bool]:
    rejections = rows.fact("rejections")
    rejected = set(texts(rejections[rejections["stage"] == "filtered"], "row_id"))
    return [origin != "synthetic" or source not in rejected for origin, source in zip(rows.texts("origin"), rows.texts("source_id"), strict=True)]


def _accepted(rows: StageSlice) -> list[bool]:
    """Whether nobody rejected the row, or saw that it needs a correction, by the verdicts in the warehouse."""
    standing = verdicts(map(Entry.of, rows.records("reviews")), rows.domain.name)
    defects = {key for key, verdict in standing.items() if verdict != "accept"}
    bad = {row["id"] for row in rows.records("filtered") if content_key(row) in defects} if defects else set()
    return [origin != "synthetic" or source not in bad for origin, source in zip(rows.texts("origin"), rows.texts("source_id"), strict=True)]


def _well_formed(rows: StageSlice) -> list[bool]:
    columns = (rows.texts("kind"), *(map(items, rows.frame[name]) for name in ("messages", "chosen", "rejected")))
    return [
        is_conversation(messages, "user") and is_answer(chosen) and is_answer(rejected) and chosen != rejected
        if kind == "preference"
        else is_conversation(messages, "assistant") and not chosen and not rejected
        for kind, messages, chosen, rejected in zip(*columns, strict=True)
    ]


def is_conversation(messages: list[Any], last: str) -> bool:
    """Whether `messages` are a system message at most, then user and assistant in turn up to `last`, each with text."""
    turns = messages[1:] if messages and messages[0]["role"] == "system" else messages
    roles = [message["role"] for message in turns]
    in_turn = all(role == ("user", "assistant")[place % 2] for place, role in enumerate(roles))
    return in_turn and roles[-1:] == [last] and all(message["content"].strip() for message in messages)


def is_answer(messages: list[Any]) -> bool:
    """Whether `messages` are one message of the assistant, with text."""
    return [message["role"] for message in messages] == ["assistant"] and bool(messages[0]["content"].strip())


SUITE = Suite(
    STAGE,
    (
        *shared(STAGE, apart=("source", "license")),
        rows_present,
        licences_present,
        Check(
            "share_achieved",
            "structure",
            "In every kind the synthetic share is the domain's, within checks.mixed.share_tolerance (half a point) or one row.",
            "A mix that is not the one asked for.",
            at_most(0),
            Figure("rows_beyond_tolerance", _rows_off_share),
        ),
        Check(
            "origins_known",
            "structure",
            "Every row is synthetic or real.",
            "A row that belongs to neither side.",
            each_of("origin", ("synthetic", "real")),
        ),
        Check(
            "sources_taken_once",
            "structure",
            "No row of filtered or real_data is in the mix twice.",
            "Sampling with replacement.",
            unique("origin", "source_id"),
        ),
        Check(
            "sources_exist",
            "structure",
            "Every row is a row of filtered (synthetic) or real_data (real).",
            "A row that comes from nowhere.",
            holds(),
            Column("source_found", _source_found),
        ),
        Check(
            "no_rejected_row",
            "structure",
            "No row was rejected by filtered.",
            "A row that a gate had dropped.",
            holds(),
            Column("not_rejected", _not_rejected),
        ),
        Check(
            "no_row_against_a_verdict",
            "structure",
            "No row's content was rejected, or found in need of a correction, by a person.",
            "A row that somebody has read and refused.",
            holds(),
            Column("accepted", _accepted),
        ),
        Check(
            "messages_well_formed",
            "structure",
            "Every conversation has a system message at most, then user and assistant in turn, none empty; a pair has one answer on each side.",
            "A conversation that no trainer could read.",
            holds(),
            Column("well_formed", _well_formed),
        ),
        *regression_checks("diversity", "topic_entropy", "length", "reward"),
    ),
    inputs={
        "filtered": ("id", *SEEN),
        "real_data": ("id",),
        "rejections": ("stage", "row_id"),
        "reviews": (),
        "stage_accounts": (),
        HISTORY: (),
    },
)
