"""Checks of preference pairs: two different answers to one known prompt, every revision accounted for, and a margin that is not length alone."""

from math import isfinite

from synth_assets.expectations.check import Check, Column, Figure, StageSlice, Suite, items, texts
from synth_assets.expectations.common import shared
from synth_assets.expectations.forms import at_least, at_most, holds
from synth_assets.expectations.regression import HISTORY, regression_checks

__all__ = ["SUITE"]

STAGE = "preference_pairs"


def _response_found(rows: StageSlice) -> list[bool]:
    """Whether the pair's response is there, and answered the same instruction under the same prompt."""
    responses = rows.fact("teacher_responses")
    known = dict(zip(texts(responses, "id"), zip(texts(responses, "instruction_id"), texts(responses, "prompt"), strict=True), strict=True))
    columns = (rows.texts(name) for name in ("response_id", "instruction_id", "prompt"))
    return [known.get(response) == (instruction, prompt) for response, instruction, prompt in zip(*columns, strict=True)]


def _answers_differ(rows: StageSlice) -> list[bool]:
    return [chosen.split() != rejected.split() for chosen, rejected in zip(rows.texts("chosen"), rows.texts("rejected"), strict=True)]


def _revisions_fit(rows: StageSlice) -> list[bool]:
    """A constitutional pair has a principle and a critique per round, and at least one round changed it; other pairs have none of them."""
    settings = rows.domain.methods.constitutional
    rounds = settings.rounds if settings else 0
    columns = (rows.texts("method"), rows.frame["principle"], rows.frame["critique"], rows.frame["revisions"])
    fits = []
    for method, principle, critique, revisions in zip(*columns, strict=True):
        principles, critiques = items(principle), items(critique)
        if method == "constitutional":
            fits.append(1 <= revisions <= len(principles) == len(critiques) <= rounds)
        else:
            fits.append(revisions == len(principles) == len(critiques) == 0)
    return fits


def _positive_margins(rows: StageSlice) -> float | None:
    margins = rows.frame["chosen_score"] - rows.frame["rejected_score"]
    if not all(map(isfinite, margins)):
        raise ValueError(f"{sum(not isfinite(margin) for margin in margins)} margins are no numbers")
    return float((margins > 0).mean()) if len(margins) else None


def _longer_share(rows: StageSlice) -> float | None:
    """Share of pairs whose chosen answer is the longer one, of those whose lengths differ."""
    lengths = [(len(chosen), len(rejected)) for chosen, rejected in zip(rows.texts("chosen"), rows.texts("rejected"), strict=True)]
    differing = [chosen > rejected for chosen, rejected in lengths if chosen != rejected]
    return sum(differing) / len(differing) if differing else None


SUITE = Suite(
    STAGE,
    (
        *shared(STAGE),
        Check(
            "responses_exist",
            "structure",
            "Every pair names a row of teacher_responses with the same instruction and prompt.",
            "A pair whose prompt or first answer nobody can find.",
            holds(),
            Column("response_found", _response_found),
        ),
        Check(
            "answers_differ",
            "structure",
            "Chosen and rejected are different texts, white space aside.",
            "A pair that prefers a text to itself.",
            holds(),
            Column("answers_are_different", _answers_differ),
        ),
        Check(
            "revisions_counted",
            "structure",
            "A constitutional pair has a critique per principle, within the domain's rounds, and at least one revision changed it.",
            "Critiques, principles and revisions that do not belong together.",
            holds(),
            Column("revisions_fit", _revisions_fit),
        ),
        Check(
            "margins_positive",
            "quality",
            "In enough of the pairs the chosen answer has a higher reward than the rejected one.",
            "The reward model prefers what was rejected.",
            at_least(lambda domain: domain.checks.preference_pairs.min_positive_margins),
            Figure("share_of_positive_margins", _positive_margins),
        ),
        Check(
            "length_bias_bounded",
            "quality",
            "The chosen answer is the longer one in few enough of the pairs whose lengths differ.",
            "Preference comes down to length: a reward model, or a student, learns to write more instead of better.",
            at_most(lambda domain: domain.checks.preference_pairs.max_longer),
            Figure("share_of_longer_chosen", _longer_share),
        ),
        *regression_checks("length", "reward", "acceptance", "cost"),
    ),
    inputs={"teacher_responses": ("id", "instruction_id", "prompt"), "stage_accounts": (), HISTORY: ()},
)
