"""`synth-assets run`: domains through the same Dagster instance as the UI, in this process, with progress and a summary.

Every domain is one Dagster run; then one run makes the release and one the dbt models and the report. A broken domain file, or a language
that the teacher does not know, is that domain's failure and not the others'. Invariant: the exit status is 0 only when every run
succeeded and every blocking check passed.
"""

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, Any

from synth_assets.domain_files import LoadedDomain, domains_folder, load_domains
from synth_assets.errors import ConfigError, LanguageUnsupported, SynthError, TeacherStopped
from synth_assets.expectations import aside
from synth_assets.home import Home
from synth_assets.progress import watched
from synth_assets.terminal import Display, summary

if TYPE_CHECKING:
    import dagster as dg

    from synth_assets.config import Domain
    from synth_assets.teacher.choice import Choice
    from synth_assets.waves.standing import Standing

__all__ = ["RunReport", "chosen_domains", "make_release", "run_domains"]

FAILED, FAULT, WAITING, STOPPED = 1, 2, 75, 130
"""75 is EX_TEMPFAIL of sysexits.h: the same command again, later."""
WITHOUT_TEACHER = frozenset({"benchmarks", "seeds", "real_data"})
"""Stages before which nothing is asked."""


@dataclass
class RunReport:
    """What a whole `synth-assets run` did."""

    seconds: float = 0.0
    domains: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    """Domain, or the name of the step after them, to why it failed."""
    checks: list[tuple[str, str, str, bool, bool]] = field(default_factory=list)
    """(domain, asset, check, passed, blocking) of every check that ran."""
    waiting: dict[str, list[str]] = field(default_factory=dict)
    """Message Batches that have not ended, by domain: these domains are no part of the release."""
    standings: "dict[str, Standing]" = field(default_factory=dict)
    """By domain, its accepted rows against its targets; without the domains of which nothing was filtered yet."""
    stopped: bool = False
    """Whether the teacher cannot go on, for any domain."""
    calls_made: int = 0
    """Teacher calls that were paid or computed in this run; what the ledger had does not count."""
    release: str = ""
    """Folder of the release; empty when none was made."""
    report: str = ""
    """Path of the quality report; empty when none was made."""

    @property
    def ok(self) -> bool:
        """Whether nothing failed and no blocking check did."""
        return not self.failures and all(passed or not blocking for _, _, _, passed, blocking in self.checks)


def run_domains(wanted: Sequence[str], to: str | None, *, top_up: bool = False) -> int:
    """Run `wanted` domains (all for none) up to stage `to`, print what happens, and return the exit status.

    With `top_up` each goes on with more waves of candidates while it is short of its targets and something may still come of it.
    """
    started = time.monotonic()
    home = Home.from_env()
    os.environ["SYNTH_HOME"] = str(home.root)
    selected, broken = chosen_domains(wanted)
    chosen = list(selected)
    if to not in WITHOUT_TEACHER:
        from synth_assets.forecast.estimate import require_budget

        require_budget(home, os.environ, list(selected.values()))
    report = RunReport(domains=chosen)
    report.failures |= {name: str(error) for name, error in broken.items()}
    display = Display()
    choice = choose_teacher()
    display.say(choice.announcement)
    for name in chosen:
        try:
            choice.check_language(name, selected[name].config.language)
        except LanguageUnsupported as error:
            report.failures[name] = str(error)
            display.say(f"Not run: {error}")
        if selected[name].config.methods.magpie is not None and (refusal := choice.refuses_magpie(name)):
            display.say(refusal)
    with explained_storage(home):
        home.prepare()
    try:
        # dbt and Dagster write to the terminal by themselves; what they say is in the run's log.
        with explained_storage(home), _quiet_logs(), redirect_stdout(StringIO()), display, watched(display):
            if able := [selected[name].config for name in chosen if name not in report.failures]:
                with aside.standing_by():
                    _materialize(able, to, report, display, top_up=top_up)
    except KeyboardInterrupt:
        display.say("Stopped. What the teacher answered is in the ledger: the same command goes on from there.")
        return STOPPED
    report.seconds = time.monotonic() - started
    report.calls_made = display.calls_made
    if home.warehouse.exists():
        from synth_assets.warehouse import Warehouse
        from synth_assets.waves.standing import standing_now

        database = Warehouse(home.warehouse, linger=1.0)
        found = {name: standing_now(database, selected[name].config) for name in chosen}
        report.standings = {name: standing for name, standing in found.items() if standing is not None}
    summary(report, home, display)
    return FAILED if not report.ok else WAITING if report.waiting else 0


