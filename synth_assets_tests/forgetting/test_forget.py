"""What is forgotten is in no table, verdict, ledger entry, vector or page, byte for byte; accounts balance, and releases that held it are named."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from synth_assets.accounts import Outcome, Row
from synth_assets.conversations import prompt_of
from synth_assets.errors import NotOneRow
from synth_assets.forgetting.forgetting import forget
from synth_assets.home import Home
from synth_assets.quality.embeddings import Embedder, key_of
from synth_assets.release import export
from synth_assets.review.standing import Entry
from synth_assets.review.verdicts import Verdicts
from synth_assets.teacher.answers import Answer
from synth_assets.teacher.budget import Budget
from synth_assets.teacher.ledger import Call, Ledger, Reservation
from synth_assets.warehouse import Warehouse
from synth_assets_tests.release.mixed_rows import mixed_row
from synth_assets_tests.warehouse.rows import full_row, paid_call

SECRET = "Ms. Quillfeather's left-handed compass lies in locker 4711"
"""In the seed, in prompts, in what was made from it."""


def commit(warehouse: Warehouse, stage: str, kept: list[Row], rejected: list[Row] = [], surplus: list[Row] = [], calls: list[Row] = []) -> None:  # noqa: B006
    outcome = Outcome(planned=len(kept) + len(rejected) + len(surplus), kept=kept, surplus=surplus)
    for row in rejected:
        outcome.reject(row, "too_short", evidence=str(row.get("instruction", "")))
    for row in kept:
        outcome.use(row["id"], row.get("call_keys") or ())
    warehouse.commit_stage(stage, "math", outcome, run_id="r1", calls=calls)
    warehouse.mark_checked(stage, "math", "r1", True)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Two seeds; the first is shown in a prompt, evolved, answered, reviewed, embedded, rejected once, and released."""
    found = Home(tmp_path / "home")
    warehouse, ledger = Warehouse(found.warehouse), Ledger(found.root / "ledger.sqlite")

    def asked(key: str, request: str, said: str) -> Row:
        reserved = ledger.reserve(Call(key, "e", "m", json.dumps({"messages": [{"role": "user", "content": request}]})), 0.0, Budget()).result()
        assert isinstance(reserved, Reservation)
        ledger.record(reserved, Answer(said, text=said, stop_reason="end_turn"), 0.25, 1.0).result()
        return paid_call(key)

    calls = [asked("k-shown", f"Example: {SECRET}. Write another.", "An idea"), asked("k-answer", "What lies there?", SECRET), asked("k-other", "Two?", "4")]
    seeds = [
        full_row("seeds", id="seed-secret", domain="math", instruction=SECRET, input="", response="It does.", source="club"),
        full_row("seeds", id="seed-plain", domain="math", instruction="What is 2 + 2?", input="", response="It is 4.", source="school"),
    ]
    commit(warehouse, "seeds", seeds)
    generated = [full_row("generated_instructions", id="gen", domain="math", instruction="Name a compass.", parent_ids=["seed-secret"], call_keys=["k-shown"])]
    commit(warehouse, "generated_instructions", generated, rejected=[{"id": "gen-bad", "instruction": SECRET, "parent_ids": ["seed-secret"]}], calls=calls[:1])
    evolved = [
        full_row("evolved_instructions", id="ev-secret", domain="math", instruction=SECRET, parent_id="seed-secret", root_id="seed-secret", call_keys=[]),
        full_row(
            "evolved_instructions", id="ev-plain", domain="math", instruction="What is 2 + 2?", parent_id="seed-plain", root_id="seed-plain", call_keys=[]
        ),
    ]
    commit(warehouse, "evolved_instructions", evolved, surplus=[{"id": "ev-more", "instruction": SECRET, "parent_id": "ev-secret"}])
    answers = [
        full_row("teacher_responses", id="re-secret", domain="math", instruction_id="ev-secret", prompt=SECRET, response=SECRET, call_keys=["k-answer"]),
        full_row("teacher_responses", id="re-plain", domain="math", instruction_id="ev-plain", prompt="What is 2 + 2?", response="4", call_keys=["k-other"]),
    ]
    commit(warehouse, "teacher_responses", answers, calls=calls[1:])
    commit(warehouse, "spot_check", [full_row("spot_check", id="sp", domain="math", row_id="re-secret", content_key="c-secret")])
    ledger.close()
    with closing(Verdicts(found.reviews)) as store:
        for key, row in (("c-secret", "re-secret"), ("c-plain", "re-plain")):
            store.record(Entry(key, row, "math", "ann", "fix", "", corrected=f"{SECRET}!" if key == "c-secret" else "four"), key)
        warehouse.append("reviews", [entry.__dict__ for entry in store.entries()])
    Embedder(found.embeddings)._write({key_of(text): bytes(4 * 384) for text in (SECRET, prompt_of(seeds[0]), "What is 2 + 2?")})
    rows = [mixed_row("math", 1, prompt=SECRET, root_id="seed-secret", split="train"), mixed_row("math", 2, split="train")]
    export.write(found.releases, export.version_of(rows), rows, {"README.md": "card"})
    export.write(found.releases, export.version_of(rows[1:]), rows[1:], {"README.md": "card"})
    found.reports.mkdir()
    (found.reports / "quality_report.html").write_text(SECRET)
    return found


