"""What the embedded reward model learns from: reference answers against their corruptions, and pairs that were compared.

Everything random follows from the seed and the texts, so that the same rows in any order give the same pairs. Invariant: in no pair are both
answers the same text.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from synth_assets.identity import seeded
from synth_assets.quality.corruptions import KINDS, corrupted
from synth_assets.quality.reward_features import is_chinese
from synth_assets.quality.words import words

__all__ = ["HUMAN", "PREFERENCE", "Pair", "training_pairs"]

PREFERENCE = "preference"
"""The kind of a pair that is no corruption."""

HUMAN = "human"
"""The kind of a pair that a person's verdict made."""

_OTHERS = 8
"""Answers to other prompts that a corruption may choose from."""


class Pair(NamedTuple):
    """Two answers to one prompt, the better one first."""

    prompt: str
    chosen: str
    rejected: str
    kind: str = PREFERENCE
    """Name of the corruption that made `rejected`, or `preference`, or `human`."""
    other_prompt: str = ""
    """What `rejected` answers, where that is another prompt."""

    @property
    def rejected_prompt(self) -> str:
        """What `rejected` answers."""
        return self.other_prompt or self.prompt


def training_pairs(references: Sequence[Mapping[str, Any]], preference_rows: Sequence[Mapping[str, Any]], seed: int, human: Sequence[Pair] = ()) -> list[Pair]:
    """Every reference against each corruption that is possible for it, every preference row and every pair of `human`, sorted.

    Args:
        references: Rows with `prompt` and `response`: answers that people wrote or accepted.
        preference_rows: Rows with `prompt`, `chosen` and `rejected`.
        seed: What the corruptions follow from.
        human: What verdicts taught, as `verdict_pairs.lessons` makes it.
    """
    answers = sorted({(str(row["prompt"]), str(row["response"])) for row in references if words(str(row["response"]))})
    by_language: defaultdict[bool, list[tuple[str, str]]] = defaultdict(list)
    for prompt, answer in answers:
        by_language[is_chinese(prompt)].append((prompt, answer))
    pairs = {
        Pair(str(row["prompt"]), str(row["chosen"]), str(row["rejected"]))
        for row in preference_rows
        if str(row["chosen"]).strip() != str(row["rejected"]).strip()
    }
    pairs.update(human)
    for prompt, answer in answers:
        pool = by_language[is_chinese(prompt)]
        for kind in KINDS:
            random = seeded(seed, kind, prompt, answer)
            others = [text for other, text in random.sample(pool, min(_OTHERS, len(pool))) if other != prompt]
            worse = corrupted(kind, prompt, answer, others, random)
            if worse is not None:
                pairs.add(Pair(prompt, answer, worse, kind))
    return sorted(pairs)
