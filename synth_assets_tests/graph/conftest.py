"""One domain that ran to its release, made once for all tests of this folder in a process; who changes it works on a copy."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from synth_assets_tests.graph.world import environment, synth_assets, teacher, write_domain
from synth_assets_tests.messages_api import MessagesApi


@dataclass
class Made:
    home: Path
    domains: Path
    api: MessagesApi
    first: subprocess.CompletedProcess[str]

    def copy(self, folder: Path) -> "Made":
        """The same state, and the same files, in a folder of its own."""
        home, domains = shutil.copytree(self.home, folder / "home"), shutil.copytree(self.domains, folder / "domains")
        return Made(home, domains, self.api, self.first)

    def env(self, **more: str) -> dict[str, str]:
        return environment(self.home, self.domains, self.api.url, **more)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("graph")
    domains = write_domain(folder / "domains")
    with MessagesApi(teacher, raw_prompts=True) as api:
        yield Made(folder / "home", domains, api, synth_assets(environment(folder / "home", domains, api.url), "run"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test of a process here waits for the whole run that all of them look at."""
    for item in items:
        if item.path.parent == Path(__file__).parent and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(600))
