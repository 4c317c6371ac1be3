"""What stands of many entries: the newest per reviewer that was not undone, the strictest of all reviewers."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from synth_assets.review.standing import Entry, agreements, by_reviewer, fixes, strictest, verdicts

KEY = "0" * 32


def entry(moment: int, verdict: str, reviewer: str = "ann", **changes: Any) -> Entry:
    return Entry(**({"content_key": KEY, "row_id": "r", "domain": "boats", "reviewer": reviewer, "verdict": verdict, "reviewed_at": f"{moment:03}"} | changes))


def stands(*entries: Entry) -> str | None:
    return verdicts(entries, "boats").get(KEY)


def test_the_newest_entry_stands_and_undoing_it_brings_back_the_one_before() -> None:
    one, two = entry(1, "accept"), entry(2, "reject")
    assert stands(one, two) == "reject"
    assert stands(one, two, entry(3, "undo", undoes="002")) == "accept"
    assert stands(one, two, entry(3, "undo", undoes="002"), entry(4, "undo", undoes="001")) is None
    assert stands(one, two, entry(3, "undo", undoes="002"), entry(5, "fix", corrected="x")) == "fix"


def test_of_two_reviewers_the_stricter_stands_whoever_came_last() -> None:
    assert stands(entry(1, "reject"), entry(2, "accept", "bob")) == "reject"
    assert stands(entry(1, "fix"), entry(2, "reject", "bob")) == "reject"
    assert stands(entry(1, "accept"), entry(2, "fix", "bob")) == "fix"
    assert fixes([entry(1, "fix", corrected="one"), entry(2, "fix", "bob", corrected="two")], "boats") == {KEY: "two"}


def test_nobody_undoes_another_ones_verdict_and_domains_are_apart() -> None:
    assert stands(entry(1, "reject"), entry(2, "undo", "bob", undoes="001")) == "reject"
    assert stands(entry(1, "reject", domain="cars")) is None


def test_agreement_counts_what_both_have_read() -> None:
    keys = [f"{n:032}" for n in range(4)]
    ours = [entry(n, verdict, content_key=key) for n, (key, verdict) in enumerate(zip(keys, ("accept", "reject", "accept", "fix"), strict=True))]
    theirs = [entry(9, verdict, "bob", content_key=key) for key, verdict in zip(keys, ("accept", "reject", "reject"), strict=False)]
    ((pair, found),) = agreements(by_reviewer([*ours, *theirs])).items()
    assert pair == ("ann", "bob") and (found.rows, found.agreed) == (3, 2)


@given(st.lists(st.tuples(st.sampled_from(("accept", "reject", "fix")), st.sampled_from(("ann", "bob")), st.booleans()), max_size=12), st.randoms())
def test_the_order_of_entries_does_not_matter(given_: list[tuple[str, str, bool]], random: Any) -> None:
    entries = []
    for moment, (verdict, reviewer, undone) in enumerate(given_):
        entries.append(entry(2 * moment, verdict, reviewer))
        if undone:
            entries.append(entry(2 * moment + 1, "undo", reviewer, undoes=f"{2 * moment:03}"))
    shuffled = list(entries)
    random.shuffle(shuffled)
    assert strictest(entries) == strictest(shuffled)


def test_an_entry_from_a_row_of_the_first_version_has_empty_texts() -> None:
    row = {"content_key": KEY, "row_id": "r", "domain": "boats", "reviewer": "ann", "verdict": "accept", "note": "", "reviewed_at": "1"}
    assert Entry.of(row | {"reason": None, "corrected": None, "undoes": None}).corrected == ""
