"""The jobs: one over the stages of a domain, and one each for what is not partitioned.

The release is no part of a domain's job: a run of one domain would otherwise release others that failed.
"""

import dagster as dg

from synth_assets.defs.settings import GROUP
from synth_assets.schemas import STAGES

STAGE_NAMES = tuple(table.name for table in STAGES)
OF_A_DOMAIN = dg.AssetSelection.groups(GROUP) | dg.AssetSelection.assets("benchmarks", *STAGE_NAMES)
"""All that is materialized for one domain."""

DOMAIN = dg.define_asset_job(
    "domain",
    selection=OF_A_DOMAIN,
    description="One domain, from its seeds to its mix. Its settings and the benchmarks are read first, so that the gates have them.",
)
RELEASE = dg.define_asset_job(
    "release_all",
    selection=dg.AssetSelection.assets("release"),
    description="A release from the last mix of every domain whose blocking checks passed.",
)
REWARD_MODEL = dg.define_asset_job(
    "train_reward_model",
    selection=dg.AssetSelection.assets("reward_model"),
    description="Train and publish a new version of the embedded reward model.",
)
QUALITY = dg.define_asset_job(
    "quality",
    selection=dg.AssetSelection.groups("quality"),
    description="The dbt models over all stages, and the quality report.",
)

JOBS = [DOMAIN, RELEASE, REWARD_MODEL, QUALITY]
