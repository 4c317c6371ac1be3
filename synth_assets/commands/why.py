"""`synth-assets why`: where a row comes from, why it was kept or not, and what it cost."""

import click

__all__ = ["why"]


@click.command()
@click.argument("row")
@click.option("--json", "as_json", is_flag=True, help="Print the whole tree as one JSON object.")
@click.option("--full", is_flag=True, help="Print long texts to their end.")
def why(row: str, as_json: bool, full: bool) -> None:
    """Show the tree of ROW: from its seeds through every step to where it ended, with prompts, replies, scores, verdicts and dollars.

    ROW is an id of any stage or of a release, the beginning of one, or a text; the row may have been kept, rejected or left over.
    """
    import json

    from synth_assets.home import Home
    from synth_assets.release import provenance, provenance_text
    from synth_assets.warehouse import Warehouse

    home = Home.from_env()
    if not home.warehouse.is_file():
        from synth_assets.errors import NotOneRow

        raise NotOneRow(f"there is no warehouse in {home.root}: run `synth-assets run` first, or let SYNTH_HOME name the folder of a run.")
    warehouse = Warehouse(home.warehouse)
    with warehouse.read():
        tree = provenance.trace(warehouse.query, home.root / "ledger.sqlite", row)
    if (home.dagster / "history").is_dir():
        from synth_assets.defs.check_results import of_runs

        with of_runs(home) as results:
            tree = tree.with_checks(results)
    if as_json:
        click.echo(json.dumps(tree.data(), ensure_ascii=False, indent=2))
    else:
        for line in provenance_text.render(tree, full=full):
            click.echo(line)
