"""The account of a stage: what balances, what does not, and what the user is told then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_assets.accounts import Outcome
from synth_assets.errors import StageFailed


@given(st.lists(st.sampled_from(["kept", "rejected", "rejected twice", "surplus"])))
def test_an_account_balances_when_every_candidate_is_in_one_place(places: list[str]) -> None:
    outcome = Outcome(planned=len(places))
    for number, place in enumerate(places):
        row = {"id": str(number)}
        if place == "kept":
            outcome.kept.append(row)
        elif place == "surplus":
            outcome.surplus.append(row)
        else:
            for rule in ("short", "unclear")[: 1 + ("twice" in place)]:
                outcome.reject(row, rule, 1.0, "seen")
    outcome.check_balance("seeds", "home")
    assert outcome.candidates == len(places)
    assert len(outcome.rejected) == len(outcome.rejected_ids) + places.count("rejected twice")


@given(st.integers(0, 5), st.integers(0, 5))
def test_a_candidate_too_many_or_too_few_is_a_failure_with_both_numbers(planned: int, kept: int) -> None:
    outcome = Outcome(planned=planned, kept=[{"id": str(number)} for number in range(kept)])
    if planned == kept:
        outcome.check_balance("seeds", "home")
        return
    with pytest.raises(StageFailed, match=rf"seeds of home: {planned} candidates were planned, but {kept} kept \+ 0 rejected \+ 0 surplus = {kept}\."):
        outcome.check_balance("seeds", "home")


@pytest.mark.parametrize("places", [("kept", "kept"), ("kept", "surplus"), ("kept", "rejected"), ("surplus", "rejected"), ("surplus", "surplus")])
def test_a_row_in_two_places_is_a_failure_that_names_it(places: tuple[str, str]) -> None:
    outcome = Outcome(planned=2)
    for place in places:
        if place == "rejected":
            outcome.reject({"id": "a1"}, "short")
        else:
            getattr(outcome, place).append({"id": "a1"})
    with pytest.raises(StageFailed, match="rows in two places at once: a1"):
        outcome.check_balance("seeds", "home")


def test_a_use_without_a_call_is_not_noted() -> None:
    outcome = Outcome()
    outcome.use("a1", ["k1", "", "k2"])
    assert outcome.call_uses == [("k1", "a1"), ("k2", "a1")]


def test_an_empty_account_balances() -> None:
    Outcome().check_balance("seeds", "home")
    assert Outcome().candidates == 0


def test_what_breaks_off_leaves_the_account_as_it_was() -> None:
    outcome = Outcome(planned=1, surplus=[{"id": "left over"}])
    with pytest.raises(ZeroDivisionError), outcome.all_or_nothing():
        outcome.planned += 2
        outcome.kept.append(outcome.surplus.pop())
        outcome.reject({"id": "bad"}, "short")
        outcome.use("bad", ["call"])
        raise ZeroDivisionError
    assert outcome == Outcome(planned=1, surplus=[{"id": "left over"}])
    with outcome.all_or_nothing():
        outcome.planned += 1
        outcome.kept.append({"id": "good"})
    outcome.check_balance("seeds", "home")
