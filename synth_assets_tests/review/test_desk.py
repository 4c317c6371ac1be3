"""`synth-assets review` as a process: 500 verdicts through two kills, the warehouse left free, verdicts out and in, user errors in words."""

import json
import signal
import threading
from pathlib import Path

import duckdb
import pytest

from synth_assets.review.sample import load_sample
from synth_assets_tests.graph.world import synth_assets
from synth_assets_tests.review.desk import Page, make_desk, rows


def give(page: Page, place: int, key: str, acknowledged: list[str]) -> None:
    """A verdict as the page sends it: again with the same request, if no answer comes."""
    sent = {"place": place, "content_key": key, "action": "reject" if place % 3 else "accept", "reason": "wrong", "note": f"行 {place}"}
    status, _, _ = page.ask("/api/verdicts", sent | {"request": f"request-of-row-{place:06}"})
    if status == 200:
        acknowledged.append(key)


@pytest.mark.timeout(240)
def test_500_verdicts_killed_twice_none_lost_and_none_twice(tmp_path: Path) -> None:
    plain = [row | {"id": f"f{n:03}", "kind": "sft", "rejected": None, "prompt": f"Q{n}"} for n, row in ((n, rows()[5]) for n in range(500))]
    desk = make_desk(tmp_path, plain)
    acknowledged: list[str] = []
    keys = [item.content_key for item in load_sample(desk.warehouse, {"boats": desk.domain}).items]
    place = 0
    for stop in (170, 340, None):
        with desk.serving("--reviewer", "Ann") as page:
            items = page.json("/api/state")["items"]
            # What was acknowledged before the kill is there after it.
            assert len(items) == 500 and sum(item["mine"] is not None for item in items) >= len(acknowledged)
            killer = None
            while place < 500:
                if stop is not None and place == stop:
                    # In the middle of a request, not between two.
                    killer = threading.Thread(target=page.process.send_signal, args=(signal.SIGKILL,))
                    killer.start()
                try:
                    give(page, place, keys[place], acknowledged)
                except OSError:
                    break
                place += 1
            if killer is not None:
                killer.join()
                page.process.wait()
    exported = tmp_path / "all.jsonl"
    done = synth_assets(desk.env, "review", "--export", str(exported))
    assert done.returncode == 0 and "500 entries written" in done.stdout, done.stdout + done.stderr
    entries = [json.loads(line) for line in exported.read_text(encoding="utf-8").splitlines()]
    assert sorted(e["content_key"] for e in entries) == sorted(keys) and len(set(acknowledged)) >= 498
    assert {e["content_key"]: e["note"] for e in entries} == {key: f"行 {n}" for n, key in enumerate(keys)}


def test_the_warehouse_is_free_while_the_page_is_served(tmp_path: Path) -> None:
    desk = make_desk(tmp_path)
    with desk.serving("--reviewer", "Ann") as page:
        con = duckdb.connect(desk.home / "warehouse.duckdb")  # fails at once while another process has it open
        con.execute("delete from synth.filtered")
        con.close()
        assert page.json("/api/rows/0")["prompt"]["source"]
        page.process.send_signal(signal.SIGINT)
        out, error = page.process.communicate(timeout=20)
        assert page.process.returncode == 0 and "Stopped." in out and not error


def test_verdicts_go_to_a_colleague_and_come_back(tmp_path: Path) -> None:
    ours, theirs = make_desk(tmp_path / "ours"), make_desk(tmp_path / "theirs")
    with ours.serving("--reviewer", "安") as page:
        place = 1
        key = page.json(f"/api/rows/{place}")["content_key"]
        page.json("/api/verdicts", {"place": place, "content_key": key, "action": "fix", "reason": "wrong", "corrected": "更好", "request": "r" * 16})
    file = tmp_path / "verdicts.jsonl"
    assert "1 entries written" in synth_assets(ours.env, "review", "--export", str(file)).stdout
    assert "1 entries imported" in synth_assets(theirs.env, "review", "--import", str(file)).stdout
    assert "0 entries imported" in synth_assets(theirs.env, "review", "--import", str(file)).stdout
    file.write_text(file.read_text(encoding="utf-8") + "nonsense\n", encoding="utf-8")
    done = synth_assets(theirs.env, "review", "--import", str(file))
    assert done.returncode == 2 and f"{file}:2: " in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--reviewer", " "), "printable name"), (("--domain", "boots"), "boats"), (("--reviewer", "a\nb"), "printable name")],
)
def test_errors_are_said_in_words(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    done = synth_assets(make_desk(tmp_path).env, "review", *arguments)
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr


def test_without_a_warehouse_it_says_how_to_make_one(tmp_path: Path) -> None:
    desk = make_desk(tmp_path)
    (desk.home / "warehouse.duckdb").unlink()
    done = synth_assets(desk.env, "review")
    assert done.returncode == 2 and "run --to spot_check" in done.stderr
