"""Dagster on one state folder, in a process of its own that has read these domains: `python -m synth_assets_tests.graph.orchestra`.

Partitions and schedules are read when the definitions load, so tests of the daemon's ticks cannot share the process of pytest. Each line on stdin
is a call as JSON, each line on stdout its result.
"""

import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self


class Orchestra:
    """The caller's side: `orchestra.call("tick")`."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], env=dict(env), cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def call(self, function: str, *arguments: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([function, arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the process ended during {function}"
        return json.loads(line)


def serve() -> None:
    # The results have the real stdout; what libraries print does not disturb them.
    answers, sys.stdout = sys.stdout, sys.stderr
    from synth_assets.home import Home

    Home.from_env().prepare()
    import dagster as dg

    # Once, before any child is forked.
    import great_expectations  # noqa: F401

    from synth_assets.definitions import defs

    with dg.DagsterInstance.get() as instance:
        dagster = _Dagster(defs, instance)
        for line in sys.stdin:
            function, arguments = json.loads(line)
            answers.write(json.dumps(getattr(dagster, function)(*arguments)) + "\n")
            answers.flush()


ORDER = (
    *("benchmarks", "seeds", "generated_instructions", "evolved_instructions", "teacher_responses", "preference_pairs"),
    *("real_data", "filtered", "spot_check", "mixed"),
)


class _Assassin:
    """A watcher that kills its process in one stage: where the teacher answers, after the second answer; elsewhere as it begins, or before its checks."""

    def __init__(self, stage: str) -> None:
        self.stage, self.at, self.replies = stage, "", 0

    def begins(self, domain: str, stage: str, outcome: Any) -> None:
        self.at = stage
        if stage == self.stage and stage in {"seeds", "real_data", "filtered"}:
            self._kill()

    def replied(self, reply: Any) -> None:
        self.replies += self.at == self.stage
        if self.replies == 2:
            self._kill()

    def ends(self, domain: str, stage: str, outcome: Any) -> None:
        if stage == self.stage:
            self._kill()

    def waits(self, *_: Any) -> None: ...

    def said(self, text: str) -> None: ...

    def advanced(self, what: str, done: int, total: int) -> None: ...

    @staticmethod
    def _kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def _die_in(defs: Any, domain: str, stage: str, left: Sequence[str]) -> None:
    import dagster as dg

    from synth_assets.progress import watched
    from synth_assets.warehouse.sidecar import Sidecar

    # A lock is not inherited by a fork.
    Sidecar._of_process.clear()
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dg.DagsterInstance.get() as instance, watched(_Assassin(stage)):
        selection = [dg.AssetKey(name) for name in left]
        # It does not come to its end, or it says why not.
        defs.resolve_job_def("domain").execute_in_process(quiet, instance, partition_key=domain, asset_selection=selection)


def _paths(model: Any, prefix: str) -> Iterator[tuple[Any, str]]:
    """Sections of the model with the beginning of their settings' paths; an item of a list has that of the list."""
    from typing import get_args

    from synth_assets.config_mix import Section

    yield model, prefix
    for name, field in model.model_fields.items():
        todo, inside = [field.annotation], []
        while todo:
            kind = todo.pop()
            todo += get_args(kind)
            inside += [kind] if isinstance(kind, type) and issubclass(kind, Section) else []
        for kind in inside:
            yield from _paths(kind, f"{prefix}{name}.")


