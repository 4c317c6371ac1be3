"""What a call costs: by the dated price list of the package, by the user's own price, or nothing on a server of one's own."""

import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import yaml

from synth_assets.errors import SynthError
from synth_assets.teacher.answers import Usage

__all__ = ["BATCH", "Price", "Thinking", "is_own_server", "price_of", "thinking_first", "thinking_of", "thinks"]

TEMPLATE_TOKENS = 64
"""For what a chat template adds to a prompt."""
THINKING_ROOM = 4096
LEAST_BUDGET = 1024
"""Tokens of thinking below which the API takes no budget."""


CACHE_WRITE, CACHE_READ = 1.25, 0.1
"""Price of prompt tokens that go into the endpoint's cache (for five minutes), and of those that come from it, as multiples of the input price."""
BATCH = 0.5
"""Price of a call in a Message Batch, as a multiple of the call's price."""


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens."""

    input: float
    output: float

    def of(self, usage: Usage) -> float:
        """US dollars of one call."""
        read = usage.input + CACHE_WRITE * usage.cache_write + CACHE_READ * usage.cache_read
        return (read * self.input + usage.output * self.output) / 1e6

    def at_most(self, size: int, max_tokens: int) -> float:
        """An upper bound of a call's price before it is made, in US dollars; `size` is in bytes of UTF-8, none of which makes two tokens."""
        return self.of(Usage(0, max_tokens, cache_write=size + TEMPLATE_TOKENS))


def price_of(model: str, base_url: str, env: Mapping[str, str]) -> Price | None:
    """Price of `model` at `base_url`: the user's, nothing on an own server, the list's; None when it is unknown.

    Raises:
        SynthError: SYNTH_PRICE_USD_PER_MTOK is not two numbers.
    """
    own = env.get("SYNTH_PRICE_USD_PER_MTOK", "").strip()
    if own:
        try:
            given = [float(part) for part in own.split(",")]
        except ValueError:
            given = []
        if len(given) != 2 or not all(math.isfinite(part) and part >= 0 for part in given):
            raise SynthError(f"SYNTH_PRICE_USD_PER_MTOK={own!r} is not a price. Write input and output in dollars per million tokens, such as 3,15.")
        return Price(*given)
    if is_own_server(base_url):
        return Price(0.0, 0.0)
    entry = _entry(model)
    return Price(entry["input"], entry["output"]) if entry is not None else None


@dataclass(frozen=True)
class Thinking:
    """What to send so that a model answers at once, or thinks first."""

    parameters: Mapping[str, Any]
    """Parameters of `messages.create`."""
    room: int
    """Tokens to add to max_tokens for what is thought."""


def thinking_of(model: str) -> Thinking:
    """How to keep `model` from thinking before it answers; nothing is sent to a model that the list does not know."""
    kind = (_entry(model) or {}).get("thinking", "on_request")
    if kind == "always":
        return Thinking({"output_config": {"effort": "low"}}, THINKING_ROOM)
    return Thinking({} if kind == "on_request" else {"thinking": {"type": kind}}, 0)


def thinks(model: str) -> bool:
    """Whether `model` is known to have thinking blocks that can be asked for."""
    return _entry(model) is not None


def thinking_first(model: str, max_tokens: int) -> Thinking:
    """How to have `model` think before it answers, all of it within `max_tokens` where these are enough for both."""
    entry = _entry(model) or {}
    if entry.get("thinking") == "always":
        return Thinking({}, 0)
    if entry.get("think") != "enabled":
        return Thinking({"thinking": {"type": "adaptive"}}, 0)
    budget = max(LEAST_BUDGET, max_tokens * 3 // 4)
    return Thinking({"thinking": {"type": "enabled", "budget_tokens": budget}}, 0 if max_tokens >= 2 * LEAST_BUDGET else LEAST_BUDGET)


def is_own_server(base_url: str) -> bool:
    """Whether `base_url` is on this machine or in a private network: such a server costs nothing by the token."""
    host = urlsplit(base_url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_private


def _entry(model: str) -> dict[str, Any] | None:
    matches = [prefix for prefix in _list() if model.startswith(prefix)]
    return _list()[max(matches, key=len)] if matches else None


@cache
def _list() -> dict[str, dict[str, Any]]:
    data: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load((files("synth_assets.teacher") / "prices.yaml").read_text(encoding="utf-8"))
    return data["models"]
