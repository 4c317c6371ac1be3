"""All checks as a table, made from the catalogue, so that it cannot say anything else: stage, what holds, threshold, severity, the defect caught."""

from collections.abc import Sequence
from typing import NamedTuple

from synth_assets.config import Domain
from synth_assets.expectations.catalogue import CATALOGUE
from synth_assets.expectations.release import RELEASE_CHECKS

__all__ = ["Line", "in_markdown", "lines"]


class Line(NamedTuple):
    """One check."""

    stage: str
    check: str
    enforces: str
    threshold: str
    severity: str
    """ERROR blocks what is downstream, WARN shows; a regression gate warns of drift and blocks at a collapse."""
    catches: str


def lines(domain: Domain) -> list[Line]:
    """Every check, in the order of the graph, with the thresholds and severities of `domain`."""
    found = [
        Line(stage, check.name, check.description, check.expect.threshold(domain), check.severity(domain), check.defect)
        for stage, suite in CATALOGUE.items()
        for check in suite.checks
    ]
    return found + [Line("release", c.name, c.description, c.threshold, "ERROR" if c.kind == "structure" else "WARN", c.defect) for c in RELEASE_CHECKS]


def in_markdown(found: Sequence[Line]) -> str:
    """The table as Markdown, one section per stage."""
    parts = []
    for stage in dict.fromkeys(line.stage for line in found):
        rows = [
            f"| `{line.check}` | {_cell(line.enforces)} | {_cell(line.threshold)} | {line.severity} | {_cell(line.catches)} |"
            for line in found
            if line.stage == stage
        ]
        parts.append(
            "\n".join([f"## {stage}", "", "| check | what it enforces | threshold | severity | the defect it catches |", "|---|---|---|---|---|", *rows, ""])
        )
    return "\n".join(parts)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
