"""What is asked of a teacher and what comes back: the only part of `teacher` that the methods know.

A method is a plan: a generator that yields batches of requests and is sent their replies in request order. So a method is
pure, the same replies always give the same rows, and whoever drives it decides about concurrency, caching and money.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal

from typing_extensions import TypeVar

Role = Literal["user", "assistant"]

SMALL_REPEAT_PENALTY = 1.1
"""Seen with SmolLM2-135M: without it, answers loop on one sentence; above 1.2 they leave out words that are needed twice."""


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True)
class Request:
    """Everything that decides one answer, apart from the endpoint and model, which the teacher adds."""

    messages: tuple[Message, ...]
    """The conversation so far; empty for a user turn."""
    max_tokens: int
    system: str = ""
    sample: int = 0
    """Number of the sample: two samples of one prompt are two requests."""
    sampling: tuple[tuple[str, float], ...] = ()
    """Sorted (name, value) pairs for servers that take them: temperature, top_p, repeat_penalty."""
    stop: tuple[str, ...] = ()
    user_turn: bool = False
    """Magpie: ask the model for a user's turn, from its chat template cut after the user header. Needs a raw-prompt endpoint."""

    thinks: bool = False
    """Let the teacher think in blocks of its own before it answers, where its profile says that it can; else it is kept from it."""

    def body(self) -> dict[str, Any]:
        """The request as plain data: what the ledger keeps and the key is made of."""
        return ({"thinks": True} if self.thinks else {}) | {
            "messages": [{"role": m.role, "content": m.content} for m in self.messages],
            "max_tokens": self.max_tokens,
            "system": self.system,
            "sample": self.sample,
            "sampling": dict(self.sampling),
            "stop": list(self.stop),
            "user_turn": self.user_turn,
        }


@dataclass(frozen=True)
class Reply:
    """One answer, or the name of why there is none."""

    key: str
    """The call's key in the ledger."""
    text: str
    """All text blocks joined; empty where there is none."""
    stop_reason: str
    """The API's word: end_turn, max_tokens, stop_sequence, refusal or another; `failed` where no answer came."""
    model: str
    thinking: str = ""
    """All thinking blocks joined."""
    input_tokens: int = 0
    output_tokens: int = 0
    cached: bool = False
    """Whether the ledger had it, so that nothing was asked or paid."""
    failure: str = ""
    """Rule name where no usable answer came: bad_request, malformed_reply, teacher_error; else empty."""
    evidence: str = ""
    """What the endpoint said, where there is a failure."""

    @property
    def rule(self) -> str:
        """The rule that rejects this reply whatever it was asked for: empty where it may be used.

        Truncation and refusal are reject reasons of the first rank, and an unknown stop reason is rejected under its name.
        """
        if self.failure:
            return self.failure
        if self.stop_reason not in {"end_turn", "stop_sequence"}:
            return self.stop_reason
        return "" if self.text.strip() else "empty"


@dataclass(frozen=True)
class Profile:
    """What the teacher can do: prompts are shaped to it."""

    model: str
    small: bool = False
    """A model of some hundred million parameters: short prompts, few examples, a repeat penalty."""
    raw_prompt: bool = False
    """Whether the endpoint takes raw prompts (llama.cpp, vLLM)."""
    paid: bool = True
    """Whether calls cost money."""
    thinks: bool = False
    """Whether it has thinking blocks that a request can ask for."""

    def sampling(self, **values: float) -> tuple[tuple[str, float], ...]:
        """Sampling parameters for this teacher: a small model also gets a repeat penalty, or it writes the same words for ever."""
        return tuple(sorted((values | {"repeat_penalty": SMALL_REPEAT_PENALTY} if self.small else values).items()))


Result = TypeVar("Result", default=None)
Plan = Generator[list[Request], list[Reply], Result]
"""A method at work: it fills an Outcome while it is driven; a part of one may return a value to the rest."""
