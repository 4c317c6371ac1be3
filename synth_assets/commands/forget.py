"""`synth-assets forget`: take something out of everything that was stored, and say which releases held it."""

import sys

import click

from synth_assets.commands.printing import visible

__all__ = ["forget"]


@click.command()
@click.option("--source", metavar="NAME", help="All rows of this source, as seeds or real_data declare it.")
@click.option("--seed", metavar="ID", help="A seed, by its id or the beginning of one.")
@click.option("--row", metavar="ID", help="Any row, kept or not, by its id or the beginning of one.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget(source: str | None, seed: str | None, row: str | None, dry_run: bool, yes: bool) -> None:
    """Take a source, a seed or a row, with all that was made from it, out of every table, verdict, ledger entry, vector and sample.

    What it cost stays in the accounts. Releases that held it are named and left as they are. Run the named domains again afterwards: calls
    whose prompts held it are asked, and paid, again without it.
    """
    from synth_assets.forgetting.forgetting import forget as take_out
    from synth_assets.home import Home

    given = {"source": source, "seed": seed, "row": row}
    if sum(value is not None for value in given.values()) != 1 or not all(value is None or value.strip() for value in given.values()):
        raise click.UsageError("say exactly one of --source, --seed and --row.")
    home = Home.from_env()
    would = take_out(home, **given, dry_run=True)
    rows = ", ".join(f"{count} of {table}" for table, count in would.rows.items())
    click.echo(f"{'Would forget' if dry_run else 'To forget'}: {rows}; {would.replies} replies of the teacher.")
    if not dry_run:
        if not yes and not click.confirm("Forget them? This cannot be undone."):
            sys.exit(1)
        done = take_out(home, **given, dry_run=False)
        lost = ", ".join(f"{count} of {table}" for table, count in done.rows.items())
        click.echo(f"Forgotten: {lost}; {done.replies} replies, {done.verdicts} verdicts, {done.vectors} vectors, samples in {done.events} events.")
        if done.report:
            click.echo("The quality report showed samples and was deleted.")
    for version, count in would.releases.items():
        click.echo(f"Release {version} holds {count} of these rows or texts: it is left as it is.")
    if not would.releases:
        click.echo("No release in this folder held any of it.")
    for line in would.lines:
        click.echo(f"Still in {visible(line)}: delete that line, or the next run reads it again.")
    if not dry_run:
        click.echo(f"Run again: synth-assets run {' '.join(f'--domain {domain}' for domain in would.domains)}")
