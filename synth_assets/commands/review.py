"""`synth-assets review`: the spot check's page, and verdicts to and from files."""

from pathlib import Path

import click

__all__ = ["review"]


@click.command()
@click.option("--domain", "domains", multiple=True, metavar="D", help="A domain to review; give it again for more. Default: all that have a sample.")
@click.option("--reviewer", metavar="NAME", help="Whose verdicts these are. Default: the name of the account.")
@click.option("--port", default=0, help="Port on 127.0.0.1. Default: a free one.")
@click.option("--export", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write all verdicts as JSON Lines instead.")
@click.option("--import", "import_", type=click.Path(path_type=Path), metavar="FILE", help="Add verdicts from JSON Lines instead.")
def review(domains: tuple[str, ...], reviewer: str | None, port: int, export: Path | None, import_: Path | None) -> None:
    """Read the spot check's rows on a page of your own, and accept, reject or fix them by keyboard.

    Each verdict is saved at once. It works without a network and does not hold the warehouse; the next run takes the verdicts into account.
    """
    from synth_assets.review import desk

    if export is not None or import_ is not None:
        desk.exchange(export, import_)
    else:
        desk.serve(domains, reviewer, port)
