"""What a domain file may say about its gates: limits of the rules, near-duplicates, decontamination, the reward model, and who stands."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from synth_assets.config_mix import Section
from synth_assets.faults import Fault, broken

__all__ = ["Decontamination", "Gates", "NearDuplicates", "Reward", "Rules", "Selection", "Share", "Toxicity", "Words", "not_below"]

Share = Annotated[float, Field(ge=0, le=1)]
Words = Annotated[int, Field(ge=0, le=100_000)]


def not_below(low: str) -> AfterValidator:
    """The upper of two limits: not below the field `low`, which is declared before it."""

    def check(value: int, info: ValidationInfo) -> int:
        least = info.data.get(low, value)
        if value < least:
            raise broken([Fault((), f"{info.field_name} is {value}, below {low}, which is {least}", f"write {least} or more, or lower {low}")])
        return value

    return AfterValidator(check)


class Toxicity(Section):
    """A text classifier that says what is toxic: a name or folder of transformers, on this machine already."""

    model: str = Field(min_length=1, max_length=500)
    above: Share = Field(default=0.5, description="A row whose prompt or response scores above is rejected. Our figure.")
    labels: tuple[str, ...] = Field(default=(), description="The model's labels that count; none: all that do not begin like harmless ones (non-, neutral).")


class Rules(Section):
    """Limits of the rule gates. A row is tested by all of them."""

    min_prompt_words: Words = 3
    max_prompt_words: Annotated[Words, not_below("min_prompt_words")] = Field(default=2000, validate_default=True)
    min_response_words: Words = 1
    max_response_words: Annotated[Words, not_below("min_response_words")] = Field(default=4000, validate_default=True)
    max_duplicate_line_share: Share = Field(default=0.30, description="Gopher: share of lines that repeat an earlier one.")
    max_top_2gram_share: Share = Field(default=0.20, description="Gopher: share of characters in the most frequent word 2-gram.")
    max_top_3gram_share: Share = Field(default=0.18, description="Likewise for 3-grams.")
    max_top_4gram_share: Share = Field(default=0.16, description="Likewise for 4-grams.")
    max_duplicate_10gram_share: Share = Field(default=0.10, description="Gopher: share of characters in 10-grams that occur more than once; ours: 3 times.")
    min_top_occurrences: int = Field(default=12, ge=2, le=10_000, description="Occurrences from which a top n-gram counts. Ours; Gopher has none: 2.")
    max_verse_share: Share = Field(default=0.6, description="The least that all of these shares are in songs and poems, which repeat on purpose. Ours.")
    toxicity: Toxicity | None = Field(default=None, description="A classifier to ask; without one nothing is tested for toxicity.")
    off: tuple[str, ...] = Field(default=(), description="Rules, by name, that do not apply to this domain.")


class NearDuplicates(Section):
    """One survivor per group: the better score, then the earlier row."""

    rouge_l: Share = Field(default=0.7, description="Prompts above are near-duplicates; equal is kept.")
    jaccard: Share = Field(default=0.8, description="Rows at or above, on word 5-grams of prompt and response, are near-duplicates.")
    cosine: Share = Field(default=0.95, description="Prompts above, on sentence embeddings, are near-duplicates. Our figure.")


class Decontamination(Section):
    """Word n-gram rules against the domain's benchmarks (GPT-3: 13; Tulu 3: 8 and one half)."""

    coverage: Share = Field(default=0.5, description="A row covering more of an item's words by 8-grams is contaminated.")
    ngram: int = Field(default=13, ge=5, le=50)
    common: int = Field(default=3, ge=1, description="An n-gram in at least this many real rows is boilerplate, and ignored. Our figure.")
    # Of 20 rewordings 0.65 finds 18 and 0.8 finds 7; of 46 translations to Chinese 0.65 finds 39 and 0.8 finds 25;
    # of 401 Alpaca prompts against 431 items 0.65 shows 1 (bench/paraphrases.py).
    review_cosine: Share = Field(default=0.65, description="Prompts this near to an item's prompt, on sentence embeddings, are shown for review, not dropped.")


class Selection(Section):
    """Which rows stand when more pass than are wanted."""

    by: Literal["order", "diversity"] = Field(default="order", description="The first ones, or good, hard and varied ones (DEITA, arXiv 2312.15685).")
    max_cosine: Share = Field(default=0.9, description="By diversity: of a prompt to every one already taken. The paper's figure.")


class Reward(Section):
    """What scores answers, and its floor in percentiles of the domain's reference responses."""

    by: Literal["embedded", "cross_encoder", "judge"] = Field(
        default="embedded", description="The shipped or last trained model, a model by name, or the teacher as a judge (UltraFeedback, arXiv 2310.01377)."
    )
    model: str | None = Field(
        default=None,
        min_length=1,
        max_length=500,
        validate_default=True,
        description="For cross_encoder: a name or folder of sentence-transformers or a reward model, on this machine already.",
    )
    floor: Share = Field(default=0.05, description="Rows below are rejected. Our figure.")

    @field_validator("model")
    @classmethod
    def _named_where_needed(cls, model: str | None, info: ValidationInfo) -> str | None:
        by = info.data.get("by")
        if by == "cross_encoder" and model is None:
            raise broken([Fault((), "by is cross_encoder, but no model is named", "add gates.reward.model: a folder, or a name that is on this machine")])
        if by in {"embedded", "judge"} and model is not None:
            raise broken([Fault((), f"by is {by}, which takes no model", "delete model, or write by: cross_encoder")])
        return model


class Gates(Section):
    """What a row must pass, and what the checks do when quality is low."""

    rules: Rules = Rules()
    near_duplicates: NearDuplicates = NearDuplicates()
    decontamination: Decontamination = Decontamination()
    reward: Reward = Reward()
    selection: Selection = Selection()
    quality: Literal["block", "warn"] = Field(default="block", description="What a failed quality expectation does; structure always blocks.")
    max_failed_share: Share = Field(default=0.5, description="A stage stops when more of its calls failed in the endpoint or the wire.")
