"""What `synth-assets run` shows: progress per stage while it works, and a table at the end.

On a terminal the progress is drawn in place; anywhere else it is plain lines, one when a stage ends and one every ten seconds within.
Texts of rows are never printed, names and numbers only.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from synth_assets.accounts import Outcome
from synth_assets.teacher.messages import Reply

if TYPE_CHECKING:
    from synth_assets.home import Home
    from synth_assets.runs import RunReport
    from synth_assets.warehouse import Warehouse

__all__ = ["Display", "summary"]

PLAIN_SECONDS = 10.0
PLAIN_WIDTH = 180
"""Columns of a line where there is no terminal to ask."""


@dataclass
class _Stage:
    """One stage at work, or done."""

    domain: str
    name: str
    outcome: Outcome
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None
    replies: int = 0
    cached: int = 0
    tokens: int = 0
    work: str = ""
    """What is being worked on inside the stage, and how far it is."""

    @property
    def elapsed(self) -> float:
        return (self.ended or time.monotonic()) - self.started

    def line(self) -> str:
        """The stage in one line, for a place that is no terminal."""
        made = self.replies - self.cached
        speed = f", {self.tokens / self.elapsed:.0f} tokens/s" if self.tokens and self.elapsed > 0 else ""
        asked = f"; {made} calls, {self.cached} from the ledger{speed}" if self.replies else ""
        counts = f"{len(self.outcome.kept)} kept, {len(self.outcome.rejected_ids)} rejected, {len(self.outcome.surplus)} surplus of {self.outcome.planned}"
        return f"{self.domain} {self.name}: {counts}{asked}{self.work and f'; {self.work}'}; {self.elapsed:.1f} s"


class Display:
    """A watcher of stages (see `progress.Watcher`) that prints them."""

    def __init__(self, console: Console | None = None) -> None:
        width = None if sys.stdout.isatty() else PLAIN_WIDTH
        self.console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True, width=width)
        self.calls_made = 0
        self.waiting: dict[str, list[str]] = {}
        """Message Batches that have not ended, by domain."""
        self._stage: _Stage | None = None
        self._said = 0.0
        self._live = Live(console=self.console, get_renderable=self._drawn, refresh_per_second=4, transient=True) if self.console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """One line, as it is."""
        self.console.print(text, markup=False)

    def begins(self, domain: str, stage: str, outcome: Outcome) -> None:
        """A stage begins."""
        self._stage = _Stage(domain, stage, outcome)
        self._said = time.monotonic()

    def replied(self, reply: Reply) -> None:
        """One request was answered."""
        stage = self._stage
        if stage is None:
            return
        stage.replies += 1
        stage.cached += reply.cached
        if not reply.cached:
            stage.tokens += reply.output_tokens
            self.calls_made += 1
        self._say_sometimes(stage)

    def said(self, text: str) -> None:
        """Something that takes a while begins."""
        self.say(f"  ... {text}")

    def advanced(self, what: str, done: int, total: int) -> None:
        """A piece of work has come so far."""
        if self._stage is not None:
            self._stage.work = f"{what}: {done:,} of {total:,}" if done < total else ""
            self._say_sometimes(self._stage)

    def _say_sometimes(self, stage: _Stage) -> None:
        if self._live is None and time.monotonic() - self._said > PLAIN_SECONDS:
            self._said = time.monotonic()
            self.say(f"  ... {stage.line()}")

    def ends(self, domain: str, stage: str, outcome: Outcome) -> None:
        """A stage is stored."""
        if self._stage is None or (self._stage.domain, self._stage.name) != (domain, stage):
            self._stage = _Stage(domain, stage, outcome)
        self._stage.ended = time.monotonic()
        self.say(self._stage.line())
        self._stage = None

    def waits(self, domain: str, stage: str, batches: Sequence[str]) -> None:
        """A stage waits for batches."""
        self.waiting.setdefault(domain, []).extend(batches)
        self.say(f"{domain} {stage}: waiting for {', '.join(batches)}")
        self._stage = None

    def _drawn(self) -> Text:
        return Text("" if self._stage is None else f"  {self._stage.line()}")


def summary(report: "RunReport", home: "Home", display: Display) -> None:
    """The table at the end: rows in, out, rejected by which rule, tokens, dollars, checks, what is short of its target, and where things are."""
    from synth_assets.warehouse import Warehouse

    warehouse = Warehouse(home.warehouse)
    console = display.console
    if home.warehouse.exists():
        table = Table(box=box.SIMPLE, pad_edge=False)
        for name in ("domain", "stage"):
            table.add_column(name, no_wrap=True)
        for name in ("in", "kept", "rejected", "surplus", "tokens", "US$"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("rejected by")
        for row in warehouse.query(_SUMMARY, {"domains": report.domains}):
            dollars = "unknown" if row["unpriced"] else f"{row['cost_usd'] or 0:.2f}"
            found = report.standings.get(row["domain"]) if row["stage"] == "filtered" else None
            kept = f"{row['kept']} of {sum(found.wanted.values())}" if found is not None else str(row["kept"])
            table.add_row(
                *(str(row[name]) for name in ("domain", "stage", "planned")),
                kept,
                *(str(row[name]) for name in ("rejected", "surplus")),
                str(row["tokens"] or ""),
                dollars if row["tokens"] else "",
                row["rules"] or "",
            )
        console.print(table)
    _checks(report, _seen(warehouse) if home.warehouse.exists() else {}, display)
    for name, batches in report.waiting.items():
        display.say(f"WAITING {name}: {', '.join(batches)}. Run again when they have ended, or switch the sensor message_batches on.")
    for name, found in report.standings.items():
        if found.short and name not in report.failures:
            again = f" `synth-assets run --domain {name} --top-up` does so, or the sensor top_up once it is switched on." if found.following else ""
            display.say(f"SHORT {name}: {found.words}{again}")
    for name, why in report.failures.items():
        display.say(f"FAILED {name}: {why}")
    display.say(f"Teacher calls in this run: {report.calls_made}. Time: {report.seconds:.0f} s.")
    if report.release:
        display.say(f"Release: {report.release}")
    if report.report:
        display.say(f"Quality report: {report.report}")


def _seen(warehouse: "Warehouse") -> dict[tuple[str, str, str], str]:
    """What the checks saw that did not pass, the last time, by domain, stage and check."""
    rows = warehouse.query("select domain, stage, check_name, seen, error from synth.check_results where not passed order by checked_at")
    return {(row["domain"], row["stage"], row["check_name"]): row["error"] or row["seen"] for row in rows}


def _checks(report: "RunReport", seen: Mapping[tuple[str, str, str], str], display: Display) -> None:
    passed = sum(ok for _, _, _, ok, _ in report.checks)
    blocked = [c for c in report.checks if not c[3] and c[4]]
    warned = [c for c in report.checks if not c[3] and not c[4]]
    display.say(f"Checks: {passed} of {len(report.checks)} passed, {len(blocked)} blocking failed, {len(warned)} warn.")
    for kind, failed in (("BLOCKED", blocked), ("warning", warned)):
        for domain, asset, check, _, _ in failed:
            found = seen.get((domain, asset, check))
            display.say(f"  {kind} {domain} {asset}: {check}{f', seen {found}' if found else ''}")
    if blocked or warned:
        display.say("  What each expects: synth-assets checks --domain DOMAIN, and the quality report.")


_SUMMARY = """
with stages as (
    select unnest([
        'seeds', 'generated_instructions', 'evolved_instructions', 'teacher_responses', 'preference_pairs',
        'real_data', 'filtered', 'spot_check', 'mixed', 'release'
    ]) as stage, generate_subscripts(range(10), 1) as place
),
rules as (
    select domain, stage, string_agg(rule || ' ' || rows, ', ' order by rows desc, rule) as rules
    from (select domain, stage, rule, count(*) as rows from synth.rejections group by all)
    group by all
),
used as (
    select u.domain, u.stage, sum(c.input_tokens + c.output_tokens)::bigint as tokens, sum(c.cost_usd) as cost_usd,
        count(*) filter (where c.cost_usd is null) > 0 as unpriced
    from (select distinct key, domain, stage from synth.call_uses) u
    join synth.teacher_calls c using (key)
    group by all
)
select a.domain, a.stage, a.planned, a.kept, a.rejected, a.surplus, rules.rules, used.tokens, used.cost_usd, used.unpriced
from synth.stage_accounts a
join stages using (stage)
left join rules using (domain, stage)
left join used using (domain, stage)
where list_contains($domains, a.domain)
order by a.domain, place
"""
