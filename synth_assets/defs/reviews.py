"""People's verdicts on their way into the warehouse: from the store beside it into `reviews`, whenever a stage that uses them runs.

The page saves into its own store, because the warehouse may be busy for seconds. Rows that are there already stay as they are. Invariant: what a
stage reads here is in `reviews` when the stage is done, so that every decision can be traced to a row.
"""

from dataclasses import asdict

from synth_assets.home import Home
from synth_assets.review.standing import Entry
from synth_assets.review.verdicts import Verdicts
from synth_assets.warehouse import Warehouse

__all__ = ["land"]


def land(database: Warehouse, domain: str) -> list[Entry]:
    """Bring new entries into `reviews`; returns all entries of one domain, those of the store and those that only the warehouse has."""
    path = Home.from_env().reviews
    if path.exists():
        store = Verdicts(path)
        try:
            database.append("reviews", [asdict(entry) for entry in store.entries()])
        finally:
            store.close()
    return [Entry.of(row) for row in database.rows("reviews", domain)]
