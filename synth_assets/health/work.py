"""What is going on, and what was left behind: locks and their holders, processes without a parent, runs without a process, half-written files."""

import os
from collections.abc import Iterator
from pathlib import Path

from synth_assets.health.findings import Finding, fault, note, well
from synth_assets.home import Home
from synth_assets.processes import Process, lock_holders, of_home

__all__ = ["locks", "remains", "runs"]

_UNFINISHED = ("warehouse.duckdb.new*", "*.part", "release/.unfinished-*", "reports/.*", ".doctor-*")


def locks(home: Home) -> Iterator[Finding]:
    """Who holds the warehouse, and which processes work here."""
    files = (home.warehouse, home.warehouse.with_name("warehouse.duckdb.lock"), home.releases / ".lock")
    held = {path: holders for path in files if (holders := lock_holders(path))}
    for path, holders in held.items():
        foreign = path == home.warehouse and not lock_holders(files[1])
        remedy = "close that program or its connection: runs wait for it" if foreign else "let it end; do not delete the file, the lock ends with its holder"
        yield (fault if foreign else note)("locks", f"{path.name} is held by {', '.join(map(str, holders))}", remedy)
    if not held:
        yield well("locks", "nobody holds the warehouse")
    working = of_home(home.root)
    orphans = [process for process in working if _is_orphan(process, working)]
    if orphans:
        yield fault("processes", f"left behind by a UI that is gone: {', '.join(map(str, orphans))}", f"kill {' '.join(str(p.pid) for p in orphans)}")
    elif working:
        yield note("processes", f"{len(working)} work here: {', '.join(str(process.pid) for process in working[:20])}")


def _is_orphan(process: Process, working: list[Process]) -> bool:
    """A part of Dagster whose parent is gone; the guard of `synth-assets ui` and the UI itself are their own masters."""
    parts = ("dagster_webserver", "dagster._daemon", "code-server", "dagster api grpc", "-m dagster api", "multiprocessing")
    return any(part in process.command for part in parts) and process.parent not in {p.pid for p in working} | {os.getpid()}


def runs(home: Home) -> Iterator[Finding]:
    """Runs that show as started although their process is gone."""
    if not (home.dagster / "history" / "runs.db").exists():
        yield note("runs", "there was none yet")
        return
    os.environ["DAGSTER_HOME"] = str(home.dagster)
    import dagster as dg

    from synth_assets.run_workers import dead_runs

    with dg.DagsterInstance.get() as instance:
        dead = dead_runs(instance)
        going = instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.QUEUED]))
    for run in dead:
        partition = run.tags.get("dagster/partition", "")
        what = f"run {run.run_id[:8]} ({run.job_name}{f' of {partition}' if partition else ''}) shows as started, and its process was killed"
        yield fault("runs", what, "`synth-assets run` or `synth-assets ui` mark it as failed and go on from there; paid replies are not asked again")
    if not dead:
        yield well("runs", f"{going} going on or queued, none of them dead")


def remains(home: Home) -> Iterator[Finding]:
    """Files of writers that were killed; whoever writes there next removes them."""
    found = sorted(path for pattern in _UNFINISHED for path in home.root.glob(pattern))
    if found:
        yield note("remains", f"half-written: {', '.join(_short(path, home.root) for path in found[:5])}", "nothing: the next write there removes them")


def _short(path: Path, root: Path) -> str:
    return str(path.relative_to(root))
