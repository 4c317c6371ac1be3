"""The dbt project over the warehouse's tables, as Dagster assets and checks: one unpartitioned run under the warehouse's lock.

Dagster needs dbt's manifest to know the models. It is made here, by `dbt compile`, when it is missing or older than what it is made from, and
is never committed. Its compiled SQL also gives a release its report without another start of dbt (7 s). Invariant: while dbt runs, nobody else
has the warehouse open.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time
from typing import Any, cast

import dagster as dg
from filelock import FileLock
from packaging.version import Version

from synth_assets.defs.dbt_standby import Standby
from synth_assets.defs.resources import WarehouseResource
from synth_assets.errors import SynthError
from synth_assets.quality.findings import one_line

# dagster-dbt takes its few names from dbt where there is one, and has its own where dbt is another program, as here: dbt builds in a process of its
# own. Loading it into every process that knows the assets took 2.4 s of each.
_dbt = sys.modules.get("dbt")
sys.modules["dbt"] = cast(Any, None)  # which Python takes for one that cannot be imported
try:
    from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation, DbtCliResource, DbtProject, dbt_assets
finally:
    del sys.modules["dbt"]
    if _dbt is not None:
        sys.modules["dbt"] = _dbt

__all__ = ["DBT", "PROJECT", "LocalDbt", "dbt_resource", "marts_sql", "prepare", "quality_models", "standing_by"]

DBT = Path(sys.executable).with_name("dbt")
"""The dbt of this virtual environment, whether or not that is activated."""

PROJECT = DbtProject(Path(__file__).parents[2] / "dbt_quality", target_path=os.environ.get("DBT_TARGET_PATH", "target"))
"""The project, with its profile; artifacts in its `target/`, or where DBT_TARGET_PATH says."""

BUILD = PROJECT.manifest_path.parent / "build"
"""One folder for all builds, so that each finds what the last one parsed and none is left behind."""

TRANSLATOR = DagsterDbtTranslator()
"""One, because it remembers the specs that it made: a new one for each of dbt's events made all of them again (3 s a build)."""

ARGUMENTS = [
    # Twice the file's own time goes into formatting dbt's debug log, and half a second into artifacts that nobody reads (measured: 8.4 s of
    # processor time with both, 5.7 s without). What dbt prints is in the run's own log.
    "--log-level-file=none",
    "--no-write-json",
    "build",
]


class LocalDbt(DbtCliResource):  # type: ignore[misc]
    """The dbt of this virtual environment, the one that stands by if there is one, without two things that the base class does before every build.

    It learns dbt's version from `dbt --version`, which asks the package index for newer ones (3.6 s), and loads dbt into this process too, for
    row counts that are not asked for (1.7 s).
    """

    def cli(self, args: Sequence[str], *, context: Any = None, **options: Any) -> DbtCliInvocation:
        """A build of the whole project is that of the dbt that stands by; another, or another command, is its own process."""
        ready = _standby if list(args) == ARGUMENTS and context is not None and not context.is_subset else None
        process = ready.begin() if ready is not None else None
        if process is None:
            return super().cli(args, context=context, **options)
        about = {"manifest": MANIFEST, "dagster_dbt_translator": TRANSLATOR, "project": PROJECT, "project_dir": PROJECT.project_dir}
        return DbtCliInvocation(process=process, **about, target_path=BUILD, raise_on_error=True, context=context, cli_version=self._cli_version)

    @cached_property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:
        return None


def dbt_resource() -> LocalDbt:
    """The resource `dbt`."""
    return LocalDbt(project_dir=PROJECT, dbt_executable=str(DBT))


_standby: Standby | None = None


@contextmanager
def standing_by(warehouse: Path) -> Iterator[None]:
    """A dbt stands by, for the first build of this warehouse in the block."""
    global _standby
    env = os.environ | {
        # As DbtCliResource has it.
        "DAGSTER_DBT_CLI": "true",
        "PYTHONUNBUFFERED": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_LOG_FORMAT": "json",
        "DBT_TARGET_PATH": str(BUILD),
        "DBT_LOG_PATH": str(BUILD),
        "DBT_PROFILES_DIR": str(PROJECT.profiles_dir),
        "DBT_PROJECT_DIR": str(PROJECT.project_dir),
        "SYNTH_WAREHOUSE": str(warehouse),
    }
    _standby = Standby(ARGUMENTS, PROJECT.project_dir, env)
    try:
        yield
    finally:
        _standby.close()
        _standby = None


def prepare(project: DbtProject) -> Path:
    """Path of a manifest that is no older than the project's files and dbt itself; compiles the models if need be (10 s).

    Raises:
        SynthError: dbt cannot compile the project; the message holds what dbt said.
    """
    manifest: Path = project.manifest_path
    manifest.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(manifest.with_suffix(".lock")):
        if not manifest.exists() or manifest.stat().st_mtime < _changed(project.project_dir):
            _compile(project, manifest)
    return manifest


