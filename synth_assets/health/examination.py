"""All examinations, in the order in which a user would mend what they find."""

from collections.abc import Callable, Iterator
from functools import partial

from synth_assets.health import inputs, machine, storage, versions, work
from synth_assets.health.findings import Finding, examined
from synth_assets.home import Home

__all__ = ["examine"]


def examine(home: Home) -> Iterator[Finding]:
    """Everything that there is to find, one by one."""
    examinations: dict[str, Callable[[], Iterator[Finding]]] = {
        "packages": versions.examine,
        "disk": partial(machine.disk, home),
        "clock": partial(machine.clock, home),
        "domains": inputs.domains,
        "teacher": inputs.teacher,
        "locks": partial(work.locks, home),
        "warehouse": partial(storage.warehouse, home),
        "ledger": partial(storage.ledger, home),
        "databases": partial(storage.databases, home),
        "release": partial(storage.releases, home),
        "runs": partial(work.runs, home),
        "remains": partial(work.remains, home),
    }
    for subject, examination in examinations.items():
        yield from examined(subject, examination)
