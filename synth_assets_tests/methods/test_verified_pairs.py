"""Pairs about verified answers, with the real verifier: the chosen side must reach the answer, whatever it reads like."""

from typing import Any

import pytest

from synth_assets.accounts import Outcome
from synth_assets.methods.verified_pairs import verify_pairs
from synth_assets.quality.verification import verify_all


def response(answer: str | None, verdict: str) -> dict[str, Any]:
    return {"id": "r", "answer": answer, "verdict": verdict}


def pair(chosen: str, language: str = "en") -> dict[str, Any]:
    return {"id": "p", "response_id": "r", "language": language, "chosen": chosen, "rejected": "Answer: 12"}


@pytest.mark.parametrize(
    ("answered", "chosen", "rule"),
    [
        (response("12", "correct"), pair("Taking 8 from 20 leaves 12.\nAnswer: 12"), None),
        (response("12", "correct"), pair("It would be wrong to subtract leaves. So 9 are left.\nAnswer: 9"), "answer_wrong"),
        (response("12", "correct"), pair("Friendly words about sums."), "answer_missing"),
        (response("12", "correct"), pair("She has 12 leaves left. That is 8 fewer than the 20 she started with."), None),
        (response("12", "correct"), pair("**Mia has 12 leaves left.** (You can check: 12 + 8 = 20.)"), None),
        (response("12", "correct"), pair("12 leaves left.\n\nStep 1: count 20. Step 2: subtract 8."), None),
        (response("12.5", "correct"), pair("$12.50 per person for 4 people."), None),
        (response("12", "correct"), pair("Nine leaves are left, for 20 - 8 is 9. " * 80), "answer_missing"),
        (response("\\frac{1}{2}", "correct"), pair("Half of it: $\\frac{1}{2}$ is left. Then 3 more come."), None),
        (response("12", "correct"), pair("12 were there, so \\boxed{9} are left."), "answer_wrong"),
        (response("12", "correct"), pair("二十减八得十二。\n答案：12", "zh"), None),
        (response("12", "unverified"), pair("Friendly words about sums."), None),
        (response(None, "unverified"), pair("Friendly words about sums."), None),
    ],
)
def test_the_chosen_side_reaches_what_was_verified(answered: dict[str, Any], chosen: dict[str, Any], rule: str | None) -> None:
    outcome = Outcome(planned=1, kept=[chosen])
    verify_pairs([answered], verify_all, outcome)
    assert [r.rule for r in outcome.rejected] == ([rule] if rule else [])
    assert outcome.kept == ([] if rule else [chosen])


def test_of_many_pairs_only_those_are_rejected_and_the_others_keep_their_order() -> None:
    rows = [{"id": f"r{n}", "answer": str(n), "verdict": "correct" if n % 2 else "unverified"} for n in range(6)]
    pairs = [{"id": f"p{n}", "response_id": f"r{n}", "language": "en", "chosen": "Answer: 3", "rejected": ""} for n in range(6)]
    outcome = Outcome(planned=6, kept=list(pairs))
    verify_pairs(rows, verify_all, outcome)
    assert [row["id"] for row in outcome.kept] == ["p0", "p2", "p3", "p4"]
    assert outcome.rejected_ids == {"p1", "p5"}
