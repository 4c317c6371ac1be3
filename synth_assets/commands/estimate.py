"""`synth-assets estimate`: what a run will ask and pay, before it does."""

import json
from typing import TYPE_CHECKING, Any

import click

from synth_assets.commands.printing import columns

if TYPE_CHECKING:
    from synth_assets.forecast.domain import Use
    from synth_assets.forecast.estimate import Estimate
    from synth_assets.forecast.interval import Interval

__all__ = ["estimate", "table"]


@click.command()
@click.option("--domain", "domains", multiple=True, metavar="D", help="A domain; give it again for more. Default: all.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def estimate(domains: tuple[str, ...], as_json: bool) -> None:
    """Forecast calls, tokens and dollars per stage. Nothing is asked, spent or written.

    Each figure is what is likely, and in parentheses the least and the most of a run that reaches its end. What the ledger has is not counted.
    """
    import os

    from synth_assets.forecast.estimate import estimate as find
    from synth_assets.home import Home
    from synth_assets.runs import chosen_domains

    chosen, broken = chosen_domains(domains)
    for error in broken.values():
        click.echo(f"warning: {error}", err=True)
    found = find(Home.from_env(), os.environ, list(chosen.values()))
    click.echo(json.dumps(_plain(found), ensure_ascii=False, indent=2) if as_json else table(found))


def table(found: "Estimate") -> str:
    """An estimate for people to read."""
    rows: list[tuple[str, ...]] = []
    for domain in found.domains:
        rows += [(domain.domain, stage, *_cells(use)) for stage, use in domain.stages.items()]
        rows.append((domain.domain, "total", *_cells(domain.use)))
    if len(found.domains) > 1:
        rows.append(("all", "total", *_cells(found.use)))
    lines = [found.choice.announcement, "", columns(("domain", "stage", "calls", "tokens in", "tokens out", "US$"), rows, words=2), ""]
    lines += [f"{domain.domain}: {note}" for domain in found.domains for note in domain.notes]
    first = [domain.domain for domain in found.domains if not domain.measured]
    if first:
        lines.append(f"No earlier run of {', '.join(first)} is stored: what is likely follows from seeds and settings. After one run it is measured.")
    if found.use.usd is None:
        lines.append("The model's price is unknown: set SYNTH_PRICE_USD_PER_MTOK, such as 3,15, to see dollars.")
    if found.seconds is not None and found.use.calls.high:
        lines.append(f"Time, at the pace of earlier runs: some {found.seconds.likely / 60:.1f} minutes.")
    return "\n".join(lines).rstrip()


def _cells(use: "Use") -> tuple[str, ...]:
    money = "unknown" if use.usd is None else _interval(use.usd, lambda usd: f"{usd:.4f}" if usd < 1 else f"{usd:,.2f}")
    return (*(_interval(amount, lambda number: f"{number:,.0f}") for amount in (use.calls, use.input_tokens, use.output_tokens)), money)


def _interval(amount: "Interval", shown: Any) -> str:
    return shown(amount.likely) if amount.low == amount.high else f"{shown(amount.likely)} ({shown(amount.low)} to {shown(amount.high)})"


def _plain(found: "Estimate") -> dict[str, Any]:
    return {
        "model": found.choice.model,
        "paid": found.choice.paid,
        "spent_usd": found.spent_usd,
        "domains": {
            domain.domain: {
                "stages": {stage: _use(use) for stage, use in domain.stages.items()},
                "total": _use(domain.use),
                "measured": domain.measured,
                "notes": list(domain.notes),
            }
            for domain in found.domains
        },
        "total": _use(found.use),
        "seconds": None if found.seconds is None else vars(found.seconds),
    }


def _use(use: "Use") -> dict[str, dict[str, float] | None]:
    return {name: None if amount is None else vars(amount) for name, amount in vars(use).items()}