class _Dagster:
    def __init__(self, defs: Any, instance: Any) -> None:
        self.defs, self.instance, self.graph = defs, instance, defs.resolve_asset_graph()
        self.cursor: Any = None
        self.cursors: dict[str, str | None] = {}
        self.reads: set[tuple[str, str]] = set()

    def materialize(self, domain: str, assets: Sequence[str]) -> dict[str, Any]:
        """Run these assets, all of the domain's for none; says what was made, and why a step failed."""
        import dagster as dg

        selection = [dg.AssetKey.from_user_string(name) for name in assets] or None
        whole = assets == ["release"]
        job = self.defs.resolve_job_def("release_all" if whole else "domain")
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        arguments: dict[str, Any] = {} if whole else {"partition_key": domain, "asset_selection": selection}
        result = job.execute_in_process(quiet, self.instance, raise_on_error=False, **arguments)
        return {
            "success": result.success,
            "made": [event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key],
            "failed": {event.step_key: str((e.cause or e).message) for event in result.get_step_failure_events() if (e := event.step_failure_data.error)},
        }

    def record(self) -> None:
        """From now on, note which settings of a domain file are read, and by which step."""
        import dagster as dg

        from synth_assets.config import Domain
        from synth_assets.config_mix import Section
        from synth_assets.defs import resources

        paths = dict(_paths(Domain, ""))
        loading: list[bool] = []
        original = Section.__getattribute__

        def noting(section: Any, name: str) -> Any:
            value = original(section, name)
            prefix = paths.get(type(section))
            if not loading and prefix is not None and name in type(section).model_fields and not isinstance(value, Section):
                try:
                    step = dg.OpExecutionContext.get().op.name
                except dg.DagsterInvariantViolationError:
                    step = ""
                self.reads.add((step, f"{prefix}{name}"))
            return value

        def unnoted(load: Any) -> Any:
            def loaded(*arguments: Any) -> Any:
                loading.append(True)
                try:
                    return load(*arguments)
                finally:
                    loading.pop()

            return loaded

        # Reading a file checks all of it, whoever wants a part.
        for name in ("load_domain", "load_domains"):
            setattr(resources, name, unnoted(getattr(resources, name)))
        Section.__getattribute__ = noting  # type: ignore[method-assign]

    def read(self) -> list[tuple[str, str]]:
        """(step, dotted path) of what was read."""
        return sorted(self.reads)

    def killed_in(self, domain: str, stage: str) -> list[str]:
        """Go on with the domain up to `stage`, in a process that is killed in the middle of it; returns the stages that have passed."""
        import multiprocessing

        import dagster as dg

        before = {key.to_user_string() for key in dg.AssetSelection.assets(stage).upstream().resolve(self.graph)}
        wanted = [left for left in self._left(domain) if left in before]
        child = multiprocessing.get_context("fork").Process(target=_die_in, args=(self.defs, domain, stage, wanted))
        child.start()
        child.join()
        assert child.exitcode == -9, f"ended with {child.exitcode}, and was not killed in {stage}"
        return [passed for passed in ORDER if passed not in self._left(domain)]

    def rest(self, domain: str) -> dict[str, Any]:
        """From the failure: everything of the domain that has not passed yet."""
        from synth_assets.run_workers import fail_dead_runs

        return {"dead": len(fail_dead_runs(self.instance)), **self.materialize(domain, self._left(domain))}

    @staticmethod
    def _left(domain: str) -> list[str]:
        from synth_assets.home import Home
        from synth_assets.warehouse import Warehouse

        passed = {stage for stage, of in Warehouse(Home.from_env().warehouse).passed_slices() if of in {domain, ""}}
        return [stage for stage in ORDER if stage not in passed]

    def stale(self, domain: str) -> dict[str, list[str]]:
        """Assets that the UI shows as stale, with its reasons."""
        import dagster as dg
        from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
        from dagster._core.loader import LoadingContextForTest

        from synth_assets.slices import SLICES

        resolver = CachingStaleStatusResolver(self.instance, self.graph, LoadingContextForTest(self.instance))
        found = {}
        for table in SLICES:
            key, partition = dg.AssetKey(table), None if table in {"benchmarks", "release"} else domain
            if resolver.get_status(key, partition) is not StaleStatus.FRESH:
                causes = resolver.get_stale_causes(key, partition)
                found[table] = sorted(cause.dependency.asset_key.to_user_string() if cause.dependency else cause.reason for cause in causes)
        return found

    def tick(self) -> list[str]:
        """One evaluation of all automation conditions, as `follow_changes` makes it; what it asks for."""
        import dagster as dg

        with warnings.catch_warnings():
            # Dagster's own tester uses what is in beta.
            warnings.filterwarnings("ignore", category=dg.BetaWarning)
            result = dg.evaluate_automation_conditions(self.defs, self.instance, cursor=self.cursor)
        self.cursor = result.cursor
        return sorted({r.key.to_user_string() for r in result.results if not r.true_subset.is_empty})

    def sensor(self, name: str) -> dict[str, Any]:
        """One tick of a sensor."""
        import dagster as dg

        repository = self.defs.get_repository_def()
        with dg.build_sensor_context(self.instance, cursor=self.cursors.get(name), definitions=self.defs, resources=dict(self.defs.resources)) as context:
            data = repository.get_sensor_def(name).evaluate_tick(context)
        self.cursors[name] = data.cursor
        requests = [
            {"partition": r.partition_key, "assets": sorted(k.to_user_string() for k in r.asset_selection or []), "key": r.run_key}
            for r in data.run_requests or []
        ]
        return {"requests": requests, "skip": data.skip_message}

    def schedule(self, name: str, at: str) -> dict[str, Any]:
        """One tick of a schedule at an ISO 8601 time."""
        import dagster as dg

        repository = self.defs.get_repository_def()
        context = dg.build_schedule_context(self.instance, scheduled_execution_time=datetime.fromisoformat(at), repository_def=repository)
        data = repository.get_schedule_def(name).evaluate_tick(context)
        return {"requests": [{"partition": r.partition_key, "key": r.run_key} for r in data.run_requests or []], "skip": data.skip_message}

    def listed(self) -> list[dict[str, Any]]:
        """Every schedule and sensor with what the UI shows of it."""
        repository = self.defs.get_repository_def()
        return [
            {
                "name": d.name,
                "description": d.description or "",
                "on": d.default_status.value == "RUNNING",
                "cron": getattr(d, "cron_schedule", None),
                "timezone": getattr(d, "execution_timezone", None),
            }
            for d in [*repository.schedule_defs, *repository.sensor_defs]
        ]

    def freshness(self, hours: float) -> str:
        """What the freshness daemon says of the release when it was made so many hours ago."""
        import asyncio
        from unittest.mock import patch

        import dagster as dg
        from dagster._core.definitions import freshness_evaluator
        from dagster._core.loader import LoadingContextForTest
        from dagster._time import get_current_timestamp

        node = self.graph.get(dg.AssetKey("release"))
        evaluator = freshness_evaluator.FRESHNESS_EVALUATORS_BY_POLICY_TYPE[type(node.freshness_policy_or_from_metadata)]()
        with patch.object(freshness_evaluator, "get_current_timestamp", lambda: get_current_timestamp() + 3600 * hours):
            return str(asyncio.run(evaluator.evaluate_freshness(LoadingContextForTest(self.instance), node)).value)


if __name__ == "__main__":
    serve()
