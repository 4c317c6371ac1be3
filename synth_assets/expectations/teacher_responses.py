"""Checks of the teacher's responses: whole answers to known instructions, reasoning in its form, few refusals.

What the rule gates of `filtered` reject row by row is here a matter of shares: one bad answer stops no domain.
"""

from synth_assets.expectations.check import Check, Column, Figure, StageSlice, Suite, texts
from synth_assets.expectations.common import candidates_pass, rows_present, shared
from synth_assets.expectations.forms import at_least, each_of, holds
from synth_assets.expectations.regression import HISTORY, regression_checks

__all__ = ["SUITE"]

STAGE = "teacher_responses"
_TAGS = ("<think>", "</think>")


def _instruction_found(rows: StageSlice) -> list[bool]:
    known = rows.known("evolved_instructions")
    return [identity in known for identity in rows.texts("instruction_id")]


def _think_formed(rows: StageSlice) -> list[bool]:
    """Whether a reasoning trace is in two parts, each with text and without tags."""
    columns = (rows.texts(name) for name in ("method", "thinking", "response"))
    return [
        method != "reasoning" or (bool(thinking.strip()) and bool(response.strip()) and not any(tag in part for tag in _TAGS for part in (thinking, response)))
        for method, thinking, response in zip(*columns, strict=True)
    ]


def _verdict_fits(rows: StageSlice) -> list[bool]:
    columns = (rows.texts(name) for name in ("method", "verdict", "answer"))
    return [
        verdict == "correct" and bool(answer.strip()) if method == "reasoning" else verdict in {"correct", "unverified"}
        for method, verdict, answer in zip(*columns, strict=True)
    ]


def _share_verified(rows: StageSlice) -> float | None:
    """Of the instructions that carry a reference answer, where the domain asks for reasoning: those with a correct response."""
    asked = rows.fact("evolved_instructions")
    if rows.domain.methods.reasoning is None:
        return None
    checkable = {identity for identity, answer in zip(texts(asked, "id"), texts(asked, "answer"), strict=True) if answer.strip()}
    correct = {identity for identity, verdict in zip(rows.texts("instruction_id"), rows.texts("verdict"), strict=True) if verdict == "correct"}
    return len(checkable & correct) / len(checkable) if checkable else None


def _answered(rows: StageSlice) -> list[bool]:
    from synth_assets.quality.refusals import find_refusal

    return [find_refusal(prompt, response) is None for prompt, response in zip(rows.texts("prompt"), rows.texts("response"), strict=True)]


def _in_language(rows: StageSlice) -> list[bool]:
    from synth_assets.quality.languages import is_about_languages, wrong_language

    return [
        wrong_language(response, rows.domain.language) is None or is_about_languages(prompt)
        for prompt, response in zip(rows.texts("prompt"), rows.texts("response"), strict=True)
    ]


def _free_of_scaffold(rows: StageSlice) -> list[bool]:
    from synth_assets.quality.leaks import find_scaffold

    return [find_scaffold(response) is None for response in rows.texts("response")]


SUITE = Suite(
    STAGE,
    (
        *shared(STAGE, apart=("response",)),
        rows_present,
        Check(
            "responses_present",
            "structure",
            "Every response has text.",
            "An empty answer.",
            holds(),
            Column("response_has_text", lambda rows: [bool(response.strip()) for response in rows.texts("response")]),
        ),
        Check(
            "stop_reasons_final",
            "structure",
            "The teacher ended every response by itself.",
            "A response that was cut off or refused by the endpoint.",
            each_of("stop_reason", ("end_turn", "stop_sequence")),
        ),
        Check(
            "instructions_exist",
            "structure",
            "Every response answers a row of evolved_instructions.",
            "A response to an instruction that is not there.",
            holds(),
            Column("instruction_found", _instruction_found),
        ),
        Check(
            "think_well_formed",
            "structure",
            "Every reasoning trace has a thinking part and a response, and no think tag in either.",
            "A trace whose reasoning is empty, or runs into its response.",
            holds(),
            Column("think_formed", _think_formed),
        ),
        Check(
            "verdicts_correct",
            "structure",
            "Every reasoning trace has a reference answer and reached it; other rows are correct or unverified.",
            "A trace whose answer is wrong or was not checked.",
            holds(),
            Column("verdict_fits", _verdict_fits),
        ),
        Check(
            "scaffold_leaks_rare",
            "quality",
            "Enough of the responses hold no token of a chat template and no scaffold words.",
            "The teacher's template does not fit: its special tokens end up in the text.",
            holds(lambda domain: domain.checks.teacher_responses.min_clean),
            Column("free_of_scaffold", _free_of_scaffold),
        ),
        Check(
            "refusals_rare",
            "quality",
            "Enough of the responses do not decline.",
            "The teacher declines what the domain asks.",
            holds(lambda domain: domain.checks.teacher_responses.min_answered),
            Column("answered", _answered),
        ),
        Check(
            "languages_match",
            "quality",
            "Enough of the responses are in the domain's language.",
            "The teacher answers in another language.",
            holds(lambda domain: domain.checks.teacher_responses.min_in_language),
            Column("in_language", _in_language),
        ),
        Check(
            "answers_verified",
            "quality",
            "Enough of the instructions with a reference answer have a response that reaches it.",
            "Most answers that can be checked are wrong, or were not checked.",
            at_least(lambda domain: domain.checks.teacher_responses.min_verified),
            Figure("share_verified", _share_verified),
        ),
        candidates_pass(lambda domain: domain.checks.teacher_responses.min_acceptance),
        *regression_checks("length", "refusal_rate", "acceptance", "cost"),
    ),
    inputs={"evolved_instructions": ("id", "answer"), "stage_accounts": (), HISTORY: ()},
)
