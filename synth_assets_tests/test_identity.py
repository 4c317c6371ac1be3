"""Ids, digests and draws: equal for equal content, on every machine, and different for anything else."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_assets.identity import ID_LENGTH, canonical, data_version, digest, row_id, seeded

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
rows = st.lists(st.dictionaries(st.sampled_from("abc"), st.text(max_size=3)), max_size=5)


def test_ids_of_released_versions_do_not_change() -> None:
    assert row_id("home", "seeds", "Name a plant.", "", "Fern") == "a7faa3a35b32077526f8"
    assert data_version([{"id": "a"}, {"id": "b", "text": "é"}]) == "981e8e113e0f4777cab6"
    assert seeded(3, "home", "draw").random() == 0.11387637663266792


@given(values)
def test_canonical_text_says_the_same_and_does_not_depend_on_the_order_of_keys(value: object) -> None:
    assert json.loads(canonical(value)) == value
    if isinstance(value, dict):
        assert digest(dict(reversed(value.items()))) == digest(value)


@given(values, values)
def test_digests_are_equal_just_for_equal_text(one: object, other: object) -> None:
    assert (digest(one) == digest(other)) is (canonical(one) == canonical(other))


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_an_id_tells_every_position_from_every_other(one: list[str], other: list[str]) -> None:
    assert (row_id("home", "seeds", *one) == row_id("home", "seeds", *other)) is (one == other)


@pytest.mark.parametrize(
    "other",
    [("work", "seeds", "a", "bc"), ("home", "mixed", "a", "bc"), ("home", "seeds", "ab", "c"), ("home", "seeds", "a", "bc", ""), ("home", "seeds", "abc")],
)
def test_nothing_of_an_id_runs_into_its_neighbour(other: tuple[str, ...]) -> None:
    assert row_id(*other) != row_id("home", "seeds", "a", "bc")
    assert len(row_id(*other)) == ID_LENGTH


def test_half_a_surrogate_pair_has_an_id_like_any_text() -> None:
    assert row_id("home", "seeds", "\ud800") != row_id("home", "seeds", "\ud801")


@given(rows, st.randoms(use_true_random=False))
def test_a_data_version_does_not_depend_on_the_order_of_rows(table: list[dict[str, str]], order: random.Random) -> None:
    assert data_version(order.sample(table, len(table))) == data_version(table)


@given(rows, rows)
def test_a_data_version_tells_tables_apart_duplicates_included(one: list[dict[str, str]], other: list[dict[str, str]]) -> None:
    same = sorted(map(canonical, one)) == sorted(map(canonical, other))
    assert (data_version(one) == data_version(other)) is same


def test_a_draw_depends_on_its_position_alone() -> None:
    assert seeded("a", 1).random() == seeded("a", 1).random()
    random.seed(0)
    assert len({seeded("a", number).random() for number in range(100)}) == 100
    assert seeded("ab").random() != seeded("a", "b").random()
