"""The files of the state folder: can each be read to its last block, and does what it says add up."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from synth_assets.errors import WarehouseBusy, WarehouseError
from synth_assets.health.findings import Finding, fault, note, well
from synth_assets.home import Home

__all__ = ["databases", "ledger", "releases", "warehouse"]

BALANCE = "select domain, stage from synth.stage_accounts where planned <> kept + rejected + surplus order by all"
BLOCKED = """
select domain, stage, passed from synth.stage_history
qualify row_number() over (partition by domain, stage order by materialized_at desc) = 1 and passed is distinct from true
order by all
"""


def warehouse(home: Home) -> Iterator[Finding]:
    """The DuckDB file: who has it, every row of every table, the accounts, and slices that nobody may read."""
    from synth_assets.schemas import SCHEMA, TABLES
    from synth_assets.warehouse import Warehouse

    if not home.warehouse.exists():
        yield note("warehouse", "there is none yet")
        return
    database = Warehouse(home.warehouse, lock_timeout=1.0)
    try:
        with database.read() as con:
            rows = 0
            for table in TABLES:
                # A hash of whole rows reads every block, whose checksums DuckDB compares.
                counted = con.execute(f"select count(*), bit_xor(hash(t)) from {SCHEMA}.{table.name} t").fetchone()  # noqa: S608 - names of our own
                rows += counted[0] if counted else 0
            torn = con.execute(BALANCE).fetchall()
            blocked = con.execute(BLOCKED).fetchall()
    except WarehouseBusy as error:
        yield fault("warehouse", str(error), "runs wait for it, and go on by themselves when it is free")
        return
    except WarehouseError as error:
        yield fault("warehouse", str(error))
        return
    yield well("warehouse", f"{rows:,} rows in {len(TABLES)} tables, every block was read; {home.warehouse.stat().st_size / 2**20:.1f} MB")
    for domain, stage in torn:
        yield fault("accounts", f"{stage} of {domain}: planned is not kept + rejected + surplus", f"synth-assets run --domain {domain} --to {stage}")
    for domain, stage, passed in blocked:
        why = "its blocking checks failed" if passed is False else "its checks have not ended"
        yield note("checks", f"{stage}{f' of {domain}' if domain else ''} may not be read: {why}", "see its run in the UI; mend the cause and run it again")


def ledger(home: Home) -> Iterator[Finding]:
    """The ledger of teacher calls, and calls whose outcome nobody saw."""
    from synth_assets.teacher import ledger_report

    path = home.root / "ledger.sqlite"
    if not path.exists():
        yield note("ledger", "there is none yet: no teacher was asked")
        return
    if (trouble := _trouble(path)) is not None:
        remedy = f"`sqlite3 {path.name} .recover` may save its replies; or move it away: what it held is asked, and paid, again"
        yield fault("ledger", f"{path} is damaged: {trouble}", remedy)
        return
    with ledger_report.reading(path) as con:
        total = ledger_report.sums(con)[0]
    yield well("ledger", f"{total['calls']:,} replies, ${total['cost_usd'] or 0:.4f}")
    if total["unknown"]:
        what = f"{total['unknown']} calls were out when their process died: they count at their highest price, ${total['unknown_usd']:.4f}"
        yield note("ledger", what, "the next run that needs them asks again")
    if total["in_flight"]:
        yield note("ledger", f"{total['in_flight']} calls are out")


def databases(home: Home) -> Iterator[Finding]:
    """The other SQLite files: verdicts, embeddings, Dagster's own."""
    remedies = {
        home.reviews: "people's work is in it: restore it from a copy, or save what can be saved with `sqlite3 reviews.sqlite .recover`",
        home.embeddings: "delete it: everything in it is computed again",
        **dict.fromkeys(
            sorted(p for p in home.dagster.rglob("*.db") if p.is_file()),
            f"move {home.dagster} away: rows, replies and verdicts stand, only the history of runs is lost",
        ),
    }
    there = [path for path in remedies if path.exists()]
    sick = {path: trouble for path in there if (trouble := _trouble(path)) is not None}
    for path, trouble in sick.items():
        if "disk I/O" in trouble or "disk is full" in trouble:
            yield note(path.name, f"{path} cannot be examined: {trouble}", "see the disk first")
        else:
            yield fault(path.name, f"{path} is damaged: {trouble}", remedies[path])
    if there and not sick:
        yield well("databases", f"verdicts, embeddings and Dagster's own: {len(there)} files, all sound")


def releases(home: Home) -> Iterator[Finding]:
    """The newest release against its checksums, and remains of one that was being written."""
    from synth_assets.release import export

    version = export.latest(home.releases)
    if version is None:
        return
    if not (home.releases / version).is_dir():
        yield fault("release", f"{version} is named as the latest, and its folder is gone", "release again: the same rows give the same files")
    elif faults := export.verify(home.releases / version):
        yield fault(
            "release",
            f"{version} is not as it was written: {'; '.join(faults[:3])}",
            "move its folder away and release again: the same rows give the same files",
        )
    else:
        yield well("release", f"{version} is as it was written")


def _trouble(path: Path) -> str | None:
    """What SQLite's own check says of the file, or None where it is sound; a file that is in use is read beside its users."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=5)) as con:
            said = [row[0] for row in con.execute("pragma quick_check(3)")]
    except sqlite3.Error as error:
        return str(error)
    return None if said == ["ok"] else "; ".join(" ".join(line.split()) for line in said[:3])
