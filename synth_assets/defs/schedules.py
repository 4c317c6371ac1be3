"""The schedules: one a domain, at the time and in the time zone that its file says. All are off until somebody switches them on.

They are read when the code location loads. A domain whose file cannot be read then has no schedule, and shows as broken wherever it is run.
"""

from collections.abc import Iterator
from contextlib import suppress

import dagster as dg

from synth_assets.config import Domain
from synth_assets.defs.jobs import DOMAIN
from synth_assets.defs.partitions import DOMAINS
from synth_assets.domain_files import domains_folder, load_settings
from synth_assets.errors import ConfigError

__all__ = ["SCHEDULES", "nightly"]


_UNFINISHED = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED)


def nightly(domain: Domain) -> dg.ScheduleDefinition:
    """The schedule of one domain. Two ticks at one time ask for one run, since a run's key is its time; a run that is not done yet is not joined by another."""
    name = domain.name

    def run(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        going = dg.RunsFilter(job_name=DOMAIN.name, tags={"dagster/partition": name}, statuses=list(_UNFINISHED))
        if context.instance.get_runs_count(going):
            return dg.SkipReason(f"an earlier run of {name} is still queued or going on")
        at = context.scheduled_execution_time.isoformat()
        return dg.RunRequest(run_key=f"{name} {at}", partition_key=name, tags={"synth/reason": "schedule"})

    return dg.ScheduleDefinition(
        # Dagster's names have no hyphen, and `a-b` and `a_b` may both be domains.
        name=f"nightly_{name.replace('_', '__').replace('-', '_')}",
        cron_schedule=domain.schedule.cron,
        execution_timezone=domain.schedule.timezone,
        job=DOMAIN,
        execution_fn=run,
        description=f"Runs the domain {name} from its seeds to its mix at `{domain.schedule.cron}`, {domain.schedule.timezone}. "
        "What the ledger has is not asked again; `schedule` in the domain's file changes the time.",
    )


def _readable() -> Iterator[Domain]:
    for name in DOMAINS.get_partition_keys():
        with suppress(ConfigError):
            yield load_settings(domains_folder(), name)


SCHEDULES = [nightly(domain) for domain in _readable()]
