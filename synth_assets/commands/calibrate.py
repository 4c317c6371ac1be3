"""`synth-assets calibrate`: ask anew for the reference scores that percentiles are counted in."""

import click

from synth_assets.commands.printing import columns

__all__ = ["calibrate"]


@click.command()
@click.option("--domain", "domains", multiple=True, metavar="D", help="A domain; give it again for more. Default: all.")
def calibrate(domains: tuple[str, ...]) -> None:
    """Score the seeds' responses as they are now; percentiles of the reward model are counted in these from then on.

    Calibrations are frozen: a changed seed file alone moves no percentile. The stages use the new one when they next run: `synth-assets run`.
    Exit status: 0, or 1 when a domain could not be calibrated.
    """
    import sys

    from synth_assets.defs.calibrations import calibrate_anew
    from synth_assets.defs.resources import EmbedderResource, TeacherResource, WarehouseResource
    from synth_assets.defs.rewards import driven, scorer_of
    from synth_assets.errors import SynthError
    from synth_assets.runs import chosen_domains

    chosen, broken = chosen_domains(domains)
    failures: dict[str, SynthError] = dict(broken)
    rows: list[tuple[object, ...]] = []
    database, embedder = WarehouseResource().open(), EmbedderResource().open()
    for name, loaded in chosen.items():
        domain, teacher = loaded.config, TeacherResource()
        try:
            scorer = scorer_of(database, embedder, domain, teacher)
            before, after = calibrate_anew(database, name, scorer, lambda plan, domain=domain, teacher=teacher: driven(plan, domain, teacher))  # type: ignore[misc]
        except SynthError as error:
            failures[name] = error
        else:
            rows.append((name, scorer.version, before.number if before else "none", after.number, len(after.references), *_medians(before, after)))
        finally:
            teacher.renew()
    if rows:
        click.echo(columns(("domain", "reward model", "was", "is", "references", "median was", "median is"), rows, words=2))
    for name, failure in failures.items():
        click.echo(f"FAILED {name}: {failure}", err=True)
    sys.exit(1 if failures else 0)


def _medians(*calibrations: object) -> list[str]:
    import numpy as np

    return [f"{np.median(c.references):.3f}" if c is not None else "" for c in calibrations]  # type: ignore[attr-defined]
