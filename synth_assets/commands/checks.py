"""`synth-assets checks`: the table of every check."""

import sys

import click

__all__ = ["checks"]

PREFACE = """# Every check

Made by `synth-assets checks --markdown` from the catalogue in `synth_assets/expectations/`; a test holds this file to it. Thresholds are the defaults,
for a domain `synth-assets checks --domain D` shows its own. ERROR blocks what is downstream, WARN shows. Quality checks are ERROR here, and WARN where
`gates.quality` of the domain file says `warn`. Regression gates (`..._held`) compare with the last materialization that passed.
Every check of a stage has a test that plants its defect and sees exactly this check fail (`synth_assets_tests/expectations/test_defects.py`).
The tests of the dbt models are listed by `dbt docs` (see the README).

"""


@click.command()
@click.option("--domain", metavar="D", help="With the thresholds and severities of this domain. Default: those of a domain that sets none.")
@click.option("--markdown", is_flag=True, help="As the file docs/checks.md.")
def checks(domain: str | None, markdown: bool) -> None:
    """List every check: stage, what it enforces, threshold, severity, the defect that it catches."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from synth_assets.config import Domain
    from synth_assets.expectations.listing import in_markdown, lines
    from synth_assets.terminal import PLAIN_WIDTH

    if domain is None:
        plain = {"path": "x.jsonl", "source": "x", "license": "x"}
        topic = {"name": "topic", "description": "A topic."}
        settings = {"title": "Any", "language": "en", "topics": [topic], "seeds": plain, "targets": {"sft": 1}, "real_data": [plain], "name": "any"}
        settings["methods"] = {"self_instruct": {"target": 1}, "evol_instruct": {}, "reasoning": {}}
        chosen = Domain.model_validate(settings)
    else:
        from synth_assets.runs import chosen_domains

        chosen = chosen_domains((domain,))[0][domain].config
    found = lines(chosen)
    if markdown:
        click.echo(PREFACE + in_markdown(found), nl=False)
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    table = Table(box=box.SIMPLE, pad_edge=False)
    for name in ("stage", "check", "enforces", "threshold", "severity", "catches"):
        table.add_column(name, overflow="fold", no_wrap=name in ("stage", "check"))
    for line in found:
        table.add_row(*line)
    console.print(table)
