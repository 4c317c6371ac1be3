"""A release on disk: one folder per version, with Parquet and JSON Lines per kind and split, in the form that TRL trains on.

A folder is written beside its final name, synced, and renamed, so that under its final name it is whole or absent, whatever kills the writer.
Its name is a digest of its rows: the same rows are the same release, and writing them again checks the folder and leaves it alone.

Invariant: equal rows and texts give equal bytes, on the same versions of the libraries.
"""

import hashlib
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from synth_assets.accounts import Row
from synth_assets.errors import StageFailed
from synth_assets.identity import data_version, digest
from synth_assets.release.selection import KINDS, SPLITS

if TYPE_CHECKING:
    import pyarrow

__all__ = ["CHECKSUMS", "FORMAT", "data_file", "latest", "read", "tables", "verify", "version_of", "write"]

FORMAT = 1
"""Number of the files' layout and columns; part of every version."""

CHECKSUMS = "SHA256SUMS"
LOCK_TIMEOUT = 600.0
"""Seconds to wait for another release that is being written."""

_UNFINISHED = ".unfinished-"
_MESSAGES = {"sft": ("messages",), "preference": ("prompt", "chosen", "rejected")}
_TEXTS = ("id", "domain", "topic", "language", "origin", "source", "license", "method", "root_id")
# Some readers of JSON Lines take these for ends of lines, and JSON allows them inside a text.
_LINE_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}


def data_file(kind: str, split: str) -> str:
    """Path of a Parquet file within the release; the JSON Lines file differs by its suffix."""
    return f"{kind}/{split}-00000.parquet"


def tables(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """Rows as they are exported, by (kind, split), empty ones left out, each by id: ids are digests, so domains and topics come mixed.

    Args:
        rows: Kept candidates of `selection.select`.
    """
    found: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: str(row["id"])):
        found[row["kind"], row["split"]].append(_exported(row))
    return {(kind, split): found[kind, split] for kind in KINDS for split in SPLITS if (kind, split) in found}


def version_of(rows: Sequence[Row]) -> str:
    """The version that these rows are: `r-` and twelve hexadecimal digits."""
    exported = ({"kind": kind, "split": split, **row} for (kind, split), group in tables(rows).items() for row in group)
    return f"r-{digest([FORMAT, data_version(exported)])[:12]}"


def write(releases: Path, version: str, rows: Sequence[Row], texts: Mapping[str, str]) -> Path:
    """Write a release, unless it is there, and make it the latest; returns its folder.

    Args:
        releases: The folder of release folders; made if it is missing.
        version: `version_of(rows)`.
        rows: Kept candidates of `selection.select`.
        texts: Further files by path within the release, such as the card.

    Raises:
        StageFailed: the disk refused, another release is being written, or the folder of that version was changed since it was written.
    """
    folder = releases / version
    with _explained(releases), _alone(releases):
        for remains in releases.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(remains) if remains.is_dir() else remains.unlink()
        if folder.exists():
            if faults := verify(folder):
                raise StageFailed(
                    f"{folder} is this release, but was changed since it was written: {'; '.join(faults[:5])}. "
                    f"Move the folder away and release again: the same rows give the same files."
                )
        else:
            unfinished = releases / f"{_UNFINISHED}{version}"
            try:
                _fill(unfinished, rows, texts)
                unfinished.rename(folder)
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
            _sync(releases)
        _point_to(releases, version)
    return folder


def latest(releases: Path) -> str | None:
    """The version that was released last; None where nothing was."""
    try:
        return (releases / "latest").read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None


def verify(folder: Path) -> list[str]:
    """What in a release folder differs from its checksums, in words; empty where all is as it was written."""
    if not (folder / CHECKSUMS).is_file():
        return [f"{CHECKSUMS} is missing"]
    lines = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    stated = {name: checksum for checksum, _, name in (line.partition("  ") for line in lines)}
    there = _files(folder)
    faults = [f"{name} is missing" for name in stated if name not in there]
    faults += [f"{name} was added" for name in there if name not in stated]
    return faults + [f"{name} was changed" for name in there if name in stated and _sha256(folder / name) != stated[name]]


def read(folder: Path) -> list[Row]:
    """Rows of a release from its Parquet files, without the messages, with `kind` and `split` from the files' names."""
    import pyarrow.parquet as pq

    found: list[Row] = []
    for kind in KINDS:
        for split in SPLITS:
            path = folder / data_file(kind, split)
            if path.is_file():
                found += [{"kind": kind, "split": split, **row} for row in pq.ParquetFile(path).read(columns=list(_TEXTS)).to_pylist()]
    return found


def _exported(row: Row) -> Row:
    said = (row["messages"], row.get("chosen"), row.get("rejected"))
    return dict(zip(_MESSAGES[row["kind"]], said, strict=False)) | {name: row[name] for name in _TEXTS}


def _fill(folder: Path, rows: Sequence[Row], texts: Mapping[str, str]) -> None:
    import pyarrow.parquet as pq

    folder.mkdir()
    for (kind, split), group in tables(rows).items():
        path = folder / data_file(kind, split)
        path.parent.mkdir(exist_ok=True)
        # Everything that a later pyarrow might choose otherwise is stated.
        pq.write_table(_arrow(kind, group), path, version="2.6", data_page_version="1.0", compression="zstd", compression_level=3, row_group_size=10_000)
        with path.with_suffix(".jsonl").open("w", encoding="utf-8", newline="\n") as lines:
            for row in group:
                lines.write(json.dumps(row, ensure_ascii=False).translate(_LINE_ENDS) + "\n")
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    sums = "".join(f"{_sha256(folder / name)}  {name}\n" for name in _files(folder))
    (folder / CHECKSUMS).write_text(sums, encoding="utf-8", newline="\n")
    for path in (*folder.rglob("*"), folder):
        _sync(path)


def _arrow(kind: str, rows: Sequence[Row]) -> "pyarrow.Table":
    import pyarrow as pa

    messages = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    schema = pa.schema([*((name, messages) for name in _MESSAGES[kind]), *((name, pa.string()) for name in _TEXTS)])
    return pa.Table.from_pylist(list(rows), schema=schema)


def _point_to(releases: Path, version: str) -> None:
    """Let `latest` name this version."""
    unfinished = releases / f"{_UNFINISHED}latest"
    unfinished.write_text(f"{version}\n", encoding="utf-8")
    _sync(unfinished)
    unfinished.replace(releases / "latest")
    _sync(releases)


def _files(folder: Path) -> list[str]:
    """Paths of all files but the checksums, relative to the folder, sorted."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p != folder / CHECKSUMS)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Have the disk hold what was written; folders where the system can."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _alone(releases: Path) -> Iterator[None]:
    """One writer at a time: so whatever is unfinished is nobody's."""
    from filelock import FileLock, Timeout

    releases.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(releases / ".lock", timeout=LOCK_TIMEOUT):
            yield
    except Timeout as error:
        raise StageFailed(f"another release was being written to {releases} for {LOCK_TIMEOUT:g} s. Let it end, then release again.") from error


@contextmanager
def _explained(releases: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StageFailed(f"the release could not be written to {releases}: {error}. Make room there, or mend its permissions, and release again.") from error
