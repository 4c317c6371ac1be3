"""The frozen calibrations: raw scores of a domain's reference responses, as they were when somebody last asked for them.

A percentile means the same tomorrow only if its references stand still. So the first stage that needs them scores the seeds' responses once per
domain and version of the reward model; from then on seeds may change, and `synth-assets calibrate` makes the next one. Every scored row says which
number it was scored under. Invariant: of one domain, version and number there is one calibration, whoever wrote it first.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from synth_assets.conversations import prompt_of
from synth_assets.errors import StageFailed
from synth_assets.methods.scoring import Scorer
from synth_assets.quality.bradley_terry import Floats
from synth_assets.quality.scores import Score
from synth_assets.teacher.messages import Plan
from synth_assets.warehouse import Warehouse
from synth_assets.warehouse.history import version_of

__all__ = ["Calibration", "calibrate_anew", "frozen"]

TABLE = "reward_calibrations"

Drive = Callable[[Plan[list[Score]]], list[Score]]
"""Drives a scorer's plan to its end, with a teacher where it needs one."""


@dataclass(frozen=True)
class Calibration:
    """One frozen calibration."""

    number: int
    """1 for the first of its domain and version."""
    references: Floats
    """Raw scores of the reference responses, ascending."""
    calibrated_at: str
    """ISO 8601, UTC."""
    seeds_version: str
    """Data version of the seeds that were the references."""


def frozen(database: Warehouse, domain: str, scorer: Scorer, drive: Drive) -> Calibration:
    """The calibration of `domain` for this version of the reward model; made now where there is none.

    Raises:
        UpstreamNotPassed: there is none, and the seeds did not pass their checks.
        StageFailed: there is none, and no reference response can be scored.
    """
    return _newest(database, domain, scorer.version) or _made(database, domain, scorer, drive, 1)


def calibrate_anew(database: Warehouse, domain: str, scorer: Scorer, drive: Drive) -> tuple[Calibration | None, Calibration]:
    """The calibration that stood, and one after the seeds as they are now, which stands from here on. Raises as `frozen`."""
    before = _newest(database, domain, scorer.version)
    return before, _made(database, domain, scorer, drive, before.number + 1 if before else 1)


def _stored(database: Warehouse, domain: str, version: str) -> dict[int, Calibration]:
    """By number, ascending."""
    return {
        row["number"]: Calibration(row["number"], np.array(json.loads(row["scores"]), np.float64), row["calibrated_at"], row["seeds_version"])
        for row in database.rows(TABLE, domain, order=("number",))
        if row["reward_version"] == version
    }


def _newest(database: Warehouse, domain: str, version: str) -> Calibration | None:
    return next(reversed(_stored(database, domain, version).values()), None)


def _made(database: Warehouse, domain: str, scorer: Scorer, drive: Drive, number: int) -> Calibration:
    seeds = database.read_passed("seeds", domain)
    scores = drive(scorer.score([prompt_of(row) for row in seeds], [row["response"] for row in seeds]))
    raw = sorted(score.raw for score in scores if score.raw is not None)
    if not raw:
        why = f" ({scores[0].rule}: {scores[0].evidence})" if scores else ""
        raise StageFailed(f"{domain}: the reward model {scorer.version} gave none of the {len(seeds)} reference responses a score{why}.")
    row: dict[str, Any] = {
        "domain": domain,
        "reward_version": scorer.version,
        "number": number,
        "calibrated_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seeds_version": version_of(seeds),
        "responses": len(raw),
        "scores": json.dumps(raw),
    }
    database.append(TABLE, [row])
    # Another process may have been first: its calibration stands, for both.
    return _stored(database, domain, scorer.version)[number]