def make_release(order: str, forms: Sequence[str], *, remix: bool = False) -> int:
    """Make a release of what the warehouse has, print what it is, and return the exit status; `remix` mixes the domains anew before."""
    import dagster as dg

    started = time.monotonic()
    home = Home.from_env()
    os.environ["SYNTH_HOME"] = str(home.root)
    home.prepare()
    report = RunReport()
    with _quiet_logs(), redirect_stdout(StringIO()), dg.DagsterInstance.get() as instance:
        from synth_assets.definitions import defs
        from synth_assets.defs.settings import of_table
        from synth_assets.warehouse import Warehouse

        gated = Warehouse(home.warehouse)
        # A domain that never came to the gates has nothing to mix.
        for domain in [name for name in load_domains(domains_folder())[0] if gated.latest("filtered", name) is not None] if remix else ():
            # Its real rows and its gates stand: only the share, the caps and the sample are decided anew.
            _execute(instance, defs.resolve_job_def("domain"), domain, report, partition_key=domain, asset_selection=[of_table("mixed"), dg.AssetKey("mixed")])
        config = {**_CONFIG, "ops": {"release": {"config": {"order": order, "forms": list(forms)}}}}
        metadata = _execute(instance, defs.resolve_job_def("release_all"), "release", report, run_config=config)
    for name, why in report.failures.items():
        print(f"FAILED {name}: {why}")
    for _, asset, check, _, _ in (check for check in report.checks if not check[3] and check[4]):
        print(f"FAILED {asset}: {check}")
    if path := str(metadata.get("release", {}).get("path", "")):
        print(f"Release: {path}")
    print(f"Time: {time.monotonic() - started:.0f} s, no teacher call.")
    return 0 if report.ok else FAILED


def chosen_domains(wanted: Sequence[str]) -> tuple[dict[str, LoadedDomain], dict[str, ConfigError]]:
    """The domains of `wanted` by name (all for none), and the errors of those that cannot be used where all were wanted.

    Raises:
        SynthError: one of `wanted` is not there.
        ConfigError: one of `wanted`, or every domain, cannot be used.
    """
    folder = domains_folder()
    loaded, broken = load_domains(folder)
    unknown = [name for name in wanted if name not in loaded and name not in broken]
    if unknown:
        own = "" if os.environ.get("SYNTH_DOMAINS", "").strip() else " Domains of your own are looked for where SYNTH_DOMAINS says; it is not set."
        raise SynthError(f"no domain {unknown[0]!r} in {folder}; there are: {', '.join(sorted({*loaded, *broken})) or 'none'}.{own}")
    if any(name in broken for name in wanted) or not loaded:
        raise ConfigError([problem for name, error in broken.items() if not wanted or name in wanted for problem in error.problems])
    return {name: loaded[name] for name in wanted or sorted(loaded)}, {} if wanted else broken


def choose_teacher() -> "Choice":
    """Which teacher will answer, and why; raises where none can."""
    from synth_assets.teacher.choice import choose

    return choose()


def _materialize(chosen: "Sequence[Domain]", to: str | None, report: RunReport, display: Display, *, top_up: bool = False) -> None:
    import dagster as dg

    from synth_assets.definitions import defs
    from synth_assets.defs import dbt
    from synth_assets.defs.jobs import OF_A_DOMAIN
    from synth_assets.run_workers import fail_dead_runs

    with dg.DagsterInstance.get() as instance, dbt.standing_by(Home.from_env().warehouse) if to is None else nullcontext():
        fail_dead_runs(instance)
        for domain in chosen:
            selection = None
            if to is not None:
                upstream = dg.AssetSelection.assets(to).upstream() & OF_A_DOMAIN
                selection = sorted(upstream.resolve(defs.resolve_asset_graph()), key=str)
            last = _to_target(instance, defs.resolve_job_def("domain"), domain, selection, display, top_up=top_up)
            report.failures |= last.failures
            report.checks += last.checks
            report.stopped = last.stopped
            if report.stopped:
                # What stops the teacher for one domain stops it for all: the key, the budget, the endpoint.
                break
        report.waiting = dict(display.waiting)
        if to is None and {domain.name for domain in chosen} - set(report.failures) - set(report.waiting):
            metadata = _execute(instance, defs.resolve_job_def("release_all"), "release", report)
            report.release = str(metadata.get("release", {}).get("path", ""))
            metadata = _execute(instance, defs.resolve_job_def("quality"), "quality", report)
            report.report = str(metadata.get("quality_report", {}).get("path", ""))


