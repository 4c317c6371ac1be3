"""`synth-assets ledger`: what was asked and paid, listed, shown, summed, exported and pruned.

Texts are printed by `show` alone, every control character as its escape. Invariant: only `prune` changes the ledger, and it asks first.
"""

import json
import sys
from pathlib import Path
from typing import Any

import click

from synth_assets.commands.printing import columns, dollars, visible

__all__ = ["ledger"]

KEY_SHOWN = 12
"""Digits of a key in a table: enough to name one among millions."""
GROUPS = ("domain", "model", "day", "stop_reason")


def _path() -> Path:
    from synth_assets.home import Home

    return Home.from_env().root / "ledger.sqlite"


@click.group()
def ledger() -> None:
    """What the teacher was asked, what it answered and what that cost."""


@ledger.command("list")
@click.option("--domain", help="On whose budget.")
@click.option("--model", help="The model's name.")
@click.option("--stop-reason", help="end_turn, max_tokens, refusal ...; unknown, in_flight.")
@click.option("--failure", help="bad_request, malformed_reply ...; `any` for all.")
@click.option("--since", metavar="TIME", help="ISO 8601, UTC: 2026-11-22 or 2026-11-22T10:30.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(0), help="Entries at most; 0 for all.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_entries(limit: int, as_json: bool, **wanted: str | None) -> None:
    """Calls, the newest first; no texts."""
    from synth_assets.teacher.ledger_report import Wanted, entries, reading

    with reading(_path()) as con:
        found = entries(con, Wanted(**wanted), limit or -1)
        if as_json:
            for row in found:
                click.echo(json.dumps(row, ensure_ascii=False))
            return
        rows = [
            (
                *(row["key"][:KEY_SHOWN], row["at"][:19], row["domain"] or "-", row["model"], row["failure"] or row["stop_reason"]),
                *(row["attempt"], _count(row["input_tokens"]), _count(row["output_tokens"]), _price(row)),
            )
            for row in found
        ]
    click.echo(columns(("key", "when (UTC)", "domain", "model", "outcome", "try", "in", "out", "US$"), rows, words=5))


@ledger.command()
@click.argument("key")
@click.option("--raw", is_flag=True, help="The body as the endpoint sent it, too.")
def show(key: str, raw: bool) -> None:
    """Request and reply of one call, by its key or the beginning of it."""
    from synth_assets.teacher.ledger_report import reading, texts

    with reading(_path()) as con:
        calls = texts(con, key)
    for call in calls:
        head = ("key", "attempt", "state", "at", "domain", "model", "endpoint", "mode", "stop_reason", "failure", "input_tokens", "output_tokens", "latency_ms")
        for name in head:
            if call[name] not in (None, ""):
                click.echo(f"{name}: {visible(str(call[name]))}")
        click.echo(f"cost: {_price(call)}")
        asked: dict[str, Any] | None = call["request"]
        if asked is not None:
            settings = {name: value for name, value in asked.items() if name not in {"system", "messages"} and value}
            click.echo(f"settings: {visible(json.dumps(settings, ensure_ascii=False))}")
            for role, text in (("system", asked["system"]), *((m["role"], m["content"]) for m in asked["messages"])):
                _section(f"asked, {role}", text)
        _section("evidence", call["evidence"])
        _section("answered, thinking", call["thinking"])
        _section("answered", call["text"])
        if raw:
            _section("raw", call["raw"])
        click.echo()


@ledger.command("sum")
@click.option("--by", type=click.Choice(GROUPS), help="One row for each.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def sum_entries(by: Any, as_json: bool) -> None:
    """Calls, tokens and dollars; unknown outcomes and calls in flight apart, at the most that they can have cost."""
    from synth_assets.teacher.ledger_report import reading, spent_usd, sums

    with reading(_path()) as con:
        rows, spent = sums(con, by), spent_usd(con)
        total = sums(con)
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    head = (by or "", "calls", "in", "out", "US$", "unpriced", "unknown", "up to", "in flight", "up to")
    shown = [*rows, *([row | {"group": "all"} for row in total] if by and len(rows) > 1 else [])]
    click.echo(
        columns(
            head,
            [
                (
                    *(row["group"] or "-", row["calls"], _count(row["input_tokens"]), _count(row["output_tokens"])),
                    *("unknown" if row["calls"] and row["unpriced"] == row["calls"] else dollars(row["cost_usd"] or 0.0), row["unpriced"] or ""),
                    *(row["unknown"] or "", dollars(row["unknown_usd"]) if row["unknown"] else ""),
                    *(row["in_flight"] or "", dollars(row["in_flight_usd"]) if row["in_flight"] else ""),
                )
                for row in shown
            ],
        )
    )
    standing = sum((row["cost_usd"] or 0.0) + row["unknown_usd"] for row in total)
    pruned = f", {dollars(spent - standing)} of it for replies that were pruned" if spent - standing > 1e-6 else ""
    click.echo(f"\nSpent in all: {dollars(spent)}, with unknown outcomes at their upper bounds{pruned}.")


@ledger.command()
@click.option("--failed", is_flag=True, help="Replies that are failures, such as malformed ones.")
@click.option("--older-than", type=click.FloatRange(0), metavar="DAYS", help="Replies paid longer ago.")
@click.option("--key", help="The replies of one key.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def prune(failed: bool, older_than: float | None, key: str | None, dry_run: bool, yes: bool) -> None:
    """Delete replies. What was spent stands; a pruned reply is paid again when it is asked again.

    Options together narrow the choice: --failed --older-than 30 are failures older than 30 days.
    """
    from datetime import UTC, datetime, timedelta

    from synth_assets.teacher.ledger_report import Prune
    from synth_assets.teacher.ledger_report import prune as prune_replies

    before = None if older_than is None else (datetime.now(UTC) - timedelta(days=older_than)).isoformat(timespec="milliseconds")
    which = Prune(failed, before, key)
    count, usd = prune_replies(_path(), which, dry_run=True)
    click.echo(f"{count} replies, which cost {dollars(usd)}. A pruned reply is paid again when it is asked again; what was spent stands in the budget.")
    if dry_run or not count:
        return
    if not yes and not click.confirm("Delete them?"):
        sys.exit(1)
    count, _ = prune_replies(_path(), which, dry_run=False)
    click.echo(f"{count} replies deleted.")


@ledger.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--with-texts", is_flag=True, help="Requests and replies, too.")
def export(file: Path, with_texts: bool) -> None:
    """Write every call to FILE as JSON Lines; the file is whole or not there."""
    from synth_assets.teacher.ledger_report import export as export_entries
    from synth_assets.teacher.ledger_report import reading

    with reading(_path()) as con:
        click.echo(f"{export_entries(con, file, with_texts=with_texts)} calls in {file}.")


@ledger.command()
def batches() -> None:
    """Message Batches that were handed in and not collected."""
    from synth_assets.teacher.ledger_report import open_batches_of

    found = open_batches_of(_path())
    rows = [(b.remote or "not confirmed", f"{b.opened_at:%Y-%m-%dT%H:%M:%S}", b.domain or "-", b.model, b.endpoint, b.requests) for b in found]
    click.echo(columns(("batch", "handed in (UTC)", "domain", "model", "endpoint", "requests"), rows, words=5) if rows else "No batch is open.")


def _section(title: str, text: str | None) -> None:
    if text:
        click.echo(f"--- {title}")
        click.echo(visible(text, lines=True))


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _price(row: dict[str, Any]) -> str:
    """What a call cost, or the most that it can."""
    return dollars(row["cost_usd"]) if row["state"] == "answered" or row["cost_usd"] is None else f"<= {dollars(row['cost_usd'])}"
