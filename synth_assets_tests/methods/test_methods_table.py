"""The table of methods: every default in it is that of the configuration, and every test in it is there."""

import re
from importlib.resources import files
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from synth_assets.config import Methods
from synth_assets.config_mix import Section

ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (files("synth_assets.methods") / "README.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| method")
]
SET = re.compile(r"`([a-z_]+)\.([a-z_]+)` = ([^\s,;:]+)")
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in Path(__file__).parents[1].rglob("test_*.py"))


def sections() -> dict[str, type[Section]]:
    """The sections of `methods`, by name."""
    found = {}
    for name, field in Methods.model_fields.items():
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        found[name] = next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section))
    return found


def test_the_table_has_every_method() -> None:
    assert all(len(row) == 5 for row in ROWS)
    named = {section for row in ROWS for section, _, _ in SET.findall(row[3])}
    assert named == set(sections())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0][:14]}: {row[1][:30]}")
def test_a_default_is_the_configurations_and_its_test_exists(row: list[str]) -> None:
    for section, key, value in SET.findall(row[3]):
        default = sections()[section].model_fields[key].default
        assert default is not PydanticUndefined and str(default) == value, (section, key)
    tests = re.findall("`(test_[a-z0-9_]+)`", row[4])
    assert tests and [name for name in tests if f"def {name}(" not in SOURCES] == []
