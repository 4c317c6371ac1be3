"""The installed packages against what this one asks for."""

import platform
import re
import sqlite3
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from synth_assets import __version__
from synth_assets.health.findings import Finding, fault, well

__all__ = ["examine"]

_SHOWN = ("dagster", "duckdb", "great-expectations", "dbt-core", "anthropic")


def examine() -> Iterator[Finding]:
    """Versions, and what does not fit."""
    wrong = list(_wrong())
    for what in wrong:
        yield fault("packages", what, "install again with the pinned versions: pip install --constraint constraints.txt --editable .")
    if not wrong:
        shown = ", ".join(f"{name} {version(name)}" for name in _SHOWN)
        yield well("packages", f"synth_assets {__version__}, Python {platform.python_version()}, {shown}, SQLite {sqlite3.sqlite_version}")


def _wrong() -> Iterator[str]:
    for text in requires("synth-assets") or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            have = version(requirement.name)
        except PackageNotFoundError:
            yield f"{requirement.name} is not installed"
            continue
        if not requirement.specifier.contains(have, prereleases=True):
            yield f"{requirement.name} is {have}, and this needs {requirement.specifier}"
    family = {re.sub(r"^\d+\.\d+\.", "", version(name)) for name in ("dagster", "dagster-webserver", "dagster-graphql", "dagster-dbt")}
    if len(family) > 1:
        yield "the packages of dagster are not of one patch number"
