"""Preference pairs about answers that were verified: what is chosen must reach the answer too.

A revision, or the sample that reads best, may have lost the right answer, and the pair would teach that style outweighs it: in a demo's release
"9 leaves left" stood chosen over a verified "12". So the chosen side is verified as the trace was where it marks its answer, as traces are asked
to. Samples and revisions are not asked to: what they say in free text ("She has 12 leaves left. That is 8 fewer.") has to say it in a
sentence of its own, or a number. Invariant: no pair is kept whose prompt has a verified answer that the chosen side does not give.
"""

from collections.abc import Sequence

from synth_assets.accounts import Outcome, Row
from synth_assets.methods.reasoning import Verify, marks_answer, to_verify
from synth_assets.quality.code_tests import is_tests
from synth_assets.quality.equations import numbers
from synth_assets.quality.findings import one_line
from synth_assets.quality.sentences import sentences

__all__ = ["verify_pairs"]

SOURCES = ("verification", "code_tests", "equations", "sentences")
"""The modules of quality that decide what is correct."""


def verify_pairs(responses: Sequence[Row], verify: Verify, outcome: Outcome) -> None:
    """Reject pairs about a verified answer whose chosen side does not reach it: under the verdict's name, as traces are, or as `answer_missing`.

    Args:
        responses: Rows of teacher_responses that the pairs are about.
        verify: As for traces.
        outcome: Of preference_pairs.
    """
    answers = {row["id"]: row["answer"] for row in responses if row["verdict"] == "correct" and row["answer"]}
    pairs = [pair for pair in outcome.kept if pair["response_id"] in answers]
    if not pairs:
        return
    claims = [_claims(pair["chosen"], answers[pair["response_id"]], pair["language"]) for pair in pairs]
    verdicts = iter(verify([(answers[pair["response_id"]], claim) for pair, said in zip(pairs, claims, strict=True) for claim in said]))
    lost = set()
    for pair, said in zip(pairs, claims, strict=True):
        answer, found = answers[pair["response_id"]], [next(verdicts) for _ in said]
        if "correct" not in found:
            lost.add(pair["id"])
            verdict = found[0] if _marked(pair["chosen"], answer, pair["language"]) else "missing"
            outcome.reject(pair, f"answer_{verdict}", evidence=f"{one_line(said[-1][:80])} for {one_line(answer)}")
    outcome.kept = [pair for pair in outcome.kept if pair["id"] not in lost]


def _marked(chosen: str, answer: str, language: str) -> bool:
    return is_tests(answer) or marks_answer(chosen, language)


def _claims(chosen: str, answer: str, language: str) -> list[str]:
    """What `chosen` may mean as its answer: what it marks as such, or else each of its sentences and numbers."""
    if _marked(chosen, answer, language):
        return [to_verify(chosen, answer, language)]
    said = numbers(chosen) if numbers(answer) == [answer.strip()] else sentences(chosen)
    return list(dict.fromkeys(said)) or [chosen]
