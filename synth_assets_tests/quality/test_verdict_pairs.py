"""What verdicts teach: pairs, references, and nothing where nothing was said about quality."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from synth_assets.quality.reward_pairs import HUMAN, Pair, training_pairs
from synth_assets.quality.verdict_pairs import Seen, lessons


def seen(verdict: str, response: str = "good", rejected: str | None = None, *, prompt: str = "Why?", domain: str = "math", **more: str) -> Seen:
    return Seen({"domain": domain, "kind": "sft", "prompt": prompt, "response": response, "rejected": rejected}, verdict, **more)


def test_pairs_keep_or_turn_their_order_as_a_person_said() -> None:
    assert lessons([seen("accept", "good", "bad")]).pairs == [Pair("Why?", "good", "bad", HUMAN)]
    assert lessons([seen("reject", "bad", "good", reason="worse_chosen")]).pairs == [Pair("Why?", "good", "bad", HUMAN)]
    assert lessons([seen("reject", "bad", "good", reason="equal")]).pairs == []
    assert lessons([seen("reject", "bad", "worse", reason="wrong")]).pairs == []


def test_a_correction_beats_what_it_corrects_and_is_a_reference() -> None:
    found = lessons([seen("fix", "nearly", corrected="exactly"), seen("fix", "left", "right", prompt="How?", corrected="both")])
    assert set(found.pairs) == {Pair("Why?", "exactly", "nearly", HUMAN), Pair("How?", "both", "left", HUMAN), Pair("How?", "both", "right", HUMAN)}
    assert {row["response"] for row in found.references} == {"exactly", "both"}


def test_a_rejected_answer_loses_to_accepted_ones_of_its_domain_each_under_its_own_prompt() -> None:
    accepted = [seen("accept", f"good {n}", prompt=f"Question {n}?") for n in range(5)]
    found = lessons([*accepted, seen("accept", "elsewhere", domain="writing"), seen("reject", "bad", prompt="What?", reason="wrong")])
    assert len(found.pairs) == 3 and {pair.rejected for pair in found.pairs} == {"bad"}
    assert all(pair.chosen.startswith("good") and pair.prompt.startswith("Question") and pair.rejected_prompt == "What?" for pair in found.pairs)
    assert len(found.references) == 6


def test_what_says_nothing_about_quality_teaches_nothing() -> None:
    said = [seen("reject", "copied", reason="contaminated"), seen("reject", "telling", reason="private_data"), seen("undo"), seen("fix", corrected=" ")]
    found = lessons([seen("accept", "good", prompt="A?"), *said])
    assert found.pairs == [] and len(found.references) == 1


VERDICTS = st.builds(
    seen, st.sampled_from(["accept", "reject", "fix"]), st.sampled_from("abc"), st.sampled_from([None, "a", "b"]), prompt=st.sampled_from("pq"),
    reason=st.sampled_from(["", "wrong", "worse_chosen"]), corrected=st.sampled_from(["", "a", "c"]),
)  # fmt: skip


@given(st.lists(VERDICTS, max_size=8, unique_by=lambda s: (s.row["prompt"], s.row["response"], s.row["rejected"])), st.randoms())
def test_the_order_of_verdicts_does_not_matter_and_no_answer_beats_itself(given_: list[Seen], random: Any) -> None:
    shuffled = random.sample(given_, len(given_))
    assert lessons(given_) == lessons(shuffled)
    assert all(pair.chosen != pair.rejected for pair in lessons(given_).pairs)
    assert set(lessons(given_).pairs) <= set(training_pairs([], [], 0, lessons(given_).pairs))
