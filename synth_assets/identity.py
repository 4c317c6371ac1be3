"""Ids and digests: the same content in the same position has the same id on every machine and in every run."""

import hashlib
import json
import random
from collections.abc import Iterable, Mapping
from typing import Any

ID_LENGTH = 20
"""Hexadecimal digits of a row id: 80 bits, so that a collision among a billion rows has a chance of about 4e-7."""


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`, in hexadecimal."""
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()


def row_id(domain: str, stage: str, *position: object) -> str:
    """Id of a row from its domain, stage and everything that tells it from its neighbours (operation, sample, text, parents)."""
    return digest([domain, stage, *[str(p) for p in position]])[:ID_LENGTH]


def data_version(rows: Iterable[Mapping[str, Any]]) -> str:
    """Version of a slice from its content, whatever the order of its rows."""
    return digest(sorted(digest(dict(row)) for row in rows))[:ID_LENGTH]


def seeded(*position: object) -> random.Random:
    """A random source for one decision, the same for the same position on every machine and Python version."""
    return random.Random(digest([str(p) for p in position]))  # noqa: S311 - sampling, not secrets
