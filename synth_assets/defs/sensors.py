"""The sensors: what starts runs because something happened. All are off until somebody switches them on."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from synth_assets.config import Domain
from synth_assets.defs.jobs import DOMAIN
from synth_assets.defs.resources import DomainsResource, WarehouseResource
from synth_assets.defs.waves import TAG
from synth_assets.home import Home
from synth_assets.waves.standing import Standing, standing_now

if TYPE_CHECKING:
    from synth_assets.teacher.batches import OpenBatch

POLL_SECONDS = 120
MOST_TRIES = 3
"""Runs for one step of a top-up that may fail, or be stopped, before the sensor waits for a person."""


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


@dg.sensor(
    name="top_up",
    job=DOMAIN,
    minimum_interval_seconds=POLL_SECONDS,
    description="Runs a domain again with more waves of candidates while it is short of its targets: until they are reached, "
    "or targets.waves, the budget or a wave without an accepted row ends it. How many waves follows from the acceptance rates so far.",
)
def top_up(context: dg.SensorEvaluationContext, warehouse: WarehouseResource, domains: DomainsResource) -> dg.SensorResult:
    """One run per domain that is short and can go on; none while a run of it is under way."""
    if not Home.from_env().warehouse.exists():
        return dg.SensorResult(skip_reason="nothing was run yet")
    requests, waiting = [], []
    database = warehouse.open()
    for name, loaded in domains.load_all().items():
        found = standing_now(database, loaded.config)
        if found is None or not found.short:
            continue
        if found.following is None:
            waiting.append(f"{name}: {found.words}")
            continue
        request, why = _step(context.instance, found, found.following)
        if request is not None:
            requests.append(request)
        else:
            waiting.append(f"{name}: {why}")
    return dg.SensorResult(run_requests=requests, skip_reason=None if requests else "\n".join(waiting) or "no domain is short of its targets")


def _step(instance: dg.DagsterInstance, found: Standing, waves: int) -> tuple[dg.RunRequest | None, str]:
    """The run that makes so many waves, or why there is none."""
    records = instance.get_runs(filters=dg.RunsFilter(tags={"dagster/partition": found.domain, TAG: str(waves)}))
    if any(not run.is_finished for run in records):
        return None, f"a run with {waves} waves is under way"
    # A run that came to its end has chosen rows anew, so that these are runs which failed or were stopped on the way.
    tries = sum(run.tags.get(_AFTER) == found.run_id for run in records)
    if tries >= MOST_TRIES:
        return None, f"{tries} runs with {waves} waves did not reach the gates: see why, then run the domain by hand"
    tags = {TAG: str(waves), _AFTER: found.run_id, "synth/reason": found.words}
    return dg.RunRequest(run_key=f"top_up {found.domain} {found.run_id} {waves} {tries}", partition_key=found.domain, tags=tags), ""


_AFTER = "synth/after"
"""The run whose shortfall a top-up is to end."""

SENSORS = [message_batches, top_up]
