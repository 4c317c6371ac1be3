"""The section of a domain file that says when a stage's rows are too poor, and how far they may fall behind the last ones that passed.

Every default is a figure of ours, chosen between good and bad data (bench/thresholds.py). Nothing here touches a disk.
"""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from synth_assets.config_mix import Section
from synth_assets.faults import Fault, broken

__all__ = ["Checks", "Regression", "Tolerance"]

Part = Annotated[float, Field(ge=0, le=1)]


class SeedChecks(Section):
    """Of seeds."""

    min_per_topic: int = Field(default=3, ge=0, le=1_000_000, description="With fewer, a request shows the same examples again and again.")


class GeneratedChecks(Section):
    """Of generated_instructions."""

    min_topic_entropy: Part = Field(default=0.8, description="By its maximum: of five topics with equal shares one may be missing (0.86), two may not (0.68).")
    min_acceptance: Part = Field(default=0.2, description="Share of the candidates that are not rejected.")


class EvolvedChecks(Section):
    """Of evolved_instructions."""

    min_yield: Part = Field(default=0.3, description="Share of the evolutions that pass the elimination.")


class ResponseChecks(Section):
    """Of teacher_responses: shares of its rows, but for the first and the last."""

    min_acceptance: Part = 0.5
    min_answered: Part = Field(default=0.95, description="Of rows that do not decline.")
    min_in_language: Part = 0.95
    min_clean: Part = Field(default=0.98, description="Of rows without tokens of a chat template or words of a prompt.")
    min_verified: Part = Field(default=0.5, description="Of the instructions with a reference answer: those with a response that reaches it.")


class PairChecks(Section):
    """Of preference_pairs."""

    min_positive_margins: Part = Field(default=0.5, description="Share of the pairs whose chosen answer has the higher reward.")
    max_longer: Part = Field(default=0.8, description="Share of the pairs whose chosen answer is longer, of those whose lengths differ (arXiv 2310.03716).")


class FilteredChecks(Section):
    """Of filtered."""

    min_distinct_2: Part = Field(default=0.3, description="Different word 2-grams by all, of at most 1,000 prompts.")
    min_entropy_2: Part = Field(default=0.85, description="Entropy of these 2-grams, by its maximum for as many different ones.")
    min_topic_coverage: Part = Field(default=0.8, description="Share of the declared topics with at least one row.")
    min_topic_entropy: Part = Field(default=0.6, description="Of the rows over the topics that have any; looser than for instructions, since gates are uneven.")
    min_acceptance: Part = 0.3


class MixChecks(Section):
    """Of mixed."""

    share_tolerance: Part = Field(default=0.005, description="Of a kind's rows; or one row, where that is more.")


class Tolerance(Section):
    """How much worse a measure may be than in the last materialization that passed: beyond `drift` a warning, beyond `collapse` nothing flows on."""

    drift: float = Field(ge=0, le=100)
    collapse: float = Field(ge=0, le=100)

    @field_validator("collapse")
    @classmethod
    def _beyond_drift(cls, collapse: float, info: ValidationInfo) -> float:
        drift = info.data.get("drift", collapse)
        if collapse < drift:
            raise broken([Fault((), f"collapse is {collapse:g}, below drift, which is {drift:g}", f"write {drift:g} or more, or lower drift")])
        return collapse


class Regression(Section):
    """What is compared with the last materialization that passed; null compares nothing. Parts are relative, points are of a measure from 0 to 1."""

    diversity: Tolerance | None = Field(default=Tolerance(drift=0.1, collapse=0.3), description="Fall of distinct-2 within a hundred prompts, as a part.")
    similarity: Tolerance | None = Field(default=Tolerance(drift=0.05, collapse=0.2), description="Rise of the mean cosine to the nearest prompt, in points.")
    topic_entropy: Tolerance | None = Field(default=Tolerance(drift=0.05, collapse=0.2), description="Fall, in points.")
    length: Tolerance | None = Field(default=Tolerance(drift=0.25, collapse=0.6), description="Change of the mean words, up or down, as a part.")
    refusal_rate: Tolerance | None = Field(default=Tolerance(drift=0.03, collapse=0.15), description="Rise, in points.")
    reward: Tolerance | None = Field(default=Tolerance(drift=0.05, collapse=0.2), description="Fall of the mean reward or margin, in points.")
    acceptance: Tolerance | None = Field(default=Tolerance(drift=0.2, collapse=0.5), description="Fall of the share that is not rejected, as a part.")
    cost: Tolerance | None = Field(default=Tolerance(drift=0.25, collapse=1.0), description="Rise of the dollars per kept row, as a part.")
    min_rows: int = Field(default=20, ge=1, le=1_000_000, description="Rows below which a difference is chance: then measures of rows are not compared.")


class Checks(Section):
    """Limits of the checks. `gates.quality` says what a failed one does; a collapse always blocks."""

    seeds: SeedChecks = SeedChecks()
    generated_instructions: GeneratedChecks = GeneratedChecks()
    evolved_instructions: EvolvedChecks = EvolvedChecks()
    teacher_responses: ResponseChecks = ResponseChecks()
    preference_pairs: PairChecks = PairChecks()
    filtered: FilteredChecks = FilteredChecks()
    mixed: MixChecks = MixChecks()
    regression: Regression = Regression()
