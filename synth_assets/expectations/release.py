"""The checks of a release, read back from its folder: what was written is whole, trains, and keeps families together.

No Great Expectations here: files are compared with their checksums, and sets of roots with each other. Without Dagster.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from synth_assets.accounts import Row
from synth_assets.expectations.check import Kind
from synth_assets.expectations.validation import CheckResult
from synth_assets.expectations.verdict import ROW_IDS
from synth_assets.quality.findings import one_line

__all__ = ["RELEASE_CHECKS", "ReleaseCheck", "failed_release", "of_folder"]


@dataclass(frozen=True)
class ReleaseCheck:
    """One check of a release."""

    name: str
    kind: Kind
    description: str
    """What holds when it passes."""
    defect: str
    """What is wrong when it fails."""
    threshold: str


RELEASE_CHECKS = (
    ReleaseCheck("release_not_empty", "structure", "Every kind that the release has, has rows to train on.", "A kind with test rows alone.", "at least 1 row"),
    ReleaseCheck("splits_disjoint", "structure", "No root stands in two splits.", "A student is tested on what it has learned.", "every root"),
    ReleaseCheck("checksums_match", "structure", "Every file of the release is as it was written.", "A file that was changed or lost.", "every file"),
    ReleaseCheck(
        "every_domain_released",
        "quality",
        "Every domain that was begun has at least one row in the release.",
        "A domain that was left out: the card says why.",
        "at least 1 row",
    ),
)
"""Structure blocks, quality warns."""


def of_folder(folder: Path, domains: Iterable[str]) -> list[CheckResult]:
    """Results of all checks of the release in `folder`, in their order; `domains` are those that were begun.

    Row ids are of roots for splits_disjoint and empty otherwise, files and domains are named in what was seen.
    """
    from synth_assets.release import export

    faults = export.verify(folder)
    # Files that are not as they were written may not even be Parquet.
    rows: list[Row] = [] if faults else export.read(folder)
    trained = {row["kind"] for row in rows if row["split"] == "train"}
    untrained = sorted({row["kind"] for row in rows} - trained) if rows else ["no rows could be read"]
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        splits[row["root_id"]].add(row["split"])
    torn = sorted(root for root, found in splits.items() if len(found) > 1)
    missing = sorted(set(domains) - {row["domain"] for row in rows})
    found = {
        "release_not_empty": (untrained, f"{len(rows)} rows; without a row to train on: {', '.join(untrained) or 'no kind'}"),
        "splits_disjoint": (torn, f"{len(torn)} of {len(splits)} roots in two splits"),
        "checksums_match": (faults, f"{len(faults)} files differ{': ' if faults else ''}{', '.join(faults[:10])}"),
        "every_domain_released": (missing, f"missing: {', '.join(missing) or 'none'}"),
    }
    return [
        CheckResult(
            check.name,
            not (wrong := found[check.name][0]),
            check.kind,
            check.kind == "structure",
            check.description,
            one_line(found[check.name][1], 300),
            len(wrong),
            tuple(torn[:ROW_IDS]) if check.name == "splits_disjoint" else (),
        )
        for check in RELEASE_CHECKS
    ]


def failed_release(error: Exception) -> list[CheckResult]:
    """Every check as failed by `error`."""
    told = one_line(f"{type(error).__name__}: {error}", 200)
    return [CheckResult(c.name, False, c.kind, c.kind == "structure", c.description, "not evaluated", error=told) for c in RELEASE_CHECKS]
