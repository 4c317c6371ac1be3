"""The mix: its share, its strata, and what it does not depend on."""

from collections import Counter
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_assets.errors import StageFailed
from synth_assets.quality.mixing import Limit, largest_remainder, mix

TOPICS = st.sampled_from(["algebra", "geometry", "units"])
SHARES = st.sampled_from([0.7, 0.72, 0.75, 0.8, 0.85, 0.9])


def side(prefix: str, topics: list[str]) -> dict[str, str]:
    return {f"{prefix}{i}": topic for i, topic in enumerate(topics)}


SIDES = st.tuples(st.lists(TOPICS, max_size=120).map(lambda t: side("s", t)), st.lists(TOPICS, max_size=60).map(lambda t: side("r", t)))


@given(sides=SIDES, share=SHARES)
def test_the_share_is_met_with_what_there_is(sides: tuple[dict[str, str], dict[str, str]], share: float) -> None:
    synthetic, real = sides
    result = mix(synthetic, real, share, "seed")
    assert set(result.synthetic) <= synthetic.keys()
    assert set(result.real) <= real.keys()
    assert Counter([*result.chosen, *result.surplus]) == Counter([*synthetic, *real])
    if not synthetic or not real:
        assert result.chosen == ()
        assert result.share is None
        assert result.reason
        return
    rows = len(result.chosen)
    assert result.reason == ""
    assert abs(len(result.synthetic) - Fraction(str(share)) * rows) < 1
    # As large as it can be: one more row at this share and a side would run out.
    assert (rows + 1) * share > len(synthetic) or (rows + 1) * (1 - share) > len(real) - 1e-9


@given(sides=SIDES, share=SHARES, order=st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(sides: tuple[dict[str, str], dict[str, str]], share: float, order: Random) -> None:
    synthetic, real = sides
    turned = dict(order.sample(list(synthetic.items()), len(synthetic)))
    assert mix(turned, dict(reversed(real.items())), share, 7, "math") == mix(synthetic, real, share, 7, "math")


CAPS = st.lists(st.sampled_from([0.02, 0.1, 0.25, 0.5, 1.0]), min_size=2, max_size=2)


@given(sides=SIDES, share=SHARES, caps=CAPS)
def test_limits_hold_and_the_mix_is_as_large_as_they_allow(sides: tuple[dict[str, str], dict[str, str]], share: float, caps: list[float]) -> None:
    synthetic, real = sides
    groups = [frozenset(list(side)[: len(side) // 2]) for side in sides]
    result = mix(synthetic, real, share, "seed", limits=[Limit(f"group {n}", cap, group) for n, (cap, group) in enumerate(zip(caps, groups, strict=True))])
    rows = len(result.chosen)
    p = Fraction(str(share))

    def fits(size: int) -> bool:
        left = [len(s) - max(0, len(g) - int(Fraction(str(c)) * size)) for s, g, c in zip(sides, groups, caps, strict=True)]
        return p * size <= left[0] and (1 - p) * size <= left[1]

    assert rows == max(size for size in range(200) if fits(size))
    assert Counter([*result.chosen, *result.surplus]) == Counter([*synthetic, *real])
    for cap, group in zip(caps, groups, strict=True):
        assert len(group & set(result.chosen)) <= cap * rows + 1e-9
    assert bool(result.reason) == (rows == 0)


@given(topics=st.lists(TOPICS, min_size=5, max_size=200))
def test_topics_keep_their_proportions(topics: list[str]) -> None:
    synthetic = side("s", topics)
    result = mix(synthetic, side("r", ["units"] * 3), 0.8, 1)
    taken = Counter(synthetic[i] for i in result.synthetic)
    for topic, count in Counter(topics).items():
        assert abs(taken[topic] - count * len(result.synthetic) / len(topics)) < 1


@pytest.mark.parametrize(
    ("synthetic", "real", "share", "expected"),
    [
        (80, 20, 0.8, (80, 20)),
        (100, 3, 0.7, (7, 3)),  # 3 / (1 - 0.7) in binary is 9.999999999999998
        (100, 20, 0.8, (80, 20)),
        (24, 20, 0.8, (24, 6)),
        (9, 100, 0.9, (9, 1)),
        (1, 1, 0.8, (1, 0)),
        (6, 5, 0.8, (6, 1)),
    ],
)
def test_counts(synthetic: int, real: int, share: float, expected: tuple[int, int]) -> None:
    result = mix(side("s", ["algebra"] * synthetic), side("r", ["algebra"] * real), share, 0)
    assert (len(result.synthetic), len(result.real)) == expected


def test_one_row_less_moves_at_most_one_other() -> None:
    synthetic, real = side("s", ["algebra", "units"] * 100), side("r", ["units"] * 20)
    before = mix(synthetic, real, 0.8, 3)
    gone = before.synthetic[10]
    after = mix({i: topic for i, topic in synthetic.items() if i != gone}, real, 0.8, 3)
    assert len(set(before.chosen) - set(after.chosen) - {gone}) <= 1


def test_seeds_differ_and_repeat() -> None:
    synthetic, real = side("s", ["algebra"] * 100), side("r", ["units"] * 5)
    assert mix(synthetic, real, 0.8, 1) == mix(synthetic, real, 0.8, 1)
    assert mix(synthetic, real, 0.8, 1) != mix(synthetic, real, 0.8, 2)


def test_an_empty_side_is_a_reason() -> None:
    assert mix({}, {"r1": "units"}, 0.8).reason == "no synthetic rows, so no mix of the two: 0 synthetic, 1 real"
    assert mix({}, {}, 0.8).reason.startswith("no synthetic and real rows")
    assert mix({"s1": "units"}, {}, 0.8).surplus == ("s1",)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_shares_that_are_none(share: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        mix({"s": "units"}, {"r": "units"}, share)


def test_an_id_on_both_sides_is_a_defect() -> None:
    with pytest.raises(StageFailed, match="both sides of the mix, the first is x"):
        mix({"x": "units"}, {"x": "units"}, 0.8)


@given(weights=st.dictionaries(st.text(max_size=3), st.integers(1, 1000), min_size=1, max_size=8), seats=st.integers(0, 500))
def test_largest_remainder_is_exact_and_fair(weights: dict[str, int], seats: int) -> None:
    given_seats = largest_remainder(weights, seats)
    assert sum(given_seats.values()) == seats
    total = sum(weights.values())
    assert all(abs(given_seats[key] - Fraction(weights[key] * seats, total)) < 1 for key in weights)
