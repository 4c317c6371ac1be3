"""The bricks of a forecast: what it knows of a domain, and calls of one kind with what each reads and writes.

Invariant: the high end of a part holds every retry that the ledger allows a malformed reply, each at all of its tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from synth_assets.accounts import Row
from synth_assets.config import Domain
from synth_assets.forecast.interval import NOTHING, Interval
from synth_assets.forecast.known import Known
from synth_assets.forecast.past import Past
from synth_assets.forecast.sizes import Typical, filler, read_by
from synth_assets.methods.constitutional import Similarity
from synth_assets.teacher.ledger import FAILURE_LIMIT
from synth_assets.teacher.messages import Profile, Request
from synth_assets.teacher.prices import LEAST_BUDGET

__all__ = ["Part", "Rows", "Samples", "Setting", "sample_rows"]

SAMPLES = 64
"""Made-up rows for measuring a method's requests: enough for every template and example that is drawn by seed to come up."""


@dataclass(frozen=True)
class Part:
    """Calls of one kind in one stage."""

    calls: Interval
    """Paid tries."""
    read: Interval
    """Input tokens of one."""
    written: Interval
    """Output tokens of one."""
    batched: bool = True
    """Whether it can go in a Message Batch."""


@dataclass(frozen=True)
class Rows:
    """Rows of a stage: those that are certain, and how many others there will be."""

    known: list[Row] = field(default_factory=list)
    more: Interval = NOTHING

    @property
    def exact(self) -> bool:
        """Whether the rows are just those that are known."""
        return self.more.high == 0

    @property
    def count(self) -> Interval:
        """All of them."""
        return Interval.exactly(len(self.known)) + self.more


@dataclass(frozen=True)
class Samples:
    """Requests of one kind as they are at the shortest, usually, and at the longest."""

    short: Sequence[Request]
    usual: Sequence[Request]
    long: Sequence[Request]

    @classmethod
    def exactly(cls, requests: Sequence[Request]) -> "Samples":
        """The requests themselves, where they are known."""
        return cls(requests, requests, requests)


@dataclass(frozen=True)
class Setting:
    """What a domain's forecast starts from."""

    domain: Domain
    profile: Profile
    known: Known
    past: Past
    typical: Typical
    room: int = 0
    """Tokens that are added to max_tokens for a model that always thinks."""
    similarity: Similarity | None = None
    """Cosines as far as they are known; None where runs compare nothing."""

    def part(self, method: str, place: int, calls: Interval, samples: Samples, typical_written: float, *, batched: bool = True, measured: bool = False) -> Part:
        """`calls` of the step `place` of `method`: sizes by the samples, and what is likely by an earlier run where there is one.

        With `measured`, the usual samples stand for what is read whatever an earlier run read: they are what will be asked.
        """
        language, step = self.domain.language, self.past[method].steps.get(place) if method in self.past else None
        usual = self.known.scale * read_by(samples.usual, language).likely
        most = max((request.max_tokens + (LEAST_BUDGET if request.thinks else self.room) for request in samples.long), default=0)
        read = step.read if step is not None and not measured else usual
        written = step.written if step is not None else min(typical_written, most)
        return Part(
            calls.scaled(1, step.tries if step is not None else 1, FAILURE_LIMIT),
            Interval(read_by(samples.short, language).low, read, read_by(samples.long, language).high),
            Interval(0, written, most),
            batched,
        )

    def certain(self, method: str, place: int, requests: Sequence[Request], typical_written: float, *, batched: bool = True) -> list[Part]:
        """Requests that are known, and not in the ledger."""
        if not requests:
            return []
        calls = Interval.exactly(len(requests))
        return [self.part(method, place, calls, Samples.exactly(requests), typical_written, batched=batched, measured=True)]

    def generated_tokens(self) -> float:
        """Tokens of an instruction that a model made: as an earlier run's were, or as the seeds'."""
        steps = [self.past[method].steps[1] for method in ("self_instruct", "magpie") if method in self.past and 1 in self.past[method].steps]
        calls = sum(step.calls for step in steps)
        return sum(step.calls * step.written for step in steps) / calls if calls else self.typical.instruction

    def longest(self) -> int:
        """Bytes, one for a token, of the longest instruction or input that can come up."""
        methods = self.domain.methods
        asked = (methods.self_instruct, methods.magpie, methods.evol_instruct)
        return max([self.typical.longest, *(settings.max_tokens for settings in asked if settings is not None)])


def sample_rows(domain: Domain, size: int, *, count: int = SAMPLES, with_input: bool = False) -> list[Row]:
    """Instructions of `size` bytes, with an input as long where wanted; topics in turn."""
    return [
        {
            "id": f"sample-{n}",
            "topic": domain.topics[n % len(domain.topics)].name,
            "instruction": filler(size, n),
            "input": filler(size, n) if with_input else "",
            "answer": None,
        }
        for n in range(count)
    ]
