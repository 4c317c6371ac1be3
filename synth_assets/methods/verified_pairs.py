"""Preference pairs about answers that were verified: what is chosen must reach the answer too.

A revision, or the sample that reads best, may have lost the right answer, and the pair would teach that style outweighs it: in a demo's release
"9 leaves left" stood chosen over a verified "12". So the chosen side is verified as the trace was. Invariant: no pair is kept whose prompt has a
verified answer that the chosen side does not give.
"""

from collections.abc import Sequence

from synth_assets.accounts import Outcome, Row
from synth_assets.methods.reasoning import Verify, to_verify
from synth_assets.quality.findings import one_line

__all__ = ["verify_pairs"]

SOURCES = ("verification", "code_tests")
"""The modules of quality that decide what is correct."""


def verify_pairs(responses: Sequence[Row], verify: Verify, outcome: Outcome) -> None:
    """Reject pairs about a verified answer whose chosen side does not reach it, under the verdict's name, as traces are.

    Args:
        responses: Rows of teacher_responses that the pairs are about.
        verify: As for traces.
        outcome: Of preference_pairs.
    """
    answers = {row["id"]: row["answer"] for row in responses if row["verdict"] == "correct" and row["answer"]}
    pairs = [pair for pair in outcome.kept if pair["response_id"] in answers]
    if not pairs:
        return
    given = [(answers[pair["response_id"]], to_verify(pair["chosen"], answers[pair["response_id"]], pair["language"])) for pair in pairs]
    lost = set()
    for pair, (answer, said), verdict in zip(pairs, given, verify(given), strict=True):
        if verdict != "correct":
            lost.add(pair["id"])
            outcome.reject(pair, f"answer_{verdict}", evidence=f"{one_line(said[:80])} for {one_line(answer)}")
    outcome.kept = [pair for pair in outcome.kept if pair["id"] not in lost]
