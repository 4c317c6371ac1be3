"""A data file row by row, as often as it is needed, in memory that does not grow with it: JSON Lines, compressed or not, and Parquet.

A line that is no row comes with the reason and takes nothing else down. The bytes of a good line are kept, so that what passes the gates is written
exactly as it came. Invariant: two passes over one file see the same rows, or the second one stops.
"""

import bz2
import gzip
import hashlib
import json
import lzma
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from synth_assets.errors import ScreenError
from synth_assets.faults import closest, quoted

__all__ = ["Line", "Source", "as_json"]

LINE_LIMIT = 32_000_000
"""Bytes of a line at most: a file without any line break must not be read into memory."""

_BATCH = 1_000
"""Rows of a Parquet file that are held at once."""

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_LINES = (".jsonl", ".ndjson", ".json")


class Line(NamedTuple):
    """One line of a file, or one row of a Parquet file."""

    number: int
    """From 1; blank lines count and are not returned."""
    row: dict[str, Any] | None
    raw: bytes
    """As it stood, without its line break, cut where it is too long; JSON of a Parquet row."""
    fault: str
    """Why there is no row; empty where there is one."""
    done: float
    """Share of the file that was read, 0 to 1."""


@dataclass(frozen=True)
class Source:
    """One file and its form."""

    path: Path
    form: str
    """jsonl or parquet."""

    @classmethod
    def of(cls, path: Path) -> "Source":
        """The source at `path`; raises ScreenError where there is no file that we read."""
        if not path.is_file():
            if path.is_dir():
                raise ScreenError(f"{path}: a folder, not a file. Name one file in it; screen reads one at a time.")
            if path.exists():
                raise ScreenError(f"{path}: not a regular file. screen reads a file twice: save the stream to a file first.")
            beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
            near = closest(path.name, beside, likeness=0.85)
            raise ScreenError(f"{path}: there is no such file.{f' Did you mean {quoted(near)}?' if near else ''}")
        suffixes = [s.lower() for s in path.suffixes[-2:]]
        last = suffixes[-2] if suffixes and suffixes[-1] in _OPENERS and len(suffixes) > 1 else suffixes[-1] if suffixes else ""
        if last in (".parquet", ".pq"):
            return cls(path, "parquet")
        if last in _LINES:
            return cls(path, "jsonl")
        raise ScreenError(f"{path}: the name does not say what it is. Call it .jsonl (also .jsonl.gz, .bz2, .xz), .ndjson, .json or .parquet.")

    def digest(self) -> str:
        """SHA-256 of the file's bytes, in hexadecimal."""
        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ScreenError(f"{self.path}: cannot be read ({error.strerror or error}).") from error

    def lines(self) -> Iterator[Line]:
        """Every line in order, good and bad; raises ScreenError where the file as a whole cannot be read, or changes meanwhile."""
        before = self.path.stat()
        try:
            yield from self._parquet() if self.form == "parquet" else self._json_lines()
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise ScreenError(f"{self.path}: cannot be read to its end ({error}). If it is compressed, compress it again.") from error
        after = self.path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise ScreenError(f"{self.path}: was changed while it was read. Run the command again when nothing writes to it.")

    def _json_lines(self) -> Iterator[Line]:
        size = max(self.path.stat().st_size, 1)
        with self.path.open("rb") as stored:
            opener = _OPENERS.get(self.path.suffix.lower())
            file: IO[bytes] = opener(stored, "rb") if opener else stored
            number = 0
            while raw := file.readline(LINE_LIMIT + 1):
                number += 1
                done = min(1.0, stored.tell() / size)
                if len(raw) > LINE_LIMIT and not raw.endswith(b"\n"):
                    while len(rest := file.readline(LINE_LIMIT)) == LINE_LIMIT and not rest.endswith(b"\n"):
                        pass
                    yield Line(number, None, raw[:1_000], f"longer than {LINE_LIMIT} bytes", done)
                    continue
                if number == 1:
                    raw = raw.removeprefix(b"\xef\xbb\xbf")
                    self._refuse_other_forms(raw)
                raw = raw.rstrip(b"\r\n")
                if raw.strip():
                    row, fault = _object(raw)
                    yield Line(number, row, raw, fault, done)

    def _refuse_other_forms(self, first: bytes) -> None:
        if first.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise ScreenError(f"{self.path}: UTF-16, not UTF-8. Save it as UTF-8.")
        if first.startswith(b"PAR1"):
            raise ScreenError(f"{self.path}: a Parquet file by its content. Call it .parquet.")
        if first.lstrip().startswith(b"[") and (first.strip() == b"[" or first.lstrip()[1:].lstrip().startswith((b"{", b"]"))):
            raise ScreenError(
                f"{self.path}: a JSON array, not JSON Lines. Write every object on a line of its own, for instance with: "
                f"jq -c '.[]' {self.path.name} > rows.jsonl"
            )

    def _parquet(self) -> Iterator[Line]:
        import pyarrow
        import pyarrow.parquet

        try:
            with pyarrow.parquet.ParquetFile(self.path) as file:
                rows = max(file.metadata.num_rows, 1)
                number = 0
                for batch in file.iter_batches(batch_size=_BATCH):
                    for row in batch.to_pylist():
                        number += 1
                        yield Line(number, row, as_json(row), "", number / rows)
        except pyarrow.ArrowException as error:
            raise ScreenError(f"{self.path}: cannot be read as Parquet ({str(error).splitlines()[0]}).") from error


def as_json(value: Any) -> bytes:
    """`value` as one line of JSON in UTF-8; what JSON has no form for becomes text, and a number that is none becomes null."""
    return json.dumps(_plain(value), ensure_ascii=False).encode("utf-8", "backslashreplace")


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case bytes():
            return value.decode("utf-8", "backslashreplace")
    return str(value)


def _object(raw: bytes) -> tuple[dict[str, Any] | None, str]:
    """The JSON object on a line, or why there is none."""
    try:
        value = json.loads(raw.decode())
    except UnicodeDecodeError as error:
        return None, f"not UTF-8: byte 0x{raw[error.start]:02x} at byte {error.start + 1}"
    except json.JSONDecodeError as error:
        return None, f"not JSON at column {error.colno}: {error.msg}"
    except RecursionError:
        return None, "JSON that is nested too deep"
    except ValueError:
        return None, "a number with too many digits"
    return (value, "") if isinstance(value, dict) else (None, "JSON, but not an object")
