"""Dagster's entry point: what is loaded, nothing else.

pandas is loaded here, before any run. Otherwise pyarrow loads it at its first array, in the middle of a step, and half of it may stay behind: 2 of 144
runs of a soak with random kills failed at a partially initialized pandas.
"""

import dagster as dg
import pandas  # noqa: F401 - by name

from synth_assets.defs import automation, changes, dbt, generation, jobs, quality_report, release, reward_model, schedules, selection, sensors, settings
from synth_assets.defs.checks import stage_checks
from synth_assets.defs.partitions import DOMAINS
from synth_assets.defs.resources import DomainsResource, EmbedderResource, TeacherResource, WarehouseResource
from synth_assets.schemas import STAGES

defs = dg.Definitions(
    assets=dg.load_assets_from_modules([settings, generation, selection, release, reward_model, dbt, quality_report]),
    asset_checks=[*(stage_checks(table.name, DOMAINS) for table in STAGES), release.release_checks],
    jobs=jobs.JOBS,
    schedules=schedules.SCHEDULES,
    sensors=[*sensors.SENSORS, changes.domain_files, changes.quality_follows_release, automation.follow_changes],
    resources={
        "warehouse": WarehouseResource(),
        "domains": DomainsResource(),
        "teacher": TeacherResource(),
        "embedder": EmbedderResource(),
        "dbt": dbt.dbt_resource(),
    },
    executor=dg.in_process_executor,
)
