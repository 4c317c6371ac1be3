"""The checks that every stage has (columns, values, ids, topics, the account), made from its table's schema, and those that several have.

Invariant: what every stage is checked for needs no input but its rows and its row of `stage_accounts`.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from synth_assets.expectations.check import Check, Column, Figure, StageSlice
from synth_assets.expectations.forms import Limit, at_least, at_most, columns_present, each_of, has_rows, holds, unique
from synth_assets.schemas import BY_NAME

if TYPE_CHECKING:
    from synth_assets.quality.near_duplicates import Pairs

__all__ = ["candidates_pass", "contamination_hits", "decontaminated", "licences_present", "nearest", "pairs_differ", "rows_present", "shared", "topic_entropy"]

MAY_BE_BLANK = frozenset({"input", "system", "thinking"})
"""Columns that are empty, not null, where there is nothing to say."""


def shared(stage: str, *, apart: Sequence[str] = ()) -> tuple[Check, ...]:
    """The checks of every stage; columns named in `apart` have a check of their own for being there."""
    table = BY_NAME[stage]
    names = [column.name for column in table.columns]
    filled = [c.name for c in table.columns if c.required and c.type == "VARCHAR" and c.name not in {*MAY_BE_BLANK, *apart}]
    required = [c.name for c in table.columns if c.required and c.name not in apart]

    blank = ", ".join(name for name in names if name in MAY_BE_BLANK)

    def gaps(rows: StageSlice) -> list[int]:
        frame = rows.frame
        # A column that is missing altogether is the business of columns_match_schema.
        missing = frame[[name for name in required if name in frame.columns]].isna()
        for column in missing.columns.intersection(filled):
            missing[column] = [not text or text.isspace() for text in rows.texts(column)]
        return [int(count) for count in missing.sum(axis=1)]

    checks = (
        Check(
            "columns_match_schema",
            "structure",
            f"All {len(names)} columns of the schema are there.",
            "A column is missing.",
            columns_present(*names),
        ),
        Check(
            "values_complete",
            "structure",
            f"No required value is null, and no text is blank{f' but {blank}' if blank else ''}.",
            "A required value is missing.",
            at_most(0),
            Column("gaps", gaps),
        ),
        Check(
            "ids_unique",
            "structure",
            "Every id stands once.",
            "An id stands twice.",
            unique("id"),
        ),
        Check(
            "account_balances",
            "structure",
            "planned = kept + rejected + surplus in stage_accounts, and kept is the number of rows.",
            "Candidates disappeared, or rows that nobody accounted for.",
            at_most(0),
            Figure("rows_unaccounted", _unaccounted),
        ),
    )
    topics = Check(
        "topics_declared",
        "structure",
        "Every row's topic is declared in the domain file.",
        "A row on a topic that the domain does not declare.",
        each_of("topic", lambda domain: domain.topic_names),
    )
    return (*checks, topics) if "topic" in names else checks


def _unaccounted(rows: StageSlice) -> float:
    account = rows.account
    return abs(account["planned"] - account["kept"] - account["rejected"] - account["surplus"]) + abs(account["kept"] - len(rows.frame))


rows_present = Check(
    "rows_present",
    "structure",
    "The slice has rows.",
    "The stage made nothing.",
    has_rows(),
)


licences_present = Check(
    "licences_present",
    "structure",
    "Every row names its source and its licence.",
    "A row without a source or a licence.",
    holds(),
    Column(
        "licensed",
        lambda rows: [bool(s.strip() and t.strip()) for s, t in zip(rows.texts("source"), rows.texts("license"), strict=True)],
    ),
)


def pairs_differ(rows: StageSlice) -> list[bool]:
    """For rows with `kind`, `response` and `rejected`: a pair has two different answers, any other row has one."""
    kinds, better, worse = (rows.texts(column) for column in ("kind", "response", "rejected"))
    return [bool(w.strip()) and w.split() != b.split() if kind == "preference" else not w for kind, b, w in zip(kinds, better, worse, strict=True)]


def topic_entropy(rows: StageSlice) -> float | None:
    """Entropy of the rows over the declared topics, by its maximum; None without rows."""
    from synth_assets.quality.diversity import measure

    # Without prompts, only the topics are measured.
    return measure((), rows.texts("topic"), rows.domain.topic_names, rows.domain.language).get("topic_entropy") if len(rows.frame) else None


def nearest(pairs: "Pairs", count: int, first: int = 0) -> list[float]:
    """The highest similarity that each of `count` rows has in a pair, 0 for a row in none; rows before `first` and pairs among them do not count."""
    best = [0.0] * count
    for left, right, similarity in zip(pairs.left.tolist(), pairs.right.tolist(), pairs.similarity.tolist(), strict=True):
        if right >= first:
            best[left] = max(best[left], similarity)
            best[right] = max(best[right], similarity)
    return best[first:]


def contamination_hits(rows: StageSlice, read: Sequence[tuple[str, Sequence[str]]], real_texts: Sequence[str]) -> list[int]:
    """Per row, how often the domain's benchmarks are found in it, by an index made anew from the benchmarks in the warehouse.

    Args:
        rows: With `benchmarks` among its facts.
        read: Prompt of each row, and all its answers.
        real_texts: Rows written by people, whose common n-grams do not count.
    """
    from synth_assets.quality.decontamination import Index, Item

    stored = rows.fact("benchmarks")
    of_domain = [row for row in stored.to_dict("records") if row["benchmark"].startswith(f"{rows.domain.name}/")]
    items = [Item(row["benchmark"], row["item_id"], row["part"], row["text"]) for row in of_domain]
    index = Index.build(items, real_texts, rows.domain.gates.decontamination)
    hits = [0] * len(read)
    for hit in index.scan_answers([(str(place), prompt, answers) for place, (prompt, answers) in enumerate(read)]).hits:
        hits[int(hit.row_id)] += 1
    return hits


def decontaminated(hits: Callable[[StageSlice], list[int]]) -> Check:
    """The check that no benchmark item is found in a row; `hits` counts them."""
    return Check(
        "no_contamination",
        "structure",
        "No row holds an item of the domain's benchmarks, by a new scan of the stored rows.",
        "A test item, whole or in part, that a student would learn.",
        at_most(0),
        Column("contamination_hits", hits),
    )


def candidates_pass(least: Limit) -> Check:
    """A quality check: at least this share of the planned candidates was not rejected. Surplus was good, so it counts."""

    def share(rows: StageSlice) -> float | None:
        account = rows.account
        return 1 - account["rejected"] / account["planned"] if account["planned"] else None

    return Check(
        "yield_sufficient",
        "quality",
        "Enough of the candidates that were asked for pass.",
        "Most candidates are rejected: the teacher, the prompt or a limit does not fit the domain.",
        at_least(least),
        Figure("share_not_rejected", share),
    )
