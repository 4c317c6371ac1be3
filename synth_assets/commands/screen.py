"""`synth-assets screen`: any dataset through the gates."""

import sys
from pathlib import Path
from typing import Any

import click

__all__ = ["screen"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="A new folder for kept.jsonl, rejected.jsonl, report.json.")
@click.option("--benchmark", "benchmarks", multiple=True, type=click.Path(path_type=Path), metavar="FILE", help="Test items that no row may hold; repeat it.")
@click.option("--real", type=click.Path(path_type=Path), metavar="FILE", help="Rows written by people: what is common in them is no contamination.")
@click.option("--rules-config", type=click.Path(path_type=Path), metavar="YAML", help="A domain file, or its gates section: limits, rules that are off.")
@click.option("--language", type=click.Choice(("auto", "en", "zh")), default="auto", show_default=True, help="auto: each row by its prompt.")
@click.option("--column", "columns", multiple=True, metavar="ROLE=NAME", help="Which column is prompt, input, response, messages, chosen, rejected, system.")
@click.option("--no-near-duplicates", "near_duplicates", is_flag=True, default=True, flag_value=False, help="Do not compare rows with each other.")
@click.option("--no-embeddings", "embeddings", is_flag=True, default=True, flag_value=False, help="Do not compare prompts by meaning.")
@click.option("--reward", is_flag=True, help="Score rows: of near-duplicates the better one survives.")
@click.option("--fail-on", multiple=True, metavar="RULE=SHARE", help="Exit with 3 above this share of rows: contamination=0, refusal=0.01, any=20%.")
@click.option("--overwrite", is_flag=True, help="Replace what an earlier run wrote into the folder.")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes that test rules. Default: one per core.")
def screen(file: Path, **options: Any) -> None:
    """Put a JSON Lines or Parquet FILE through rules, decontamination and near-duplicate gates.

    Columns are guessed (instruction/input/output, prompt/response, messages, chosen/rejected). Lines that are no row go to bad_lines.jsonl.
    Exit status: 0 when done, 2 for a fault in the input, 3 when --fail-on is exceeded, 130 when stopped.
    """
    from synth_assets.screening.command import Request, run_screen

    try:
        sys.exit(run_screen(Request(file, **options), click.echo))
    except KeyboardInterrupt:
        click.echo("stopped: the output folder holds no finished run", err=True)
        sys.exit(130)
