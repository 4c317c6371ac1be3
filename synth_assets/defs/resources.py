"""What the assets work with, as Dagster resources. Nothing is opened before an asset asks for it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import PrivateAttr

from synth_assets import progress
from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.domain_files import LoadedDomain, domains_folder, load_domain, load_domains
from synth_assets.errors import RawPromptUnsupported
from synth_assets.home import Home
from synth_assets.run_workers import claim
from synth_assets.teacher.messages import Plan, Profile, Reply, Result
from synth_assets.warehouse import Warehouse

if TYPE_CHECKING:
    from synth_assets.quality.embeddings import Embedder
    from synth_assets.teacher.client import Teacher


class WarehouseResource(dg.ConfigurableResource[Warehouse]):
    """The DuckDB file."""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Tag the run with its process, so that a killed one is known as such."""
        if context.run is not None and context.instance is not None:
            claim(context.instance, context.run)

    def open(self) -> Warehouse:
        """The warehouse; no file is opened before it is read or written."""
        # A step reads and writes several times, and its checks are done within 2 s. Connecting 310 times took 21 of 97 s (six domains, all cached).
        return Warehouse(Home.from_env().warehouse, linger=2.0)


class DomainsResource(dg.ConfigurableResource[Any]):
    """The domain files as they are now, not as they were when the code location loaded."""

    def load(self, name: str) -> LoadedDomain:
        """One domain, or a ConfigError with all its problems."""
        return load_domain(domains_folder(), name)

    def load_all(self) -> dict[str, LoadedDomain]:
        """Every domain that is in order; a broken one is an error of its own partition."""
        return load_domains(domains_folder())[0]


class EmbedderResource(dg.ConfigurableResource[Any]):
    """Sentence embeddings, computed once per text ever."""

    def open(self) -> "Embedder":
        """The embedder; its model is loaded when a text is new."""
        from synth_assets.quality.embeddings import Embedder

        return Embedder(Home.from_env().embeddings)


class TeacherResource(dg.ConfigurableResource[Any]):
    """The teacher of this run: the ledger first, then the endpoint. The embedded server starts at the first call that the ledger has not."""

    _teacher: Any = PrivateAttr(default=None)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Close the HTTP pool and the ledger, and stop the embedded server."""
        self.renew()

    def renew(self) -> None:
        """Let go of the teacher; the next call opens another one."""
        if self._teacher is not None:
            self._teacher.close()
            self._teacher = None

    def open(self, domain: Domain) -> "Teacher":
        """The teacher, under the run's budget and the domain's own; raises LanguageUnsupported where it does not know the domain's language."""
        if self._teacher is None:
            import os

            from synth_assets.teacher.choice import choose, open_teacher

            choose().check_language(domain.name, domain.language)
            budget, by_batch = domain.budget_usd, domain.mode == "batch"
            self._teacher = open_teacher(Home.from_env().root, os.environ, domain=domain.name, domain_budget_usd=budget, by_batch=by_batch)
        return self._teacher  # type: ignore[no-any-return]

    def profile(self, domain: Domain) -> Profile:
        """What the teacher can do."""
        return self.open(domain).profile

    def magpie(self, domain: Domain, plan: Plan, outcome: Outcome) -> str:
        """Drive Magpie's plan, which fills `outcome`; returns why it made none where this teacher takes no raw prompts, which ends no stage."""
        from synth_assets.teacher.choice import choose

        if domain.methods.magpie is None:
            return ""
        if refusal := choose().refuses_magpie(domain.name):
            return refusal
        try:
            with outcome.all_or_nothing():
                self.drive(domain, plan)
        except RawPromptUnsupported as error:
            # Its first request said so: nothing was made, and nothing paid.
            return str(error)
        return ""

    def drive(self, domain: Domain, plan: Plan[Result]) -> Result:
        """Drive a plan to its end; returns what it returns."""
        watcher = progress.current()

        def on_reply(reply: Reply) -> None:
            if watcher is not None:
                watcher.replied(reply)

        return self.open(domain).run(plan, on_reply=on_reply, max_failed_share=domain.gates.max_failed_share)

    def calls(self, outcome: Outcome) -> Sequence[Row]:
        """The paid calls that stand behind a stage's candidates, as rows of `teacher_calls`."""
        keys = dict.fromkeys(key for key, _ in outcome.call_uses)
        return self._teacher.ledger.calls(list(keys)) if keys and self._teacher is not None else []
