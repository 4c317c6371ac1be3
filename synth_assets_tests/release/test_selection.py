"""What a release takes, and which split it stands in."""

import random
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_assets.accounts import Row
from synth_assets.identity import row_id
from synth_assets.release.selection import select, split_roots
from synth_assets_tests.release.mixed_rows import mixed_row, mixed_rows

QUESTION = "How many eggs are left when nine of two dozen were broken?"


@pytest.mark.parametrize(
    ("first", "second", "rules"),
    [
        pytest.param({"prompt": QUESTION}, {"prompt": QUESTION + " "}, {"near_duplicate_across_domains"}, id="another answer"),
        pytest.param(
            {"prompt": QUESTION}, {"prompt": "How many eggs are left when eight of two dozen were broken?"}, {"near_duplicate_across_domains"}, id="one word"
        ),
        pytest.param({"prompt": QUESTION}, {"prompt": "What is left of two dozen eggs after nine broke?"}, set(), id="rephrased"),
        pytest.param({"prompt": "?!"}, {"prompt": "!?"}, set(), id="no words to compare"),
    ],
)
def test_select_prompts_across_domains(first: Row, second: Row, rules: set[str]) -> None:
    outcomes = select({"a": [mixed_row("a", 1, **first)], "b": [mixed_row("b", 2, **second)]})
    assert {r.rule for r in outcomes["b"].rejected} == rules
    assert len(outcomes["a"].kept) == 1
    assert len(outcomes["b"].kept) == (not rules)


def test_select_equal_conversations() -> None:
    said = [{"role": "user", "content": "Ｈello  World"}, {"role": "assistant", "content": "Yes."}]
    same = [{"role": "user", "content": "hello world"}, {"role": "assistant", "content": "YES."}]
    symbols = [{"role": "user", "content": "→ ★"}, {"role": "assistant", "content": "★"}]
    outcomes = select(
        {
            "a": [mixed_row("a", 1, messages=said), mixed_row("a", 2, messages=symbols)],
            "b": [mixed_row("b", 1, messages=same), mixed_row("b", 2, messages=symbols)],
        }
    )
    assert Counter(r.rule for r in outcomes["b"].rejected) == {"duplicate_across_domains": 2, "near_duplicate_across_domains": 1}
    assert all("a " in r.evidence for r in outcomes["b"].rejected)
    outcomes["b"].check_balance("release", "b")


def test_select_real_wins_then_earlier_domain() -> None:
    mixed = {
        "c": [mixed_row("c", 1, prompt=QUESTION, origin="real")],
        "b": [mixed_row("b", 1, prompt=QUESTION)],
        "a": [mixed_row("a", 1, prompt=QUESTION)],
    }
    assert [len(outcome.kept) for outcome in select(mixed).values()] == [0, 0, 1]
    del mixed["c"]
    outcomes = select(mixed)
    assert list(outcomes) == ["a", "b"]
    assert len(outcomes["a"].kept) == 1


def test_select_leaves_samples_of_one_domain_and_other_kinds_alone() -> None:
    several = [mixed_row("a", n, prompt=QUESTION, root_id="one") for n in range(3)]
    outcomes = select({"a": several, "b": [mixed_row("b", 1, kind="preference", prompt=QUESTION)]})
    assert [len(outcomes[d].kept) for d in "ab"] == [3, 1]


def test_select_ids_and_accounts() -> None:
    rows = mixed_rows("a", 5)
    outcomes = select({"a": rows, "b": []})
    outcomes["a"].check_balance("release", "a")
    assert outcomes["a"].planned == 5
    assert outcomes["b"].planned == 0
    assert {(r["id"], r["mixed_id"]) for r in outcomes["a"].kept} == {(row_id("a", "release", r["id"]), r["id"]) for r in rows}
    assert all(row.keys() == rows[0].keys() | {"mixed_id", "split"} for row in outcomes["a"].kept)


def test_select_ignores_order() -> None:
    mixed = {"b": [*mixed_rows("b", 15), mixed_row("b", "q", prompt=QUESTION)], "a": [*mixed_rows("a", 15), mixed_row("a", "q", prompt=QUESTION)]}
    shuffled = {d: random.Random(3).sample(mixed[d], len(mixed[d])) for d in ("a", "b")}
    assert select(mixed) == select(shuffled)


@given(st.lists(st.tuples(st.sampled_from(["sft", "preference"]), st.integers(0, 70).map(str)), max_size=200), st.sampled_from([0.0, 0.01, 0.05, 0.1]))
def test_split_roots_properties(roots: list[tuple[str, str]], share: float) -> None:
    splits = split_roots(roots, {"validation": share, "test": share})
    by_kind: defaultdict[str, set[str]] = defaultdict(set)
    for kind, root in roots:
        by_kind[kind].add(root)
    assert splits.keys() == {root for _, root in roots}
    for own in by_kind.values():
        counts = Counter(splits[root] for root in own)
        assert counts["train"] > 0
        if share and len(own) >= 20:
            assert counts["validation"] >= 1
            assert counts["test"] >= 1
    if not share:
        assert set(splits.values()) <= {"train"}


@pytest.mark.parametrize(("roots", "held_out"), [(1, 0), (19, 0), (20, 1), (39, 1), (40, 2), (1000, 50)])
def test_split_roots_quota(roots: int, held_out: int) -> None:
    counts = Counter(split_roots(("sft", str(n)) for n in range(roots)).values())
    assert (counts["validation"], counts["test"]) == (held_out, held_out)


def test_split_roots_hold_when_rows_are_added() -> None:
    before = split_roots(("sft", str(n)) for n in range(400))
    after = split_roots(("sft", str(n)) for n in range(440))
    moved = [root for root in before if before[root] != after[root]]
    assert len(moved) <= 6
    assert not any({before[root], after[root]} == {"validation", "test"} for root in moved)
