"""What is imported when: the command line answers at once, and the code location loads nothing heavy."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "sentence_transformers", "great_expectations", "anthropic", "transformers", "math_verify", "xllamacpp", "datasets", "dbt.cli")


def loaded_by(module: str, *names: str) -> list[str]:
    """Which of `names` a fresh interpreter has loaded after importing `module`."""
    code = f"import sys, {module}; print(*[n for n in {names!r} if n in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100).stdout.split()


def test_help_needs_nothing_heavy() -> None:
    assert loaded_by("synth_assets.cli", *HEAVY, "dagster", "duckdb", "pandas", "numpy", "rich", "pydantic", "yaml") == []


def test_the_code_location_needs_nothing_heavy() -> None:
    assert loaded_by("synth_assets.definitions", *HEAVY) == []


@pytest.mark.parametrize(
    ("package", "unknown"), [("methods", "dagster duckdb"), ("quality", "dagster duckdb"), ("expectations", "dagster"), ("release", "dagster")]
)
def test_the_pure_rooms_do_not_know_the_platform(package: str, unknown: str) -> None:
    code = (
        "import sys, pkgutil, importlib; "
        f"import synth_assets.{package} as room; "
        "[importlib.import_module(f'{room.__name__}.{m.name}') for m in pkgutil.iter_modules(room.__path__)]; "
        f"print(*[n for n in {unknown.split()!r} if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    assert done.stdout.split() == []
