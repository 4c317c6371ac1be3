"""What every materialization notes of its rows, for the history: how varied and how long they are, how often the teacher declined, their reward.

One list of columns per stage says what is a prompt and what is an answer there. Figures are of the kept rows; refusals count those that were
rejected for it too. What cannot be measured is left out: a stage without answers has no length of answers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from synth_assets.accounts import Rejection, Row
from synth_assets.config import Domain
from synth_assets.quality.diversity import measure
from synth_assets.quality.embeddings import Matrix
from synth_assets.quality.refusals import find_refusal
from synth_assets.quality.words import count_words

__all__ = ["PARTS", "measure_rows"]

Text = Callable[[Row], str]


class Parts(NamedTuple):
    """What is measured of a stage's rows."""

    prompt: Text
    answer: Text | None = None
    reward: Callable[[Row], float | None] | None = None
    """A percentile; for pairs of preference_pairs the margin."""
    may_refuse: bool = False


def _column(name: str) -> Text:
    return lambda row: str(row[name] or "")


def _asked(row: Row) -> str:
    return next((str(turn["content"]) for turn in row["messages"] if turn["role"] == "user"), "")


def _answered(row: Row) -> str:
    last = (row["chosen"] or row["messages"] or ({"content": ""},))[-1]
    return str(last["content"])


PARTS: Mapping[str, Parts] = {
    "seeds": Parts(_column("instruction"), _column("response")),
    "generated_instructions": Parts(_column("instruction")),
    "evolved_instructions": Parts(_column("instruction")),
    "teacher_responses": Parts(_column("prompt"), _column("response"), may_refuse=True),
    "preference_pairs": Parts(_column("prompt"), _column("chosen"), lambda row: row["chosen_score"] - row["rejected_score"]),
    "real_data": Parts(_column("instruction"), _column("response")),
    "filtered": Parts(_column("prompt"), _column("response"), lambda row: row["reward"]),
    "mixed": Parts(_asked, _answered, lambda row: row["reward"]),
}
"""By stage; spot_check holds no texts of its own."""


def measure_rows(stage: str, rows: Sequence[Row], rejected: Iterable[Rejection], domain: Domain, vectors: Sequence[Matrix] = ()) -> dict[str, float]:
    """Measures of one stage's rows, by name; nothing for a stage without texts.

    Args:
        stage: A stage.
        rows: What it kept.
        rejected: What it rejected.
        domain: Its language and topics.
        vectors: Embeddings of the rows' prompts and of the declared topics; none where they were not made.

    Returns:
        What `diversity.measure` returns of the prompts, and `mean_response_words`; `refusal_rate`, of all that the teacher answered;
        `reward_mean` or, for pairs that are only made, `margin_mean`.
    """
    if (parts := PARTS.get(stage)) is None:
        return {}
    prompts = [parts.prompt(row) for row in rows]
    figures = measure(prompts, [row["topic"] for row in rows], domain.topic_names, domain.language, *vectors)
    if parts.answer is not None and rows:
        answers = [parts.answer(row) for row in rows]
        figures["mean_response_words"] = fmean(count_words(answer, domain.language) for answer in answers)
        if parts.may_refuse:
            declined = sum(find_refusal(prompt, answer) is not None for prompt, answer in zip(prompts, answers, strict=True))
            refused = len({rejection.row["id"] for rejection in rejected if rejection.rule == "refusal"})
            figures["refusal_rate"] = (declined + refused) / (len(rows) + refused)
    if parts.reward is not None:
        rewards = [reward for row in rows if (reward := parts.reward(row)) is not None]
        if rewards:
            figures["margin_mean" if stage == "preference_pairs" else "reward_mean"] = fmean(rewards)
    return figures
