"""What a run would be given: the domain files and the teacher. Nobody is asked anything that costs money."""

import os
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from synth_assets.errors import ConfigError, SynthError
from synth_assets.health.findings import Finding, fault, note, well

__all__ = ["domains", "teacher"]


def domains() -> Iterator[Finding]:
    """Every domain file and the files that it names."""
    from synth_assets.domain_files import domains_folder, load_domains

    try:
        folder = domains_folder()
        loaded, broken = load_domains(folder)
    except ConfigError as error:
        yield fault("domains", str(error.problems[0]))
        return
    for name, why in broken.items():
        more = f" (and {len(why.problems) - 1} more)" if len(why.problems) > 1 else ""
        yield fault("domains", f"{name} is not run: {why.problems[0]}{more}", "the other domains are not held up")
    if loaded:
        yield well("domains", f"{len(loaded)} in {folder}: {', '.join(loaded)}")
    elif not broken:
        yield fault("domains", f"{folder} holds no domain file", "put one there, or unset SYNTH_DOMAINS for the shipped ones")


def teacher() -> Iterator[Finding]:
    """Which teacher would answer, whether it can be reached, and what it may spend."""
    from synth_assets.teacher.choice import choose

    try:
        choice = choose()
    except SynthError as error:
        yield fault("teacher", str(error))
        return
    if choice.embedded:
        from synth_assets.home import Home
        from synth_assets.teacher.embedded import EmbeddedServer

        file = EmbeddedServer(Home.from_env().root).model_file
        yield well("teacher", f"{choice.announcement} {file.name}, {file.stat().st_size / 2**20:.0f} MB")
        return
    parts = urlsplit(choice.base_url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)), timeout=5):
            yield well("teacher", f"{choice.announcement} Something listens there")
    except (OSError, ValueError) as error:
        what = f"nothing answers for {choice.model} at {parts.hostname}: {error}"
        yield fault("teacher", what, "start it, or check ANTHROPIC_BASE_URL; runs stop with what they have, and go on from there")
    if choice.paid and not os.environ.get("SYNTH_BUDGET_USD", "").strip():
        yield note(
            "budget", "SYNTH_BUDGET_USD is not set: a paid teacher starts only for domains with budget_usd", "`synth-assets estimate` says how much is wanted"
        )
