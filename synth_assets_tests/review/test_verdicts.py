"""The store: nothing lost, nothing twice, nothing changed, by several processes and through an unkind file system."""

import multiprocessing
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from synth_assets.errors import ReviewError
from synth_assets.review.standing import Entry
from synth_assets.review.verdicts import Verdicts

CONTENT = ("boats", "0" * 32)


def verdict(verdict: str = "accept", reviewer: str = "ann", **changes: str) -> Entry:
    return Entry(**({"content_key": "0" * 32, "row_id": "r", "domain": "boats", "reviewer": reviewer, "verdict": verdict, "reviewed_at": ""} | changes))


def test_a_request_that_is_sent_twice_is_saved_once(tmp_path: Path) -> None:
    with closing(Verdicts(tmp_path / "reviews.sqlite")) as store:
        first = store.record(verdict(note="好"), "request-1")
        assert store.record(verdict("reject", reason="wrong"), "request-1") == first
        undone = store.undo("ann", {CONTENT}, "request-2")
        assert store.undo("ann", {CONTENT}, "request-2") == undone and undone is not None and undone.undoes == first.reviewed_at
        assert store.undo("ann", {CONTENT}, "request-3") is None
        assert store.entries() == [first, undone]


def test_undo_goes_back_step_by_step_within_the_sample_and_the_reviewer(tmp_path: Path) -> None:
    with closing(Verdicts(tmp_path / "reviews.sqlite")) as store:
        other = {"content_key": "1" * 32}
        kept = [store.record(e, f"r{n}") for n, e in enumerate([verdict(), verdict("reject"), verdict(**other), verdict(reviewer="bob")])]
        assert [e and e.undoes for n in range(3) for e in [store.undo("ann", {CONTENT}, f"u{n}")]] == [kept[1].reviewed_at, kept[0].reviewed_at, None]


def test_time_goes_forward_whatever_the_clock_does(tmp_path: Path) -> None:
    with closing(Verdicts(tmp_path / "reviews.sqlite")) as store:
        store.add([verdict(reviewed_at="2199-01-01T00:00:00.000000+00:00")])
        assert store.record(verdict("reject"), "r").reviewed_at == "2199-01-01T00:00:00.000001+00:00"


@pytest.mark.parametrize("statement", ["update entries set verdict = 'accept'", "delete from entries"])
def test_the_file_refuses_to_forget(tmp_path: Path, statement: str) -> None:
    with closing(Verdicts(tmp_path / "reviews.sqlite")) as store:
        store.record(verdict("reject"), "r")
    with closing(sqlite3.connect(tmp_path / "reviews.sqlite")) as con, pytest.raises(sqlite3.IntegrityError, match="never"):
        con.execute(statement)


def test_it_is_on_disk_before_it_is_saved(tmp_path: Path) -> None:
    with closing(Verdicts(tmp_path / "reviews.sqlite")) as store:
        settings = [store._connection.execute(f"pragma {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert settings == ["wal", 2]


def _write(path: Path, reviewer: str, count: int) -> None:
    with closing(Verdicts(path)) as store:
        for n in range(count):
            store.record(verdict(reviewer=reviewer), f"{reviewer}-{n}")


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "reviews.sqlite"
    processes = [multiprocessing.get_context("spawn").Process(target=_write, args=(path, name, 40)) for name in ("ann", "bob", "cem")]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    with closing(Verdicts(path)) as store:
        assert len(store.entries()) == 120 and {p.exitcode for p in processes} == {0}


def test_what_is_no_store_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "reviews.sqlite"
    path.write_text("not a database, but long enough to look at" * 9, encoding="utf-8")
    with pytest.raises(ReviewError, match=r"reviews\.sqlite cannot be used"):
        Verdicts(path)


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "reviews.sqlite"
    Verdicts(path).close()
    with closing(sqlite3.connect(path)) as con:
        con.execute("pragma user_version = 99")
    with pytest.raises(ReviewError, match="newer"):
        Verdicts(path)
