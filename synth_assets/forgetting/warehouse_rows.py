"""Out of the warehouse: rows, candidates, uses of calls, hits, verdicts, in one transaction that keeps every account in balance.

What calls cost stays in `teacher_calls`, which holds no text. Slices that lost rows are no longer the ones that were checked, so no stage reads them
before they are made again. Afterwards the file is written anew, since DuckDB leaves what was deleted in free blocks.
"""

from collections import Counter
from collections.abc import Collection

from synth_assets.forgetting.descent import Doomed
from synth_assets.schemas import SCHEMA
from synth_assets.warehouse import Warehouse

__all__ = ["remove"]


def remove(warehouse: Warehouse, doomed: Doomed, keys: Collection[str], contents: Collection[str]) -> Counter[str]:
    """Delete it all; returns how many rows each table lost.

    Args:
        warehouse: Where from.
        doomed: The rows.
        keys: Calls whose replies are forgotten: no row stands on them any more.
        contents: `content_key`s of verdicts that go.
    """
    ids, lost = sorted(doomed.ids), Counter[str]()
    with warehouse.transaction() as con:

        def delete(table: str, condition: str, values: Collection[str]) -> None:
            found = con.execute(f"delete from {SCHEMA}.{table} where {condition} returning 1", [list(values)]).fetchall()  # noqa: S608 - our own names
            lost[table] += len(found)

        for (place, domain, stage), rows in doomed.places.items():
            if place == "kept":
                delete(stage, "id in (select unnest(?))", sorted({str(row["id"]) for row in rows}))
            con.execute(
                f"update {SCHEMA}.stage_accounts set planned = planned - $n, candidates = candidates - $n, {place} = {place} - $n"  # noqa: S608 - our own names
                " where domain = $domain and stage = $stage",
                {"n": len({str(row["id"]) for row in rows}), "domain": domain, "stage": stage},
            )
        for table in ("rejections", "surplus", "call_uses", "contamination_hits"):
            delete(table, "row_id in (select unnest(?))", ids)
        delete("call_uses", "key in (select unnest(?))", sorted(keys))
        delete("reviews", "row_id in (select unnest(?))", ids)
        delete("reviews", "content_key in (select unnest(?))", sorted(contents))
    warehouse.compact()
    return +lost
