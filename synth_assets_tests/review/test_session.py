"""A reviewer at work: what the page is told, what it may send, pairs in an order of their own, agreement, and the sample that it is about."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from synth_assets.accounts import Outcome
from synth_assets.errors import ReviewError
from synth_assets.quality.sampling import content_key
from synth_assets.review.sample import Sample, load_sample
from synth_assets.review.session import Refused, Session
from synth_assets.review.verdicts import Verdicts
from synth_assets.warehouse import Warehouse
from synth_assets_tests.review.desk import BETTER, Desk, draw, make_desk, rows


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return make_desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def sample(desk: Desk) -> Sample:
    return load_sample(desk.warehouse, {"boats": desk.domain})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Verdicts]:
    with closing(Verdicts(tmp_path / "reviews.sqlite")) as opened:
        yield opened


def place_of(sample: Sample, row_id: str) -> int:
    return next(n for n, item in enumerate(sample.items) if item.row["id"] == row_id)


def judge(session: Session, row_id: str, action: str, **more: Any) -> dict[str, Any]:
    place = place_of(session.sample, row_id)
    sent = {"place": place, "content_key": session.sample.items[place].content_key, "action": action, "request": uuid4().hex}
    return session.judge(sent | more)


def test_a_content_drawn_twice_is_one_item(desk: Desk, sample: Sample) -> None:
    assert len(sample.items) == 8 and sum(len(item.purposes) == 2 for item in sample.items) == 2
    assert len(sample.domains[0].gate) == sample.domains[0].lot == 8


@pytest.mark.parametrize("action", ["accept", "reject", "fix"])
def test_a_verdict_is_on_disk_when_it_is_answered(sample: Sample, store: Verdicts, action: str) -> None:
    more = {"accept": {}, "reject": {"reason": "wrong"}, "fix": {"reason": "format", "corrected": " new\n"}}[action]
    answer = judge(Session(sample, store, "ann"), "f005", action, note="n", **more)
    (entry,) = store.entries()
    assert (entry.verdict, entry.reason, entry.note, entry.corrected) == (action, more.get("reason", ""), "n", more.get("corrected", ""))
    assert entry.content_key == content_key(rows()[5]) and entry.row_id == "f005"
    assert answer["mine"] == {"action": action, "reason": more.get("reason", "")} and answer["gates"][0]["read"] == 1


def test_the_order_of_a_pair_is_the_reviewers_own_and_stays(sample: Sample, store: Verdicts) -> None:
    place = place_of(sample, "f003")
    orders = {}
    for name in map(str, range(40)):
        first = Session(sample, store, name).row(place)["answers"][0]["source"]
        assert first == Session(sample, store, name).row(place)["answers"][0]["source"]
        orders[name] = first == BETTER
    assert 8 < sum(orders.values()) < 32
    for name in ("0", *(n for n in orders if orders[n] != orders["0"])):
        session = Session(sample, store, name)
        better, worse = ("first", "second") if orders[name] else ("second", "first")
        assert judge(session, "f003", better)["mine"]["action"] == better and store.entries()[-1].verdict == "accept"
        assert judge(session, "f003", worse)["mine"]["action"] == worse and store.entries()[-1].reason == "worse_chosen"
        assert judge(session, "f003", "equal")["mine"] == {"action": "equal", "reason": ""} and store.entries()[-1].reason == "equal"
        assert judge(session, "f003", "reject", reason="unsafe")["mine"] == {"action": "reject", "reason": "unsafe"}


REFUSED: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "an unknown action": ("f005", "perhaps", {}, "no such verdict"),
    "a side of no pair": ("f005", "first", {}, "no such verdict"),
    "a pair accepted blindly": ("f003", "accept", {}, "no such verdict"),
    "no reason": ("f005", "reject", {}, "reason"),
    "a reason of the page's own": ("f003", "reject", {"reason": "equal"}, "reason"),
    "other without a note": ("f005", "reject", {"reason": "other", "note": "  "}, "note"),
    "an empty fix": ("f005", "fix", {"reason": "wrong", "corrected": " "}, "new text"),
    "the same text": ("f005", "fix", {"reason": "wrong", "corrected": "Answer number 5."}, "new text"),
    "the pair's other side": ("f003", "fix", {"reason": "wrong", "corrected": rows()[3]["rejected"]}, "new text"),
    "a number for a text": ("f005", "accept", {"note": 7}, "text"),
    "an endless note": ("f005", "accept", {"note": "x" * 4001}, "4000"),
    "another sample": ("f005", "accept", {"content_key": "0" * 32}, "another sample"),
    "no row": ("f005", "accept", {"place": 99}, "no such row"),
    "no number": ("f005", "accept", {"place": True}, "no such row"),
    "no request": ("f005", "accept", {"request": ""}, "request"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_is_no_verdict_is_refused_and_leaves_nothing(sample: Sample, store: Verdicts, fault: str) -> None:
    row_id, action, more, words = REFUSED[fault]
    with pytest.raises(Refused, match=words):
        judge(Session(sample, store, "ann"), row_id, action, **more)
    assert store.entries() == []


def test_undo_goes_to_the_row_that_it_opens_again(sample: Sample, store: Verdicts) -> None:
    session = Session(sample, store, "ann")
    judge(session, "f005", "accept")
    judge(session, "f006", "reject", reason="wrong")
    assert session.undo({"request": uuid4().hex})["place"] == place_of(sample, "f006")
    back = session.undo({"request": uuid4().hex})
    assert back["place"] == place_of(sample, "f005") and back["mine"] is None and back["gates"][0]["read"] == 0
    with pytest.raises(Refused, match="nothing to undo"):
        session.undo({"request": uuid4().hex})


def test_two_reviewers_see_their_agreement_but_not_each_others_verdicts(sample: Sample, store: Verdicts) -> None:
    ann, bob = Session(sample, store, "ann"), Session(sample, store, "bob")
    for n, action in ((5, "accept"), (6, "reject"), (7, "accept")):
        judge(ann, f"f{n:03}", action, **({"reason": "wrong"} if action == "reject" else {}))
        judge(bob, f"f{n:03}", "accept")
    (found,) = ann.state()["agreements"]
    assert (found["reviewers"], found["rows"], found["agreed"], found["kappa"]) == (("ann", "bob"), 3, 2, 0)
    assert ann.gates()[0][1].defects == 1 and ann.state()["gates"][0]["defects"] is None
    assert [item["mine"]["action"] for item in bob.state()["items"] if item["mine"]] == ["accept"] * 3


def test_without_a_sample_it_says_what_to_do(tmp_path: Path, desk: Desk) -> None:
    with pytest.raises(ReviewError, match="run --to spot_check"):
        load_sample(Warehouse(tmp_path / "none.duckdb"), {"boats": desk.domain})
    assert not (tmp_path / "none.duckdb").exists()
    with pytest.raises(ReviewError, match="no sample of cars"):
        load_sample(desk.warehouse, {"cars": desk.domain})


def test_a_row_that_a_fix_has_replaced_can_still_be_seen(tmp_path: Path) -> None:
    desk, old = make_desk(tmp_path), rows()[5]
    outcome = Outcome(planned=1)
    outcome.reject(old, "human_fixed")
    desk.warehouse.commit_stage("filtered", "boats", outcome, run_id="r2")
    sample = load_sample(desk.warehouse, {"boats": desk.domain})
    assert [item.row["response"] for item in sample.items] == [old["response"]]
    draw(desk, rows())
