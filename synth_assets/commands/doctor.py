"""`synth-assets doctor`: what is well, what is worth knowing, and what to mend."""

import json
import sys
from dataclasses import asdict

import click

from synth_assets.commands.printing import visible

__all__ = ["doctor"]

_MARKS = {"well": "ok   ", "note": "note ", "fault": "FAULT"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Examine versions, disk, clock, domain files, teacher, locks, every file of SYNTH_HOME, and runs; mend nothing.

    Exit status: 0 when nothing is at fault, 1 otherwise.
    """
    from synth_assets.health.examination import examine
    from synth_assets.home import Home

    found = []
    for finding in examine(Home.from_env()):
        found.append(finding)
        if not as_json:
            remedy = f"\n      -> {visible(finding.remedy)}" if finding.remedy else ""
            click.echo(f"{_MARKS[finding.level]} {finding.subject}: {visible(finding.what)}{remedy}")
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found], ensure_ascii=False, indent=2))
    sys.exit(any(finding.level == "fault" for finding in found))
