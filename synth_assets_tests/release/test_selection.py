"""What a release takes, and which split it stands in."""

import random
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_assets.accounts import Row
from synth_assets.identity import row_id
from synth_assets.release.selection import families, select, split_roots
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


def test_rows_that_ask_the_same_stand_in_one_split_whoever_wrote_them() -> None:
    """A real row and a pair on one prompt, and an evolution whose seed is the prompt: three roots, one family."""
    mixed = {
        "a": [
            *mixed_rows("a", 60),
            *mixed_rows("a", 40, "preference"),
            mixed_row("a", "real", prompt=QUESTION, origin="real", root_id="c-real"),
            mixed_row("a", "pair", kind="preference", prompt=f"{QUESTION}\n", origin="real", root_id="b-pair"),
            mixed_row("a", "evolved", root_id="d-seed"),
        ]
    }
    kept = {row["mixed_id"]: row for row in select(mixed, root_texts={"d-seed": QUESTION.upper(), "elsewhere": QUESTION})["a"].kept}
    family = [kept[row["id"]] for row in mixed["a"][-3:]]
    assert {row["root_id"] for row in family} == {"b-pair"} and len({row["split"] for row in family}) == 1
    assert all(kept[row["id"]]["root_id"] == row["root_id"] for row in mixed["a"][:-3])


@given(
    rows=st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["one", "two", "three", "four", "five"])), max_size=30),
    texts=st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(["one", "two", "six"])),
)
def test_families_are_the_connected_roots(rows: list[tuple[str, str]], texts: dict[str, str]) -> None:
    found = families([mixed_row("a", n, root_id=root, prompt=prompt) for n, (root, prompt) in enumerate(rows)], texts)
    asked = {root: {prompt for r, prompt in rows if r == root} | ({texts[root]} if root in texts else set()) for root, _ in rows}
    groups = [{root} for root in asked]
    for prompt in {prompt for prompts in asked.values() for prompt in prompts}:
        touching = [group for group in groups if any(prompt in asked[root] for root in group)]
        groups = [group for group in groups if group not in touching] + [set().union(*touching)]
    assert found == {root: min(group) for group in groups for root in group}


def test_weights_bring_domains_to_their_proportions_and_keep_their_shares() -> None:
    mixed = {d: [*mixed_rows(d, 40), *(mixed_row(d, f"real {n}", origin="real") for n in range(10))] for d in ("a", "b", "c")}
    outcomes = select(mixed, weights={"a": 1, "b": 3, "gone": 5})
    for domain, outcome in outcomes.items():
        outcome.check_balance("release", domain)
    counts = {d: Counter(row["origin"] for row in outcomes[d].kept) for d in mixed}
    assert (counts["b"].total(), counts["c"].total(), counts["a"].total()) == (49, 50, 17)
    assert counts["a"]["real"] == 3 and len(outcomes["a"].surplus) == 33
    assert select(mixed, weights={"a": 1, "b": 3}) == select(dict(reversed(mixed.items())), weights={"b": 3, "a": 1})
    assert select(mixed, weights={"a": 7}) == select(mixed)
