"""Which teacher answers: what the environment says, said aloud, with a budget where it costs money."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from synth_assets.errors import BudgetExceeded, LanguageUnsupported, SynthError, TeacherRefusedAccess
from synth_assets.teacher.budget import Budget
from synth_assets.teacher.client import Teacher
from synth_assets.teacher.embedded import SLOTS, EmbeddedServer
from synth_assets.teacher.endpoint import Endpoint, Secrets, is_address, shown
from synth_assets.teacher.ledger import Ledger
from synth_assets.teacher.messages import Profile
from synth_assets.teacher.prices import Price, is_own_server, price_of, thinks
from synth_assets.teacher.terms import EMBEDDED_LANGUAGES, EMBEDDED_MODEL

__all__ = ["CLAUDE", "Choice", "choose", "concurrency_of", "endpoint_of", "open_teacher"]

CLAUDE = "claude-sonnet-5-5"
"""The model when a key is there and SYNTH_TEACHER says nothing."""
CLAUDE_URL = "https://api.anthropic.com"
CONCURRENCY = 16
LANGUAGES = {"en": "English", "zh": "Chinese"}


@dataclass(frozen=True)
class Choice:
    """A teacher that was chosen, not yet opened."""

    model: str
    embedded: bool
    base_url: str
    """Empty for the embedded server, whose port is not known before it starts."""
    price: Price | None
    announcement: str
    """The choice in one sentence."""

    @property
    def paid(self) -> bool:
        """Whether calls cost money, as far as is known."""
        return self.price is None or self.price.input > 0 or self.price.output > 0

    @property
    def profile(self) -> Profile:
        """What the teacher can do."""
        return Profile(
            self.model,
            small=self.embedded,
            raw_prompt=self.embedded or is_own_server(self.base_url),
            paid=self.paid,
            thinks=not self.embedded and thinks(self.model),
        )

    def check_language(self, domain: str, language: str) -> None:
        """Refuse a domain in a language (a BCP 47 tag) that this teacher is known not to have; raises LanguageUnsupported with the remedy."""
        if self.embedded and language not in EMBEDDED_LANGUAGES:
            raise LanguageUnsupported(
                f"{domain} is written in {LANGUAGES.get(language, language)} (language: {language}), which the embedded {EMBEDDED_MODEL} does not know. "
                "Set ANTHROPIC_API_KEY and SYNTH_BUDGET_USD for Claude, or ANTHROPIC_BASE_URL and SYNTH_TEACHER for a server of yours."
            )

    def refuses_magpie(self, domain: str) -> str:
        """Why `domain` gets no Magpie rows from this teacher, with the remedy; empty where it may, as far as is known before it is asked."""
        if self.profile.raw_prompt:
            return ""
        return (
            f"{domain} asks for magpie, and {shown(self.base_url)} is a chat API, which takes no raw prompt: no Magpie row will be made. Remove `magpie` from "
            "the domain's methods, or use the embedded teacher, a llama.cpp server or vLLM (SYNTH_TEACHER, ANTHROPIC_BASE_URL)."
        )


def choose(env: Mapping[str, str] = os.environ) -> Choice:
    """The teacher that `env` asks for.

    Raises:
        TeacherRefusedAccess: the Messages API is asked for, and there is no key, or no address.
    """
    wanted = env.get("SYNTH_TEACHER", "").strip()
    key = env.get("ANTHROPIC_API_KEY", "").strip() or env.get("ANTHROPIC_AUTH_TOKEN", "").strip()
    url = env.get("ANTHROPIC_BASE_URL", "").strip()
    if wanted == "embedded" or not (wanted or key or url):
        why = "SYNTH_TEACHER says so" if wanted else "there is no ANTHROPIC_API_KEY"
        said = f"Teacher: the embedded {EMBEDDED_MODEL} ({why}). It shows how the gates work; its rows are no evidence of data quality."
        return Choice(EMBEDDED_MODEL, True, "", Price(0.0, 0.0), said)
    base = url or CLAUDE_URL
    if not is_address(base):
        raise TeacherRefusedAccess(f"ANTHROPIC_BASE_URL={base.rpartition('@')[2]!r} is no address: write it with its scheme, such as http://localhost:8080.")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise TeacherRefusedAccess("the key holds characters that no header can carry: copy ANTHROPIC_API_KEY again, without quotes or spaces.")
    if not key and not is_own_server(base):
        raise TeacherRefusedAccess(f"{shown(base)} needs a key: set ANTHROPIC_API_KEY, or SYNTH_TEACHER=embedded for the embedded model.")
    model = wanted or CLAUDE
    price = price_of(model, base, env)
    cost = "its price is unknown" if price is None else f"${price.input:g} in, ${price.output:g} out per million tokens"
    return Choice(model, False, base, price, f"Teacher: {model} at {shown(base)} ({cost}).")


def open_teacher(home: Path, env: Mapping[str, str], *, domain: str = "", domain_budget_usd: float | None = None, by_batch: bool = False) -> Teacher:
    """The teacher of a run, its ledger in `home`.

    SYNTH_BUDGET_USD is held against all that the ledger in `home` has seen, `domain_budget_usd` against what went on `domain`; both count.
    `by_batch` asks for Message Batches, which the embedded teacher has not: it answers at once.

    Raises:
        BudgetExceeded: calls cost money, and there is no budget, or no price to keep it with.
        TeacherRefusedAccess: there is no key, or no address.
    """
    choice = choose(env)
    budget = Budget(_number(env, "SYNTH_BUDGET_USD", float, None), domain, domain_budget_usd)
    if choice.paid and not budget.given:
        raise BudgetExceeded(
            f"{choice.announcement} A paid teacher does not start without a budget: set SYNTH_BUDGET_USD to the dollars that you allow"
            + (", and SYNTH_PRICE_USD_PER_MTOK to the model's price." if choice.price is None else ".")
            + " `synth-assets estimate` says how many it will want."
        )
    if choice.price is None:
        raise BudgetExceeded(f"{choice.announcement} A budget cannot be kept without a price: set SYNTH_PRICE_USD_PER_MTOK, such as 3,15.")
    endpoint = endpoint_of(choice, home, env)
    return Teacher(endpoint, Ledger(home / "ledger.sqlite"), budget=budget, by_batch=by_batch and not choice.embedded)


def endpoint_of(choice: Choice, home: Path, env: Mapping[str, str]) -> Endpoint:
    """Where the chosen teacher is; nothing is started and nothing asked. The digest of the embedded model is noted in `home`."""
    concurrency = concurrency_of(choice, env)
    if choice.embedded:
        server = EmbeddedServer(home)
        return Endpoint(
            server.identity,
            lambda: server.base_url,
            choice.profile,
            choice.price,
            concurrency,
            native=True,
            secrets=Secrets("embedded"),
            stop=server.stop,
        )
    secrets = Secrets(env.get("ANTHROPIC_API_KEY", "").strip() or None, env.get("ANTHROPIC_AUTH_TOKEN", "").strip() or None)
    sampling = "claude" not in choice.model and choice.base_url.rstrip("/") != CLAUDE_URL
    return Endpoint(shown(choice.base_url), lambda: choice.base_url, choice.profile, choice.price, concurrency, takes_sampling=sampling, secrets=secrets)


def concurrency_of(choice: Choice, env: Mapping[str, str]) -> int:
    """Calls at once."""
    return int(_number(env, "SYNTH_CONCURRENCY", int, SLOTS if choice.embedded else CONCURRENCY) or 1)


def _number(env: Mapping[str, str], name: str, kind: type[float] | type[int], default: float | None) -> float | None:
    text = env.get(name, "").strip()
    if not text:
        return default
    try:
        value = kind(text)
    except ValueError as error:
        raise SynthError(f"{name}={text!r} is not a number.") from error
    if value < 0 or value != value:
        raise SynthError(f"{name}={text!r} must not be negative.")
    return value
