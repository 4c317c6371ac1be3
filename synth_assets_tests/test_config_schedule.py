"""The schedule section of a domain file: faults with remedy, and nothing that Dagster's scheduler would refuse later."""

from pathlib import Path

import pytest
from dagster._utils.schedules import is_valid_cron_schedule
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from synth_assets.config_schedule import Schedule
from synth_assets.domain_files import load_settings
from synth_assets.errors import ConfigError
from synth_assets_tests.graph.world import write_domain


def test_every_domain_has_a_time() -> None:
    assert (Schedule().cron, Schedule().timezone) == ("0 2 * * *", "UTC")


@pytest.mark.parametrize(
    ("settings", "what", "remedy"),
    [
        ({"cron": "0 2 * *"}, "has 4 fields", "write five fields"),
        ({"cron": "60 2 * * *"}, "minute '60' is outside 0 to 59", "write five fields"),
        ({"cron": "0 5-2 * * *"}, "hour '5-2' ends before it begins", "write five fields"),
        ({"cron": "@daily"}, "has 1 fields", "write five fields"),
        ({"cron": "0 2 31 2 *"}, "never comes", "write five fields"),
        ({"cron": "*/0 * * * *"}, "has a step outside 1 to 59", "write five fields"),
        ({"cron": "0 2 * * *; rm -rf /"}, "fields", "write five fields"),
        ({"timezone": "Mars/Olympus"}, "there is no time zone 'Mars/Olympus'", "Europe/Berlin"),
        ({"timezone": "../../etc/passwd"}, "there is no time zone", "Europe/Berlin"),
    ],
)
def test_a_fault_names_its_line_and_what_to_write(tmp_path: Path, settings: dict[str, str], what: str, remedy: str) -> None:
    folder = write_domain(tmp_path, schedule=settings)
    with pytest.raises(ConfigError) as caught:
        load_settings(folder, "boats")
    (problem,) = caught.value.problems
    assert problem.line == 1 and what in problem.what and remedy in problem.remedy


FIELD = st.from_regex(r"\A(\*|[0-9]{1,2}|[0-9]{1,2}-[0-9]{1,2})(/[0-9]{1,2})?(,[0-9]{1,2})?\Z")


@given(st.lists(FIELD, min_size=5, max_size=5))
def test_what_is_accepted_here_is_accepted_by_dagster(fields: list[str]) -> None:
    try:
        schedule = Schedule(cron=" ".join(fields))
    except ValidationError:
        return
    assert is_valid_cron_schedule(schedule.cron)