def _to_target(
    instance: "dg.DagsterInstance", job: "dg.JobDefinition", domain: "Domain", selection: "Sequence[dg.AssetKey] | None", display: Display, *, top_up: bool
) -> RunReport:
    """Run a domain once, or with `top_up` until it has what it wants or nothing more comes of it; returns what the last run did."""
    from synth_assets.defs.waves import TAG
    from synth_assets.warehouse import Warehouse
    from synth_assets.waves.standing import standing_now

    seen: set[str] = set()
    tags: dict[str, str] = {}
    while True:
        # Of an earlier step only its rows count: that it was short may be a blocking check, which the next one passes.
        report = RunReport()
        _execute(instance, job, domain.name, report, partition_key=domain.name, asset_selection=selection, tags=tags)
        if not top_up or report.stopped or domain.name in display.waiting:
            return report
        found = standing_now(Warehouse(Home.from_env().warehouse), domain)
        if found is None or found.following is None or found.run_id in seen:
            return report
        seen.add(found.run_id)
        tags = {TAG: str(found.following)}
        display.say(f"{domain.name}: {found.words}")


def _execute(instance: "dg.DagsterInstance", job: "dg.JobDefinition", name: str, report: RunReport, **arguments: Any) -> dict[str, dict[str, Any]]:
    """Execute one job; its checks and its failure go into `report`. Returns metadata by asset."""
    import dagster as dg

    try:
        result = job.execute_in_process(instance=instance, raise_on_error=False, **{"run_config": _CONFIG} | arguments)
    except dg.DagsterExecutionInterruptedError as stop:
        raise KeyboardInterrupt from stop
    for evaluation in result.get_asset_check_evaluations():
        blocking = evaluation.severity is dg.AssetCheckSeverity.ERROR
        report.checks.append((name, evaluation.asset_key.to_user_string(), evaluation.check_name, evaluation.passed, blocking))
    for event in result.get_step_failure_events():
        error = event.step_failure_data.error
        cause = (error.cause or error) if error is not None else None
        if error is not None and {error.cls_name, cause.cls_name if cause else None} & _INTERRUPTS:
            raise KeyboardInterrupt
        if cause is None or cause.cls_name == "DagsterAssetCheckFailedError":
            continue
        report.stopped = report.stopped or cause.cls_name in _STOPPING
        report.failures.setdefault(name, f"{event.step_key}: {cause.message.strip().removeprefix('synth_assets.errors.')}")
    if not result.success:
        report.failures.setdefault(name, "a blocking check failed, or an input was not there")
    return {
        event.asset_key.to_user_string(): {key: value.value for key, value in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


_CONFIG = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_INTERRUPTS = {"DagsterExecutionInterruptedError", "KeyboardInterrupt"}
_STOPPING = {kind.__name__ for kind in (TeacherStopped, *TeacherStopped.__subclasses__())}


@contextmanager
def explained_storage(home: Home) -> Iterator[None]:
    """Turn what Dagster's own SQLite files raise (a full disk, a damaged file) into a message."""
    import sqlite3

    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        said = str(error.__cause__ or error).splitlines()[0]
        raise SynthError(
            f"Dagster's own files in {home.dagster} cannot be used: {said}. See that the disk is not full; `synth-assets doctor` says what is wrong. "
            "Rows, replies and verdicts stand, and the same command goes on from there."
        ) from error


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Dagster's own console lines off while the display draws."""
    logger = logging.getLogger("dagster")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
