"""`synth-assets preview`: a handful of rows through every stage, with prompts, gates and what the whole run will cost, before it is spent."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from synth_assets.commands.estimate import table
from synth_assets.commands.printing import dollars, visible

if TYPE_CHECKING:
    from synth_assets.accounts import Row
    from synth_assets.preview.passage import Passage

__all__ = ["preview"]

LONGEST = 400
"""Characters shown of one text."""
_TEXTS = ("instruction", "input", "thinking", "response", "chosen", "rejected", "text")


@click.command()
@click.option("--domain", required=True, metavar="D", help="The domain.")
@click.option("--rows", default=5, show_default=True, type=click.IntRange(1, 50), help="Seeds, and attempts of every method, that go through.")
@click.option("--full", is_flag=True, help="Print long texts to their end.")
def preview(domain: str, rows: int, full: bool) -> None:
    """Take a handful of rows through every stage, and show them with prompts, gates and the forecast of the whole run.

    The requests are those that the run will make, and what they cost is spent from the same budgets: it finds the replies in the ledger and does not
    pay them again. Where a method draws a few of many (evol_instruct.roots, pairs), the run may draw others as well. No table is written.
    """
    import os

    from synth_assets.forecast.estimate import estimate, require_budget
    from synth_assets.home import Home
    from synth_assets.runs import choose_teacher, chosen_domains

    home = Home.from_env()
    chosen, _ = chosen_domains([domain])
    loaded = chosen[domain]
    require_budget(home, os.environ, [loaded])
    choice = choose_teacher()
    choice.check_language(domain, loaded.config.language)
    click.echo(choice.announcement)
    from synth_assets.preview.passage import pass_through
    from synth_assets.teacher.choice import open_teacher

    home.root.mkdir(parents=True, exist_ok=True)
    with open_teacher(home.root, os.environ, domain=domain, domain_budget_usd=loaded.config.budget_usd) as teacher:
        passage = pass_through(loaded, rows, teacher, home)
        paid = [key for key, (_, reply) in passage.asked.items() if not reply.cached]
        costs = [call["cost_usd"] for call in teacher.ledger.calls(paid)]
    for line in _lines(passage, None if full else LONGEST):
        click.echo(line)
    cost = dollars(None if None in costs else sum(costs))
    click.echo(f"This preview asked {len(paid)} calls ({cost}) and found {len(passage.asked) - len(paid)} in the ledger.")
    click.echo(f"The whole run of {domain}, without what the ledger has now:\n")
    click.echo(table(estimate(home, os.environ, [loaded])))


def _lines(passage: "Passage", longest: int | None) -> Iterator[str]:
    for stage, outcome in passage.stages.items():
        counts = f"{len(outcome.kept)} kept, {len(outcome.rejected_ids)} rejected, {len(outcome.surplus)} surplus of {outcome.planned}"
        yield f"\n== {stage}: {counts}"
        fates: dict[str, list[str]] = {}
        rejected: dict[str, Row] = {}
        for rejection in outcome.rejected:
            score = "" if rejection.score is None else f" {rejection.score:.3g}"
            fates.setdefault(str(rejection.row["id"]), []).append(f"{rejection.rule}{score} ({rejection.evidence})")
            rejected[str(rejection.row["id"])] = rejection.row
        rows = [*(("kept", row) for row in outcome.kept), *(("surplus", row) for row in outcome.surplus)]
        for fate, row in [*rows, *(("rejected by " + "; ".join(fates[name]), row) for name, row in rejected.items())]:
            yield from _row(passage, fate, row, longest)
    yield ""
    yield from (f"Note: {note}" for note in passage.notes)


def _row(passage: "Passage", fate: str, row: "Row", longest: int | None) -> Iterator[str]:
    about = [str(row[name]) for name in ("method", "operation", "topic", "attributes") if row.get(name) not in {None, "", "none"}]
    yield f"\n-- {', '.join(visible(part) for part in about)}: {visible(fate)}"
    if row.get("reward") is not None:
        yield f"   reward {row['reward']:.2f}"
    for key in row.get("call_keys") or _calls_of(passage, row):
        if key in passage.asked:
            request, _ = passage.asked[key]
            yield from _text("system", request.system, longest)
            earlier = len(request.messages) - 1
            if request.messages:
                yield from _text(f"asked{f' after {earlier} turns' if earlier > 0 else ''}", request.messages[-1].content, longest)
    for name in _TEXTS if row.get("call_keys") else ("prompt", *_TEXTS):
        yield from _text(name, row.get(name), longest)


def _calls_of(passage: "Passage", row: "Row") -> list[str]:
    """Keys of the calls behind a row that made no candidate."""
    return list(dict.fromkeys(key for outcome in passage.stages.values() for key, used in outcome.call_uses if used == row["id"]))


def _text(name: str, text: object, longest: int | None) -> Iterator[str]:
    if not isinstance(text, str) or not text.strip():
        return
    cut = text if longest is None or len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"
    first, *more = visible(cut, lines=True).splitlines()
    yield f"   {name}: {first}"
    yield from (f"     {line}" for line in more)
