"""`synth-assets`: the command line. Heavy imports wait until a command runs, so that `--help` answers at once."""

import gc
import sys

import click

from synth_assets import __version__
from synth_assets.commands.calibrate import calibrate
from synth_assets.commands.checks import checks
from synth_assets.commands.doctor import doctor
from synth_assets.commands.estimate import estimate
from synth_assets.commands.forget import forget
from synth_assets.commands.ledger import ledger
from synth_assets.commands.preview import preview
from synth_assets.commands.release import release
from synth_assets.commands.review import review
from synth_assets.commands.screen import screen
from synth_assets.commands.why import why
from synth_assets.errors import SynthError

__all__ = ["main"]

STAGES = (
    "benchmarks",
    "seeds",
    "generated_instructions",
    "evolved_instructions",
    "teacher_responses",
    "preference_pairs",
    "real_data",
    "filtered",
    "spot_check",
    "mixed",
)
BEFORE_GATES = STAGES[: STAGES.index("filtered")]


class _Commands(click.Group):
    """Errors raised on purpose are messages to the user, not tracebacks."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except SynthError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(2)


@click.group(cls=_Commands)
@click.version_option(__version__, prog_name="synth-assets")
def main() -> None:
    """Make training sets for language models: seeds in, a checked release out.

    State lives in SYNTH_HOME (default .synth/), domains in SYNTH_DOMAINS (default: the shipped ones).
    """


@main.command()
@click.option("--domain", "domains", multiple=True, metavar="D", help="A domain to run; give it again for more. Default: all.")
@click.option("--to", "to", type=click.Choice(STAGES), help="Stop after this stage, and make no release.")
@click.option("--top-up", is_flag=True, help="Make further waves of candidates until the targets are reached, or a limit ends it.")
def run(domains: tuple[str, ...], to: str | None, top_up: bool) -> None:
    """Materialize domains through the whole graph, then a release and its quality report.

    A domain that ends short of its targets says so, and why. With --top-up it goes on until they are reached, or targets.waves, the budget or
    a wave without an accepted row ends it; which rows are accepted does not depend on when that is done.

    Runs, checks and costs show in the Dagster UI. What the ledger has is not asked again, so a stopped run goes on from there.
    Exit status: 0 when every blocking check passed, 1 when one did not or a stage failed, 2 for a fault in the input, 75 when a domain
    waits for its Message Batches (mode: batch), 130 when stopped.
    """
    # The libraries make some hundred thousand objects as they are imported, and Python looks through all of them for garbage again and again (2 to 3
    # of 40 s), and once more as it ends (2 s).
    gc.set_threshold(100_000, 50, 50)
    from synth_assets.runs import run_domains

    if top_up and to in BEFORE_GATES:
        raise click.UsageError(f"--top-up needs to see what passes the gates: leave out --to {to}.")
    status = run_domains(domains, to, top_up=top_up)
    gc.freeze()
    sys.exit(status)


@main.command()
@click.option("--port", default=3000, show_default=True, help="Port on 127.0.0.1.")
def ui(port: int) -> None:
    """Open Dagster's UI on the loopback address, with its daemon."""
    from synth_assets.ui import serve

    sys.exit(serve(port))


main.add_command(checks)
main.add_command(release)
main.add_command(review)
main.add_command(screen)
main.add_command(why)
main.add_command(estimate)
main.add_command(calibrate)
main.add_command(preview)
main.add_command(ledger)
main.add_command(doctor)
main.add_command(forget)

if __name__ == "__main__":
    main()
