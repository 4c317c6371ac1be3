"""A release on disk: one folder per version, with Parquet and JSON Lines per kind and split, in the form that TRL trains on.

A folder is written beside its final name, synced, made read-only and renamed, so that under its final name it is whole or absent, whatever kills
the writer. Its name is a digest of its rows and of what it was made by: the same release is the same folder, and writing it again checks it and
leaves it alone.

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
from synth_assets.release.forms import FORMS
from synth_assets.release.selection import KINDS, SPLITS

if TYPE_CHECKING:
    import pyarrow

__all__ = ["CHECKSUMS", "FORMAT", "data_files", "latest", "read", "shards", "tables", "verify", "version_of", "write"]

FORMAT = 2
"""Number of the files' layout and columns; part of every version."""

CHECKSUMS = "SHA256SUMS"
LOCK_TIMEOUT = 600.0
"""Seconds to wait for another release that is being written."""

SHARD_BYTES = 256 * 2**20
"""Bytes of text in one Parquet file, after which the next begins: what the Hub's viewer and a reader with little memory take well."""

_UNFINISHED = ".unfinished-"
_MESSAGES = {"sft": ("messages",), "preference": ("prompt", "chosen", "rejected")}
_TEXTS = ("id", "domain", "topic", "language", "origin", "source", "license", "method", "root_id")
# Some readers of JSON Lines take these for ends of lines, and JSON allows them inside a text.
_LINE_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}


def data_files(kind: str, split: str) -> str:
    """Pattern of the Parquet files of a kind and split within the release; the JSON Lines files differ by their suffix."""
    return f"{kind}/{split}-*.parquet"


def tables(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """Rows as they are exported, by (kind, split), empty ones left out, each by its `place`, where rows have one, then by id.

    Ids are digests, so without places domains and topics come mixed.

    Args:
        rows: Kept candidates of `selection.select`.
    """
    found: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.get("place", 0), str(row["id"]))):
        found[row["kind"], row["split"]].append(_exported(row))
    return {(kind, split): found[kind, split] for kind in KINDS for split in SPLITS if (kind, split) in found}


def shards(rows: Sequence[Row], most: int | None = None) -> list[Sequence[Row]]:
    """Exported rows cut, in order, into pieces of at most `most` bytes of text (default SHARD_BYTES); a longer row is a piece of its own."""
    found: list[list[Row]] = [[]]
    room = limit = SHARD_BYTES if most is None else most
    for row in rows:
        size = sum(len(turn["content"].encode()) for name in ("messages", "prompt", "chosen", "rejected") for turn in row.get(name) or ())
        if found[-1] and size > room:
            found.append([])
            room = limit
        found[-1].append(row)
        room -= size
    return [*found]


def version_of(rows: Sequence[Row], made_by: object = None) -> str:
    """The version that these rows are: `r-` and twelve hexadecimal digits.

    Args:
        rows: Kept candidates of `selection.select`.
        made_by: What else decides the files: the recipe, the order, further forms. Plain data.
    """
    exported = ({"kind": kind, "split": split, **row} for (kind, split), group in tables(rows).items() for row in group)
    return f"r-{digest([FORMAT, data_version(exported), made_by])[:12]}"


def write(releases: Path, version: str, rows: Sequence[Row], texts: Mapping[str, str], forms: Sequence[str] = ()) -> Path:
    """Write a release, unless it is there, and make it the latest; returns its folder.

    Args:
        releases: The folder of release folders; made if it is missing.
        version: `version_of(rows)`.
        rows: Kept candidates of `selection.select`.
        texts: Further files by path within the release, such as the card.
        forms: Names of FORMS to write too.

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
                _fill(unfinished, rows, texts, forms)
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
            for path in sorted(folder.glob(data_files(kind, split))):
                found += [{"kind": kind, "split": split, **row} for row in pq.ParquetFile(path).read(columns=list(_TEXTS)).to_pylist()]
    return found


def _exported(row: Row) -> Row:
    said = (row["messages"], row.get("chosen"), row.get("rejected"))
    return dict(zip(_MESSAGES[row["kind"]], said, strict=False)) | {name: row[name] for name in _TEXTS}


def _fill(folder: Path, rows: Sequence[Row], texts: Mapping[str, str], forms: Sequence[str]) -> None:
    import pyarrow.parquet as pq

    folder.mkdir()
    for (kind, split), group in tables(rows).items():
        for number, shard in enumerate(shards(group)):
            path = folder / kind / f"{split}-{number:05}.parquet"
            path.parent.mkdir(exist_ok=True)
            # Everything that a later pyarrow might choose otherwise is stated.
            pq.write_table(_arrow(kind, shard), path, version="2.6", data_page_version="1.0", compression="zstd", compression_level=3, row_group_size=10_000)
            _write_lines(path.with_suffix(".jsonl"), shard)
            for form in forms:
                turned = [{"id": row["id"], **FORMS[form](row)} for row in shard]
                _write_lines(folder / form / kind / f"{path.stem}.jsonl", turned)
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    sums = "".join(f"{_sha256(folder / name)}  {name}\n" for name in _files(folder))
    (folder / CHECKSUMS).write_text(sums, encoding="utf-8", newline="\n")
    for path in (*folder.rglob("*"), folder):
        _sync(path)
        if path.is_file():
            path.chmod(0o444)


def _write_lines(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as lines:
        for row in rows:
            lines.write(json.dumps(row, ensure_ascii=False).translate(_LINE_ENDS) + "\n")


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