def anywhere(home: Home, text: str) -> list[str]:
    """Files but releases that hold the text."""
    return [path.name for path in home.root.rglob("*") if path.is_file() and home.releases not in path.parents and text.encode() in path.read_bytes()]


def test_a_seed_is_forgotten_everywhere(home: Home) -> None:
    assert anywhere(home, "Quillfeather")
    would = forget(home, seed="seed-sec", dry_run=True)
    assert would.replies == 2 and anywhere(home, "Quillfeather")
    done = forget(home, seed="seed-sec", dry_run=False)
    assert anywhere(home, "Quillfeather") == []
    warehouse = Warehouse(home.warehouse)
    assert [row["id"] for row in warehouse.rows("seeds")] == ["seed-plain"]
    assert warehouse.rows("generated_instructions") == [] and [row["id"] for row in warehouse.rows("teacher_responses")] == ["re-plain"]
    assert warehouse.rows("rejections") == warehouse.rows("surplus") == []
    accounts = {row["stage"]: (row["planned"], row["kept"], row["rejected"], row["surplus"]) for row in warehouse.rows("stage_accounts")}
    assert accounts["seeds"] == (1, 1, 0, 0) and accounts["generated_instructions"] == (0, 0, 0, 0) and accounts["evolved_instructions"] == (1, 1, 0, 0)
    # What it cost stands; a stage that reads such a slice says what to do.
    assert len(warehouse.rows("teacher_calls")) == 3
    with closing(Ledger(home.root / "ledger.sqlite")) as ledger:
        assert ledger.get("k-other") and not ledger.get("k-shown") and not ledger.get("k-answer")
        assert ledger.spending().settled_usd == 0.75
    with closing(Verdicts(home.reviews)) as store:
        assert [entry.content_key for entry in store.entries()] == ["c-plain"]
        with pytest.raises(Exception, match="never deleted"):
            store._connection.execute("delete from entries")
    assert (done.replies, done.verdicts, done.vectors, done.report) == (2, 1, 1, True)
    assert list(done.releases.values()) == [1]
    # Nothing is left to forget.
    with pytest.raises(NotOneRow, match="begins with 'seed-sec'"):
        forget(home, seed="seed-sec", dry_run=True)


def test_a_source_or_one_row_with_what_was_made_from_it(home: Home) -> None:
    assert forget(home, source="school", dry_run=True).rows == {"seeds": 1, "evolved_instructions": 1, "teacher_responses": 1}
    with pytest.raises(NotOneRow, match="there are: 'club', 'school'"):
        forget(home, source="scho", dry_run=True)
    with pytest.raises(NotOneRow, match="2 rows begin with 'seed-'"):
        forget(home, row="seed-", dry_run=True)
    forget(home, row="ev-plain", dry_run=False)
    warehouse = Warehouse(home.warehouse)
    assert {row["id"] for row in warehouse.rows("seeds")} == {"seed-secret", "seed-plain"}
    assert [row["id"] for row in warehouse.rows("evolved_instructions")] == ["ev-secret"]
    with closing(Ledger(home.root / "ledger.sqlite")) as ledger:
        assert not ledger.get("k-other") and ledger.get("k-shown")
