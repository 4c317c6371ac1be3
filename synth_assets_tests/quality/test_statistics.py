"""The spot check's statistics against scipy and scikit-learn, and the gate that is made of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score

from synth_assets.config import SpotCheck
from synth_assets.quality.spot_check_gate import Gate
from synth_assets.quality.statistics import agreement, allowed_defects, defect_bound, needed_sample, wilson_interval

COUNTS = st.integers(1, 3000).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows)))
VERDICTS = st.sampled_from(("accept", "reject", "fix"))


@given(COUNTS, st.sampled_from((0.8, 0.9, 0.95, 0.99)))
def test_the_interval_is_scipys(counts: tuple[int, int], confidence: float) -> None:
    theirs = binomtest(*counts).proportion_ci(confidence, method="wilson")
    assert wilson_interval(*counts, confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize(
    ("defects", "rows", "expected"),
    [(0, 60, 0.060171852142), (1, 60, 0.088551297276), (3, 60, 0.137005164763), (0, 10, 0.277532799863), (10, 10, 1.0)],
)
def test_upper_bounds_are_those_of_statsmodels(defects: int, rows: int, expected: float) -> None:
    assert wilson_interval(defects, rows)[1] == pytest.approx(expected, abs=1e-11)  # proportion_confint(method="wilson") of statsmodels 0.15


@pytest.mark.parametrize("counts", [(2, 1), (-1, 5)])
def test_impossible_counts_are_refused(counts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="defects"):
        wilson_interval(*counts)


@given(st.floats(0.001, 1), st.integers(0, 20))
def test_the_needed_sample_is_the_smallest_that_does(limit: float, defects: int) -> None:
    rows = needed_sample(limit, defects)
    assert wilson_interval(defects, rows)[1] <= limit
    assert rows == max(1, defects) or wilson_interval(defects, rows - 1)[1] > limit


@pytest.mark.parametrize("limit", [0.01, 0.05, 0.1, 0.5])
def test_without_a_defect_the_needed_sample_has_a_closed_form(limit: float) -> None:
    z = 1.959963984540054
    assert needed_sample(limit) == math.ceil(z * z * (1 - limit) / limit)


def test_a_limit_of_zero_needs_more_than_any_sample() -> None:
    with pytest.raises(ValueError, match="limit"):
        needed_sample(0.0)


@given(st.integers(1, 300), st.floats(0.01, 1))
def test_allowed_defects_are_the_most_that_pass(rows: int, limit: float) -> None:
    allowed = allowed_defects(rows, 10_000, limit)
    if allowed is None:
        assert rows < needed_sample(limit)
    else:
        assert wilson_interval(allowed, rows)[1] <= limit
        assert allowed == rows or wilson_interval(allowed + 1, rows)[1] > limit


def test_a_lot_that_was_read_as_a_whole_has_its_own_rate() -> None:
    assert defect_bound(1, 20, 20) == 0.05 and defect_bound(1, 20, 21) > 0.2
    with pytest.raises(ValueError, match="drawn"):
        defect_bound(0, 3, 2)


@given(st.lists(st.tuples(VERDICTS, VERDICTS), max_size=60))
def test_kappa_is_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    left, right = [a for a, _ in pairs], [b for _, b in pairs]
    found = agreement(left, right)
    assert (found.rows, found.agreed) == (len(pairs), sum(a == b for a, b in pairs))
    if len(set(left + right)) > 1:
        assert found.kappa == pytest.approx(cohen_kappa_score(left, right))
    else:
        assert found.kappa is None


LOT = 1000


@pytest.mark.parametrize(
    ("accepted", "defects", "unread", "required", "lot", "passed"),
    [
        (60, 0, 0, True, LOT, True),
        (59, 1, 0, True, LOT, True),
        (58, 2, 0, True, LOT, False),
        (59, 0, 1, True, LOT, False),
        (0, 0, 60, True, LOT, False),
        (0, 0, 60, False, LOT, True),
        (30, 0, 30, False, LOT, True),
        (30, 1, 29, False, LOT, True),
        (0, 3, 57, False, LOT, False),
        (5, 0, 0, False, LOT, True),
        (5, 1, 0, False, LOT, False),
        (18, 2, 0, True, 20, True),
        (17, 3, 0, True, 20, False),
        (0, 0, 0, True, 0, True),
    ],
)
def test_the_gate(accepted: int, defects: int, unread: int, required: bool, lot: int, passed: bool) -> None:
    verdicts = ["accept"] * accepted + ["reject", "fix"] * defects + [None] * unread
    del verdicts[accepted + defects : accepted + 2 * defects]
    gate = Gate.of(SpotCheck(gate=60, required=required), lot, verdicts)
    assert gate.passed is passed
    assert gate.final_bound == (None if unread or not verdicts else defect_bound(gate.defects, gate.rows, lot))
    assert gate.needed == min(lot, 35) and all(math.isfinite(value) for value in gate.metrics.values())
