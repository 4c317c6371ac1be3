"""What people's verdicts teach the embedded reward model, as pairs.

A pair that was accepted keeps its order, one whose order a person called wrong is turned round, a corrected answer beats what it corrects. A single
answer that was rejected has no better one to its own prompt: it loses to accepted answers of its domain, each as an answer to its own prompt, which
the model can compare because its features are about prompt and answer together. An accepted answer is a reference, and beats its corruptions.

Invariant: a verdict teaches what was seen, and a row without a verdict teaches nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from synth_assets.accounts import Row
from synth_assets.identity import seeded
from synth_assets.quality.reward_pairs import HUMAN, Pair

__all__ = ["Lessons", "Seen", "lessons"]

_AGAINST = 3
"""Accepted answers that a rejected one loses to."""

_UNTAUGHT = frozenset({"contaminated", "private_data", "equal"})
"""Reasons that say nothing about how good an answer is."""


@dataclass(frozen=True)
class Seen:
    """One row as a person saw it, with the verdict that stands."""

    row: Row
    """At least domain, kind, prompt, response and rejected, as in `filtered`."""
    verdict: str
    reason: str = ""
    corrected: str = ""


@dataclass
class Lessons:
    """What verdicts amount to."""

    pairs: list[Pair] = field(default_factory=list)
    references: list[Row] = field(default_factory=list)
    """Rows with prompt and response: accepted and corrected answers."""


def lessons(seen: Iterable[Seen], seed: int = 0) -> Lessons:
    """Pairs and references from verdicts, the same whatever their order."""
    found, rejected = Lessons(), []
    for one in sorted(seen, key=lambda s: (s.row["domain"], s.row["prompt"], s.row["response"], s.row["rejected"] or "")):
        prompt, response, other = one.row["prompt"], one.row["response"], one.row["rejected"]
        if one.verdict == "fix" and one.corrected.strip():
            found.references.append({"domain": one.row["domain"], "prompt": prompt, "response": one.corrected})
            found.pairs += [Pair(prompt, one.corrected, worse, HUMAN) for worse in (response, other) if worse is not None]
        elif one.verdict == "accept" and other is not None:
            found.pairs.append(Pair(prompt, response, other, HUMAN))
        elif one.verdict == "accept":
            found.references.append({"domain": one.row["domain"], "prompt": prompt, "response": response})
        elif one.verdict == "reject" and one.reason not in _UNTAUGHT:
            if other is not None and one.reason == "worse_chosen":
                found.pairs.append(Pair(prompt, other, response, HUMAN))
            elif other is None:
                rejected.append(one.row)
    found.pairs += _lost(rejected, found.references, seed)
    found.pairs = [pair for pair in found.pairs if pair.chosen.strip() != pair.rejected.strip()]
    return found


def _lost(rejected: Sequence[Row], accepted: Sequence[Row], seed: int) -> Iterable[Pair]:
    for row in rejected:
        pool = [good for good in accepted if good["domain"] == row["domain"]]
        for good in seeded(seed, HUMAN, row["prompt"], row["response"]).sample(pool, min(_AGAINST, len(pool))):
            yield Pair(good["prompt"], good["response"], row["response"], HUMAN, row["prompt"])
