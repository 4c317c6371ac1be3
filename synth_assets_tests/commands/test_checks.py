"""`synth-assets checks`: the table is the catalogue's, and the file in docs/ is the table."""

from pathlib import Path

from click.testing import CliRunner

from synth_assets.cli import main
from synth_assets.expectations.catalogue import CATALOGUE
from synth_assets.expectations.listing import lines
from synth_assets.expectations.release import RELEASE_CHECKS
from synth_assets_tests.expectations.tables import DOMAIN

FILE = Path(__file__).parents[2] / "docs" / "checks.md"


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["checks", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def test_the_file_is_what_the_catalogue_says() -> None:
    assert FILE.read_text(encoding="utf-8") == shown("--markdown"), "write docs/checks.md anew: synth-assets checks --markdown > docs/checks.md"


def test_every_check_has_a_line_with_all_its_cells() -> None:
    found = lines(DOMAIN)
    assert [(line.stage, line.check) for line in found] == [
        *((stage, check.name) for stage, suite in CATALOGUE.items() for check in suite.checks),
        *(("release", check.name) for check in RELEASE_CHECKS),
    ]
    assert all(all(line) for line in found)


def test_a_domain_shows_its_own_thresholds_and_severities() -> None:
    found = {(line.stage, line.check): line for line in lines(DOMAIN)}
    assert found["filtered", "prompts_varied"].severity == "WARN"
    assert found["filtered", "rules_hold"].severity == "ERROR"
    assert found["filtered", "reward_held"][3:5] == ("fall above 0.05 points warns, above 0.2 points blocks", "WARN, ERROR")
    stricter = DOMAIN.model_copy(update={"checks": DOMAIN.checks.model_copy(update={"seeds": DOMAIN.checks.seeds.model_copy(update={"min_per_topic": 9})})})
    assert {line.threshold for line in lines(stricter) if line[:2] == ("seeds", "topics_covered")} == {"at least 9"}


def test_a_terminal_gets_a_table() -> None:
    output = shown("--domain", "math")
    assert "no_contamination" in output and "catches" in output
