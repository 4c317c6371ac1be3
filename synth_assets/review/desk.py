"""`synth-assets review`: the page served until it is stopped, and verdicts out to and in from JSON Lines.

The warehouse is read once before the page opens and never held. Invariant: however the process ends, every verdict that the page showed as saved is in
the store.
"""

import getpass
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from synth_assets.domain_files import domains_folder, load_domain, load_domains
from synth_assets.errors import ReviewError
from synth_assets.home import Home
from synth_assets.quality.spot_check_gate import Gate
from synth_assets.review.exchange import export_verdicts, import_verdicts
from synth_assets.review.sample import load_sample
from synth_assets.review.server import ReviewServer
from synth_assets.review.session import Session
from synth_assets.review.verdicts import Verdicts
from synth_assets.warehouse import Warehouse

__all__ = ["exchange", "gate_line", "serve"]

LONGEST_NAME = 100


def serve(domains: Sequence[str], reviewer: str | None, port: int) -> None:
    """Serve the page for the samples of `domains` (all for none) until the process is told to stop.

    Raises:
        ReviewError: there is nothing to review, the name is no name, or the port is taken.
        ConfigError: a domain file is wrong.
    """
    home = Home.from_env()
    name = _reviewer(reviewer)
    folder = domains_folder()
    loaded = {name: load_domain(folder, name) for name in domains} if domains else load_domains(folder)[0]
    sample = load_sample(Warehouse(home.warehouse), {domain: one.config for domain, one in loaded.items()})
    with _store(home) as store:
        session = Session(sample, store, name)
        with ReviewServer(session, port) as server:
            for title, gate in session.gates():
                click.echo(gate_line(title, gate))
            click.echo(f"{len(sample.items)} rows to read as {name}. Open this address, which only you should have; stop with Ctrl-C:")
            click.echo(f"  {server.address}")
            _until_stopped(server)
        click.echo(f"Stopped. Every verdict is in {home.reviews}. `synth-assets run` takes them into account.")


def exchange(export: Path | None, import_: Path | None) -> None:
    """Import verdicts, then export all of them, as asked for.

    Raises:
        ReviewError: a file cannot be read or written, or holds lines that are no verdicts.
    """
    with _store(Home.from_env()) as store:
        if import_ is not None:
            added, known = import_verdicts(store, import_)
            click.echo(f"{added} entries imported from {import_}, {known} were here already.")
        if export is not None:
            click.echo(f"{export_verdicts(store, export)} entries written to {export}.")


def gate_line(title: str, gate: Gate) -> str:
    """The state of one domain's gate in one line, with the sample that its limit needs."""
    limit = f"{gate.settings.max_defect_rate:.1%}"
    allowed = "is too small for it" if gate.allowed is None else f"may have {_many(gate.allowed, 'defect')}"
    exactly = "" if gate.rows == gate.lot else "at most "
    bound = "" if gate.final_bound is None else f", so that the defect rate is {exactly}{gate.final_bound:.1%}"
    asked = "required" if gate.settings.required else "not required"
    return (
        f"{title}: {gate.read} of {_many(gate.rows, 'gate row')} read ({asked}), {_many(gate.defects, 'defect')}{bound}. "
        f"The limit of {limit} needs {_many(gate.needed, 'row')} without a defect; this sample of {gate.rows} {allowed}."
    )


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _reviewer(given: str | None) -> str:
    try:
        name = (given if given is not None else getpass.getuser()).strip()
    except (KeyError, OSError):
        name = ""
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise ReviewError(f"a reviewer needs a printable name of 1 to {LONGEST_NAME} characters. Give one with --reviewer.")
    return name


@contextmanager
def _store(home: Home) -> Iterator[Verdicts]:
    store = Verdicts(home.reviews)
    try:
        yield store
    finally:
        store.close()


def _until_stopped(server: ReviewServer) -> None:
    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        click.echo()
    finally:
        signal.signal(signal.SIGTERM, before)
