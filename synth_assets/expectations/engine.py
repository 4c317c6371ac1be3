"""Runs expectations over a frame: the only module that imports Great Expectations, and only when it is called.

Pandas route, ephemeral context: DuckDB behind its SQL route fails on every expectation (list index out of range), and would hold the file.
Invariant: a verdict holds counts, bounds and row ids, never a text of the data.
"""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from synth_assets.expectations.forms import Expectation
from synth_assets.expectations.verdict import ROW_IDS, Verdict
from synth_assets.quality.findings import one_line

if TYPE_CHECKING:
    import pandas

__all__ = ["evaluate", "load", "made"]

_SHOWN = 200
"""Characters of an error at most."""


@cache
def _library() -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 1.24 imports sre_constants
        import great_expectations
        import great_expectations.expectations
    return great_expectations


@cache
def _context() -> Any:
    """One for the process: each makes a folder for documents that are never written."""
    context = _library().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context


_one_at_a_time = Lock()
"""The library keeps its present context in a global variable."""


def load() -> None:
    """Import the library, which takes 3 to 5 s once, and make its context."""
    _context()


def made(expectation: Expectation) -> Any:
    """The library's own object; raises what it raises."""
    return getattr(_library().expectations, expectation.type)(**expectation.given)


def evaluate(*work: tuple["pandas.DataFrame", Mapping[str, Expectation]]) -> dict[str, Verdict]:
    """A verdict per expectation, by its name here, over pairs of a frame and its expectations.

    Names differ across all frames. An expectation that cannot be evaluated has a verdict with an error; nothing is raised for it.
    """
    verdicts: dict[str, Verdict] = {}
    with _one_at_a_time:
        for frame, expected in work:
            expectations: dict[str, Any] = {}
            for name, expectation in expected.items():
                try:
                    expectations[name] = made(expectation)
                except Exception as error:  # noqa: BLE001 - a limit that is none must not break the other checks
                    verdicts[name] = Verdict(False, expectation.type, "not evaluated", error=one_line(f"{type(error).__name__}: {error}", _SHOWN))
            found = _results(frame, expectations, {"result_format": "BASIC", "partial_unexpected_count": 0})
            # Where rows differ: the library finds out which for every expectation that it is asked to, met or not, in half of its time.
            differing = {name: expectations[name] for name, result in found.items() if result.result.get("unexpected_count")}
            if differing and "id" in frame.columns:
                wanted = {"result_format": "SUMMARY", "partial_unexpected_count": ROW_IDS, "unexpected_index_column_names": ["id"]}
                found |= _results(frame, differing, wanted)
            verdicts |= {name: _verdict(result, len(frame)) for name, result in found.items()}
    return verdicts


def _results(frame: "pandas.DataFrame", expectations: Mapping[str, Any], result_format: Mapping[str, Any]) -> dict[str, Any]:
    """The library's own results, by the expectations' names.

    Its validator is asked without a data source: that one pickles every frame to name it, keeps it until it is deleted, and writes down the
    whole project at each step, which took half the time of a small stage.
    """
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.validator.validator import Validator

    if not expectations:
        return {}
    # Results come back in another order, so each carries its name.
    named = [expectation.copy(update={"meta": {"name": name}}).configuration for name, expectation in expectations.items()]
    validator = Validator(PandasExecutionEngine(batch_data_dict={"rows": frame}), data_context=_context())
    with _configured_once():
        results = validator.graph_validate(configurations=named, runtime_configuration={"result_format": dict(result_format)})
    return {result.expectation_config.meta["name"]: result for result in results}


@contextmanager
def _configured_once() -> Iterator[None]:
    """Inside, an expectation's configuration is made once. The library makes it anew each time that it looks, about 100 times per expectation, which took
    two fifths of a validation. Nothing changes an expectation meanwhile, and one thread at a time is here.
    """
    expectation = _library().expectations.Expectation
    made = expectation.configuration
    # With the expectation itself, so that no other one gets its number.
    kept: dict[int, tuple[Any, Any]] = {}

    def configuration(self: Any) -> Any:
        if id(self) not in kept:
            kept[id(self)] = self, made.fget(self)
        return kept[id(self)][1]

    expectation.configuration = property(configuration)
    try:
        yield
    finally:
        expectation.configuration = made


def _verdict(result: Any, rows: int) -> Verdict:
    expected = _in_words(result.expectation_config)
    found = dict(result.result)
    error = _error(result.exception_info or {})
    if error or not (found or result.success):
        return Verdict(False, expected, "not evaluated", error=error or "no result came back")
    if "unexpected_count" in found:
        count = int(found["unexpected_count"])
        ids = (str(entry.get("id")) for entry in found.get("partial_unexpected_index_list") or () if isinstance(entry, dict))
        return Verdict(bool(result.success), expected, f"{count} of {rows} rows differ", count, tuple(dict.fromkeys(ids))[:ROW_IDS])
    missing = found.get("details", {}).get("mismatched", {}).get("missing", [])
    if missing:
        return Verdict(bool(result.success), expected, f"missing: {', '.join(missing)}", len(missing))
    seen = found.get("observed_value")
    return Verdict(bool(result.success), expected, f"{len(seen)} columns" if isinstance(seen, list) else f"{seen} rows")


def _error(info: Mapping[str, Any]) -> str:
    """The message of an exception: flat where there was none, by metric where there was one."""
    entries = [info] if "raised_exception" in info else [entry for entry in info.values() if isinstance(entry, Mapping)]
    return next((one_line(str(entry.get("exception_message")), _SHOWN) for entry in entries if entry.get("raised_exception")), "")


def _in_words(config: Any) -> str:
    """The expectation's type and what it was given. The library's own renderer takes 10 ms each, for little more."""
    given = {name: value for name, value in config.kwargs.items() if name != "batch_id"}
    return f"{config.type}: " + ", ".join(f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}" for name, value in given.items())