def _changed(folder: Path) -> float:
    """When anything that the manifest is made from was last changed: a folder changes when a file in it is deleted."""
    trees = [folder / name for name in ("models", "macros", "tests")]
    sources = [Path(__file__), DBT, folder / "dbt_project.yml", folder / "profiles.yml", *trees, *(p for tree in trees for p in tree.rglob("*"))]
    return max(source.stat().st_mtime for source in sources)


def _compile(project: DbtProject, manifest: Path) -> None:
    started, made = time(), manifest.parent / "compile"
    made.mkdir(exist_ok=True)
    select = ["--select", "resource_type:model"]
    command = [str(DBT), "--quiet", "--no-use-colors", "--log-level-file=none", "compile", *select, "--target-path", str(made)]
    # No model asks the warehouse anything while it is compiled, but dbt opens one: an empty one, whose stem is the database's name in the SQL.
    with TemporaryDirectory() as folder:
        env = os.environ | {"DBT_PROFILES_DIR": str(project.profiles_dir), "SYNTH_WAREHOUSE": str(Path(folder) / "warehouse.duckdb")}
        done = subprocess.run(command, cwd=project.project_dir, env=env, capture_output=True, text=True, check=False)  # noqa: S603 - no outside input
    if done.returncode:
        raise SynthError(f"dbt cannot compile {project.project_dir}: {done.stdout.strip()} {done.stderr.strip()}")
    # As old as its beginning: a file that was changed meanwhile is newer.
    os.utime(made / "manifest.json", (started, started))
    (made / "manifest.json").replace(manifest)


def marts_sql(marts: Sequence[str]) -> list[str]:
    """Statements that make these marts, and before them all models that they are made from, in an empty schema."""
    nodes = {identity: node for identity, node in MANIFEST["nodes"].items() if node["resource_type"] == "model"}
    found: dict[str, str] = {}

    def add(identity: str) -> None:
        if identity in nodes and identity not in found:
            for parent in nodes[identity]["depends_on"]["nodes"]:
                add(parent)
            node = nodes[identity]
            found[identity] = f"create {node['config']['materialized']} {node['relation_name']} as {node['compiled_code']}"

    for identity, node in nodes.items():
        if node["name"] in marts:
            add(identity)
    return list(found.values())


def with_unit_tests(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest with a data test in the place of every unit test, which dagster-dbt 0.29 leaves out of its asset checks."""
    for identity, test in manifest["unit_tests"].items():
        model = test["depends_on"]["nodes"][0]
        stand_in = f"test.{identity}"
        shared = {name: test[name] for name in ("name", "package_name", "path", "original_file_path", "fqn", "description", "depends_on")}
        settings = {"severity": "error", "enabled": True, "meta": {}, "tags": []}
        about = {"description": f"Unit test of the SQL: {test['description']}"}
        manifest["nodes"][stand_in] = shared | {
            "unique_id": stand_in,
            "resource_type": "test",
            "attached_node": model,
            "config": settings,
            "meta": about,
            "tags": [],
        }
        manifest["parent_map"][stand_in] = [model]
        manifest["child_map"][stand_in] = []
        manifest["child_map"][model].append(stand_in)
    return manifest


def unit_test_result(event: Any) -> dg.AssetCheckResult | None:
    """The result of a unit test, if that is what dbt tells."""
    about = event.raw_event["data"].get("node_info", {})
    if event.raw_event["info"]["name"] != "LogTestResult" or about.get("resource_type") != "unit_test":
        return None
    model = MANIFEST["nodes"][MANIFEST["unit_tests"][about["unique_id"]]["depends_on"]["nodes"][0]]
    key = TRANSLATOR.get_asset_key(model)
    status = event.raw_event["data"]["status"]
    said = {"status": status, "message": one_line(str(event.raw_event["info"]["msg"]), 300)}
    return dg.AssetCheckResult(asset_key=key, check_name=about["node_name"], passed=status == "pass", metadata=said)


MANIFEST = with_unit_tests(json.loads(prepare(PROJECT).read_text(encoding="utf-8")))


@dbt_assets(manifest=MANIFEST, project=PROJECT, dagster_dbt_translator=TRANSLATOR, name="quality_models")  # type: ignore[untyped-decorator]
def quality_models(context: dg.AssetExecutionContext, dbt: LocalDbt, warehouse: WarehouseResource) -> Iterator[Any]:
    """`dbt build`: staging views, marts, their data tests and the unit tests of their SQL. A failed test is a failed blocking check of its model."""
    database = warehouse.open()
    database.query("select 1")  # the first access makes the tables, or brings them up to date
    with database.exclusive():
        # dbt's profile reads the path from the environment, and DbtCliResource hands this process's on.
        os.environ["SYNTH_WAREHOUSE"] = str(database.path)
        invocation = dbt.cli(ARGUMENTS, context=context, target_path=BUILD)
        for event in invocation.stream_raw_events():
            result = unit_test_result(event)
            if result is not None:
                yield result
            yield from event.to_default_asset_events(MANIFEST, TRANSLATOR, context, BUILD, PROJECT)
