"""Where a teacher is: its address, what a call costs there, what it takes, and the secrets that open it.

Invariant: no secret is in an identity, a message, or anything that is stored; `scrub` takes them out of whatever others say.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from synth_assets.identity import digest
from synth_assets.teacher.messages import Profile, Request
from synth_assets.teacher.prices import Price, Thinking, thinking_first, thinking_of

__all__ = ["Endpoint", "Secrets", "is_address", "shown"]

KEY_LENGTH = 40
"""Hexadecimal digits of a call's key: 160 bits."""
SECRET_LENGTH = 9
"""A shorter key is a dummy for a local server (`EMPTY`, `ollama`, `embedded`): to cut it out of texts would spoil them."""
_KEY_SHAPE = re.compile(r"\bsk-[A-Za-z0-9_-]{8,}")


@dataclass(frozen=True)
class Secrets:
    """What must never be printed or stored."""

    api_key: str | None = field(default=None, repr=False)
    auth_token: str | None = field(default=None, repr=False)

    def scrub(self, text: str, *, shapes: bool = False) -> str:
        """`text` without these secrets; with `shapes`, for what endpoints say of errors, also without whatever looks like a key."""
        for secret in (self.api_key, self.auth_token):
            if secret and len(secret) >= SECRET_LENGTH:
                text = text.replace(secret, "[key]")
        return _KEY_SHAPE.sub("[key]", text) if shapes else text


def _no_server() -> None:
    return None


@dataclass(frozen=True)
class Endpoint:
    """One model at one place."""

    identity: str
    """What decides the answers, with the model: the base URL, or for the embedded server the model file and the engine."""
    base_url: Callable[[], str]
    """Starts the embedded server at the first call."""
    profile: Profile
    price: Price | None
    """None where nobody knows it."""
    concurrency: int
    """Calls at once."""
    takes_sampling: bool = True
    """Whether temperature and the like may be sent; Claude models refuse them, behind a gateway too."""
    native: bool = False
    """Whether every call takes llama.cpp's own routes: its `/v1/messages` drops `seed` and `repeat_penalty` without a word (seen with 2026.10).
    With them the same request gives the same text at any concurrency, number of threads and state of the prompt cache."""
    secrets: Secrets = Secrets()
    stop: Callable[[], None] = _no_server
    """Stops the embedded server."""

    @property
    def model(self) -> str:
        """The model's name."""
        return self.profile.model

    def thinking(self, request: Request) -> Thinking:
        """How the model is kept from thinking where it would, or made to think where the request wants it."""
        return thinking_first(self.model, request.max_tokens) if request.thinks else thinking_of(self.model)

    def key(self, request: Request) -> str:
        """A call's key in the ledger: digest of endpoint, model, how it thinks or is kept from it, and everything in the request."""
        parameters = self.thinking(request).parameters
        asked = request.body() | ({"thinking": dict(parameters)} if parameters else {})
        return digest([self.identity, self.model, asked])[:KEY_LENGTH]

    @property
    def caches_prompts(self) -> bool:
        """Whether it knows `cache_control`: a Claude model, behind a gateway too."""
        return "claude" in self.model


def is_address(url: str) -> bool:
    """Whether HTTP can be spoken there at all."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def shown(url: str) -> str:
    """`url` as it may be printed and stored: without a user and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
