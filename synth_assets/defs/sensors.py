"""The sensors: what starts runs because something happened. All are off until somebody switches them on."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from synth_assets.config import Domain
from synth_assets.defs.jobs import DOMAIN
from synth_assets.defs.resources import DomainsResource
from synth_assets.home import Home

if TYPE_CHECKING:
    from synth_assets.teacher.batches import OpenBatch

POLL_SECONDS = 120


@dg.sensor(
    name="message_batches",
    job=DOMAIN,
    minimum_interval_seconds=POLL_SECONDS,
    description="Asks after the Message Batches that domains with `mode: batch` have handed in, and runs a domain again when all of its batches have ended.",
)
def message_batches(context: dg.SensorEvaluationContext, domains: DomainsResource) -> dg.SensorResult:
    """One run per domain whose batches have all ended since the last tick; its stages collect them and go on."""
    before = set(filter(None, (context.cursor or "").split(",")))
    waiting = {batch.domain: batch.remote or "" for batch in _open(Home.from_env().root, domains)}
    ended = sorted(domain for domain in before if domain not in waiting)
    return dg.SensorResult(
        run_requests=[dg.RunRequest(partition_key=domain, tags={"synth/reason": "message batches ended"}) for domain in ended],
        skip_reason=None if ended else f"{len(waiting)} domains wait for batches" if waiting else "no batch is open",
        cursor=",".join(sorted(waiting)),
    )


def _open(home: Path, domains: DomainsResource) -> "Iterator[OpenBatch]":
    """Batches of all domains that have not ended; the results of those that have are recorded."""
    from synth_assets.teacher.batches import open_batches
    from synth_assets.teacher.choice import open_teacher
    from synth_assets.teacher.ledger import Ledger

    if not (home / "ledger.sqlite").exists():
        return
    ledger = Ledger(home / "ledger.sqlite")
    try:
        names = {batch.domain for batch in open_batches(ledger)}
    finally:
        ledger.close()
    for name in sorted(names):
        domain: Domain = domains.load(name).config
        with open_teacher(home, os.environ, domain=name, domain_budget_usd=domain.budget_usd, by_batch=True) as teacher:
            yield from (batch for batch in teacher.open_batches() if batch.domain == name)


SENSORS = [message_batches]
