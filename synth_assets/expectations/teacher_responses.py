"""Checks of the teacher's responses: whole answers to known instructions, reasoning in its form, few refusals.

What the rule gates of `filtered` reject row by row is here a matter of shares: one bad answer stops no domain.
"""

from synth_assets.expectations.check import Check, Column, StageSlice, Suite, each_of, holds, holds_mostly, texts
from synth_assets.expectations.common import candidates_pass, rows_present, shared

__all__ = ["SUITE"]

STAGE = "teacher_responses"
MIN_YIELD = 0.5
MIN_ANSWERED = 0.95
MIN_IN_LANGUAGE = 0.95
MIN_CLEAN = 0.98
"""Shares of rows; our figures. A teacher that misses them needs another prompt, which no gate can make up for."""

_TAGS = ("<think>", "</think>")


def _instruction_found(rows: StageSlice) -> list[bool]:
    known = rows.known("evolved_instructions")
    return [identity in known for identity in texts(rows.frame, "instruction_id")]


def _think_formed(rows: StageSlice) -> list[bool]:
    """Whether a reasoning trace is in two parts, each with text and without tags."""
    columns = (texts(rows.frame, name) for name in ("method", "thinking", "response"))
    return [
        method != "reasoning" or (bool(thinking.strip()) and bool(response.strip()) and not any(tag in part for tag in _TAGS for part in (thinking, response)))
        for method, thinking, response in zip(*columns, strict=True)
    ]


def _verdict_fits(rows: StageSlice) -> list[bool]:
    columns = (texts(rows.frame, name) for name in ("method", "verdict", "answer"))
    return [
        verdict == "correct" and bool(answer.strip()) if method == "reasoning" else verdict in {"correct", "unverified"}
        for method, verdict, answer in zip(*columns, strict=True)
    ]


def _answered(rows: StageSlice) -> list[bool]:
    from synth_assets.quality.refusals import find_refusal

    return [find_refusal(prompt, response) is None for prompt, response in zip(texts(rows.frame, "prompt"), texts(rows.frame, "response"), strict=True)]


def _in_language(rows: StageSlice) -> list[bool]:
    from synth_assets.quality.languages import is_about_languages, wrong_language

    return [
        is_about_languages(prompt) or wrong_language(response, rows.domain.language) is None
        for prompt, response in zip(texts(rows.frame, "prompt"), texts(rows.frame, "response"), strict=True)
    ]


def _free_of_scaffold(rows: StageSlice) -> list[bool]:
    from synth_assets.quality.leaks import find_scaffold

    return [find_scaffold(response) is None for response in texts(rows.frame, "response")]


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
            holds,
            Column("response_has_text", lambda rows: [bool(response.strip()) for response in texts(rows.frame, "response")]),
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
            holds,
            Column("instruction_found", _instruction_found),
        ),
        Check(
            "think_well_formed",
            "structure",
            "Every reasoning trace has a thinking part and a response, and no think tag in either.",
            "A trace whose reasoning is empty, or runs into its response.",
            holds,
            Column("think_formed", _think_formed),
        ),
        Check(
            "verdicts_correct",
            "structure",
            "Every reasoning trace has a reference answer and reached it; other rows are correct or unverified.",
            "A trace whose answer is wrong or was not checked.",
            holds,
            Column("verdict_fits", _verdict_fits),
        ),
        Check(
            "scaffold_leaks_rare",
            "quality",
            f"At least {MIN_CLEAN:.0%} of the responses hold no token of a chat template and no scaffold words (our figure).",
            "The teacher's template does not fit: its special tokens end up in the text.",
            holds_mostly(MIN_CLEAN),
            Column("free_of_scaffold", _free_of_scaffold),
        ),
        Check(
            "refusals_rare",
            "quality",
            f"At least {MIN_ANSWERED:.0%} of the responses do not decline (our figure).",
            "The teacher declines what the domain asks.",
            holds_mostly(MIN_ANSWERED),
            Column("answered", _answered),
        ),
        Check(
            "languages_match",
            "quality",
            f"At least {MIN_IN_LANGUAGE:.0%} of the responses are in the domain's language (our figure).",
            "The teacher answers in another language.",
            holds_mostly(MIN_IN_LANGUAGE),
            Column("in_language", _in_language),
        ),
        candidates_pass(MIN_YIELD),
    ),
    inputs=("evolved_instructions", "stage_accounts"),
)
