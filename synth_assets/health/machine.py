"""The machine under the state folder: room and rights on its disk, the kind of file system, the clock."""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from synth_assets.health.findings import Finding, fault, note, well
from synth_assets.home import Home

__all__ = ["clock", "disk", "size_of"]

LEAST_FREE, GOOD_FREE = 64 * 2**20, 2 * 2**30
"""Bytes: a stage's transaction and its checkpoint want tens of MB; a run with its logs and a release some hundreds."""
PROBE = 2**20
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs", "lustre")
SKEW = timedelta(minutes=2)


def disk(home: Home) -> Iterator[Finding]:
    """Whether the state folder is there, is on a local disk, has room, and takes a file."""
    if not home.root.is_dir():
        yield note("folder", f"{home.root} is not there yet: nothing was run", "`synth-assets run` makes it; SYNTH_HOME names another")
        return
    kind = _file_system(home.root)
    if kind in NETWORK:
        yield fault("folder", f"{home.root} is on a network file system ({kind}), where locks do not hold", "set SYNTH_HOME to a folder on a local disk")
    free = shutil.disk_usage(home.root).free
    if (trouble := _probe(home.root)) is not None:
        yield fault(
            "disk", f"nothing can be written to {home.root}: {trouble}", "make room or mend the permissions; what is there is intact, and a run goes on"
        )
    elif free < LEAST_FREE:
        yield fault(
            "disk",
            f"{_size(free)} free at {home.root}: the next write may fail",
            "make room; old folders in release/ and `synth-assets ledger prune` give some",
        )
    elif free < GOOD_FREE:
        yield note("disk", f"{_size(free)} free at {home.root}", "make room before a large run")
    else:
        yield well("disk", f"{_size(free)} free; {home.root} takes {_size(size_of(home.root))}")


def clock(home: Home) -> Iterator[Finding]:
    """Whether this moment is later than everything that was recorded."""
    newest = max(_recorded(home), default=None)
    now = datetime.now(UTC)
    if newest is not None and newest > now + SKEW:
        yield fault(
            "clock",
            f"it is {now:%Y-%m-%d %H:%M} UTC, but something was recorded at {newest:%Y-%m-%d %H:%M}: the clock was set back, or was ahead then",
            "correct the clock; rows and their order stand, but schedules and the freshness of the release go by it",
        )
    else:
        yield well("clock", f"{now:%Y-%m-%d %H:%M} UTC, later than all that was recorded")


def _recorded(home: Home) -> Iterator[datetime]:
    import sqlite3

    for path, query in ((home.root / "ledger.sqlite", "select max(paid_at) from replies"), (home.reviews, "select max(reviewed_at) from entries")):
        if path.exists():
            try:
                with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as con:
                    if text := con.execute(query).fetchone()[0]:
                        yield datetime.fromisoformat(text)
            except sqlite3.Error:
                continue  # what is wrong with the file is told by its own examination
    if home.warehouse.exists():
        from synth_assets.errors import WarehouseError
        from synth_assets.warehouse import Warehouse

        try:
            row = Warehouse(home.warehouse, lock_timeout=1.0).query("select max(materialized_at) as newest from synth.stage_history")
        except WarehouseError:
            return
        if row[0]["newest"]:
            yield datetime.fromisoformat(row[0]["newest"])


def size_of(folder: Path) -> int:
    """Bytes of all files under `folder`; runs may make and remove some meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(place) / name).lstat().st_size
    return total


def _probe(folder: Path) -> str | None:
    """Why a file cannot be written to `folder`, or None."""
    path = folder / f".doctor-{os.getpid()}"
    try:
        with path.open("wb") as file:
            file.write(bytes(PROBE))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or str(error)
    finally:
        path.unlink(missing_ok=True)
    return None


def _file_system(folder: Path) -> str:
    """Kind of the file system that `folder` is on; empty where the system does not tell."""
    try:
        lines = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    mounts = [line.split()[1:3] for line in lines if len(line.split()) > 2]
    inside = [(len(place), kind) for place, kind in mounts if folder.resolve().is_relative_to(place)]
    return max(inside)[1] if inside else ""


def _size(number: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} TB"
