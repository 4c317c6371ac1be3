"""What the asset checks of a past run said, from Dagster's own event log: the warehouse keeps only whether all of them passed."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import dagster as dg

from synth_assets.accounts import Row
from synth_assets.home import Home

__all__ = ["of_runs"]


@contextmanager
def of_runs(home: Home) -> Iterator[Callable[[str], Sequence[Row]]]:
    """A function from a run's id to its results: stage, check, passed, blocking, and row_ids, the rows that a failed check names.

    A run that Dagster no longer has, has none.
    """
    os.environ["DAGSTER_HOME"] = str(home.dagster)
    with dg.DagsterInstance.get() as instance:

        def results(run_id: str) -> Sequence[Row]:
            found: list[Row] = []
            for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
                if entry.dagster_event is None:
                    continue
                said = entry.dagster_event.asset_check_evaluation_data
                named = said.metadata.get("row_ids")
                found.append(
                    {
                        "stage": said.asset_key.to_user_string(),
                        "check": said.check_name,
                        "passed": said.passed,
                        "blocking": said.severity is dg.AssetCheckSeverity.ERROR,
                        "row_ids": list(named.value) if isinstance(named, dg.JsonMetadataValue) and isinstance(named.value, list) else [],
                    }
                )
            return found

        yield results
