"""The asset that writes the quality report from the dbt models and samples of the stages' rows."""

from typing import Any

import dagster as dg

from synth_assets.defs.resources import WarehouseResource
from synth_assets.defs.stage import OWNERS, code_version
from synth_assets.home import Home
from synth_assets.identity import digest
from synth_assets.release import quality_report as report

__all__ = ["quality_report"]


@dg.asset(
    group_name="quality",
    owners=OWNERS,
    kinds={"python", "html"},
    code_version=f"{code_version(report)}-{digest(report.TEMPLATE.read_text(encoding='utf-8'))[:12]}",
    deps=[*(dg.AssetKey(["quality", mart]) for mart in report.MARTS), "release"],
    description="One HTML page: funnel, gates, topics, contamination, mix, cost, and samples of kept and rejected rows with their reasons.",
)
def quality_report(warehouse: WarehouseResource) -> dg.MaterializeResult[Any]:
    """Read all figures in one state of the warehouse, and write the page where the old one was."""
    database = warehouse.open()
    with database.read():
        data = report.collect(database.query)
    path = Home.from_env().reports / "quality_report.html"
    report.write(path, report.render(data))
    numbers = {name: value for name, value in data.key_numbers.items() if value is not None}
    return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path(str(path)), "size_bytes": path.stat().st_size, **numbers})
