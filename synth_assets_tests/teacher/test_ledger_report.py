"""`synth-assets ledger` over real ledger files: what is listed, shown, summed, pruned and exported, and that spending stands."""

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from synth_assets.cli import main
from synth_assets.teacher.budget import Budget
from synth_assets.teacher.ledger import Call, Ledger, Reservation
from synth_assets.teacher.ledger_report import Prune, Wanted, entries, export, prune, reading, spent_usd, sums
from synth_assets_tests.messages_api import Answer, MessagesApi, Raw
from synth_assets_tests.messages_api import Call as Asked
from synth_assets_tests.teacher.driving import KEY, PRICED, ask, request, spent, teacher_for

HOSTILE = "\x1b]0;owned\x07 \u202eevil\u202c \x9b31m \ud7ff\nnext line"


def answers(call: Asked) -> Answer | Raw:
    if "malformed" in call.text:
        return Raw(b'{"not": "a message"')
    if "refused" in call.text:
        return Answer("", stop_reason="refusal", input_tokens=100, output_tokens=0)
    return Answer(HOSTILE, input_tokens=1000, output_tokens=100)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Four answers (a refusal among them), three malformed ones under one key, one call whose outcome is unknown."""
    with MessagesApi(answers) as api, teacher_for(api, tmp_path, **PRICED, SYNTH_TEACHER="model-a") as teacher:
        ask(teacher, *(request(f"question {n}") for n in range(3)), request("refused"), request("malformed"))
    ledger = Ledger(tmp_path / "ledger.sqlite")
    lost = ledger.reserve(Call("f" * 40, "http://x", "model-b", "{}", "boats"), 0.25, Budget()).result()
    assert isinstance(lost, Reservation)
    ledger.abandon(lost).result()
    ledger.close()
    return tmp_path


@pytest.fixture
def cli(home: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setenv("SYNTH_HOME", str(home))

    def run(*arguments: str, says: str | None = None) -> Result:
        return CliRunner().invoke(main, ["ledger", *arguments], input=says, catch_exceptions=False)

    return run


def rows(home: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(home / "ledger.sqlite")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def spending(home: Path) -> float:
    ledger = Ledger(home / "ledger.sqlite")
    try:
        return ledger.spending().settled_usd
    finally:
        ledger.close()


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Wanted(), 8),
        (Wanted(domain="boats"), 1),
        (Wanted(model="model-a"), 7),
        (Wanted(stop_reason="refusal"), 1),
        (Wanted(stop_reason="unknown"), 1),
        (Wanted(failure="malformed_reply"), 3),
        (Wanted(failure="any"), 3),
        (Wanted(since="2000-01-01"), 8),
        (Wanted(since="2999-01-01"), 0),
        (Wanted(model="model-a", failure="any", domain="boats"), 0),
    ],
)
def test_entries_are_chosen_by_their_properties(wanted: Wanted, count: int, home: Path) -> None:
    with reading(home / "ledger.sqlite") as con:
        assert len(list(entries(con, wanted))) == count
        assert len(list(entries(con, wanted, limit=2))) == min(2, count)


@pytest.mark.parametrize("by", ["domain", "model", "day", "stop_reason", None])
def test_sums_add_up_to_what_the_budget_counts_whatever_they_are_grouped_by(by: str | None, home: Path) -> None:
    with reading(home / "ledger.sqlite") as con:
        found = sums(con, by)  # type: ignore[arg-type]
        assert spent_usd(con) == pytest.approx(spending(home))
    assert sum(row["calls"] for row in found) == 7 and sum(row["unknown"] for row in found) == 1
    assert sum(row["input_tokens"] for row in found) == 3100 and sum(row["output_tokens"] for row in found) == 300
    assert sum((row["cost_usd"] or 0) + row["unknown_usd"] for row in found) == pytest.approx(spending(home))


def test_a_call_of_a_living_process_is_in_flight_and_one_of_a_dead_process_is_unknown(home: Path) -> None:
    ledger = Ledger(home / "ledger.sqlite")
    for key in ("a" * 40, "b" * 40):
        ledger.reserve(Call(key, "http://x", "model-c", "{}", "sails"), 0.5, Budget()).result()
    host, boot, _, *rest = ledger.owner.split("|")
    dead = "|".join([host, boot, "999999999", *rest])
    ledger.write(lambda con: con.execute("update reservations set owner = ? where key = ?", [dead, "b" * 40])).result()
    try:
        with reading(home / "ledger.sqlite") as con:
            row = next(row for row in sums(con, "domain") if row["group"] == "sails")
    finally:
        ledger.close()
    assert (row["calls"], row["in_flight"], row["in_flight_usd"], row["unknown"], row["unknown_usd"]) == (0, 1, 0.5, 1, 0.5)


def test_an_unknown_price_is_said_to_be_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from synth_assets.teacher.answers import Answer as Told
    from synth_assets.teacher.answers import Usage

    ledger = Ledger(tmp_path / "ledger.sqlite")
    reservation = ledger.reserve(Call("c" * 40, "http://x", "new-model", "{}"), None, Budget()).result()
    assert isinstance(reservation, Reservation)
    ledger.record(reservation, Told("{}", "text", stop_reason="end_turn", usage=Usage(5, 5)), None, 1.0).result()
    ledger.close()
    monkeypatch.setenv("SYNTH_HOME", str(tmp_path))
    for command in (["list"], ["sum"], ["sum", "--by", "model"]):
        assert "unknown" in CliRunner().invoke(main, ["ledger", *command]).output


def test_the_list_has_no_texts_and_the_key_of_access_is_nowhere(home: Path, cli) -> None:  # type: ignore[no-untyped-def]
    listed, as_json = cli("list").output, cli("list", "--json", "--limit", "0").output
    assert len(as_json.splitlines()) == 8 and {json.loads(line)["state"] for line in as_json.splitlines()} == {"answered", "unknown"}
    for text in (listed, as_json, cli("sum").output):
        assert "question" not in text and "evil" not in text and KEY not in text
    assert "malformed_reply" in listed and "<= $0.25" in listed


def test_show_finds_a_key_by_its_beginning_and_moves_nothing_on_the_terminal(home: Path, cli) -> None:  # type: ignore[no-untyped-def]
    key = str(rows(home, "select key from replies where request like '%question 1%'")[0][0])
    shown = cli("show", key[:16], "--raw").output
    assert "question 1" in shown and "next line" in shown and "\\x1b]0;owned\\x07" in shown and "\\u202e" in shown
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert "unknown" in cli("show", "ffff").output
    for wrong, says in (("zz", "no key"), ("0" * 40, "no key is")):
        told = cli("show", wrong)
        assert told.exit_code == 2 and says in told.output


def test_a_beginning_of_several_keys_names_them(home: Path, cli) -> None:  # type: ignore[no-untyped-def]
    ledger = Ledger(home / "ledger.sqlite")
    for end in ("0", "1"):
        ledger.reserve(Call("f" * 39 + end, "http://x", "model-b", "{}"), 0.0, Budget()).result()
    told = cli("show", "fff")
    ledger.close()
    assert told.exit_code == 2 and "3 keys begin with fff" in told.output


@pytest.mark.parametrize(
    ("which", "gone"), [(Prune(failed=True), 3), (Prune(before="2999"), 7), (Prune(before="2000"), 0), (Prune(failed=True, before="2000"), 0)]
)
def test_pruning_deletes_what_was_chosen_and_the_spending_stands(which: Prune, gone: int, home: Path) -> None:
    path, before = home / "ledger.sqlite", spending(home)
    assert prune(path, which, dry_run=True)[0] == gone
    assert rows(home, "select count(*) from replies") == [(7,)]
    assert prune(path, which, dry_run=False)[0] == gone
    assert rows(home, "select count(*) from replies") == [(7 - gone,)]
    assert spending(home) == before
    assert rows(home, "pragma freelist_count") == [(0,)]


def test_a_pruned_reply_is_asked_again_and_paid_again(tmp_path: Path) -> None:
    with MessagesApi(answers) as api:
        with teacher_for(api, tmp_path, **PRICED) as teacher:
            (first,) = ask(teacher, request())
            once = spent(teacher)
        count, usd = prune(tmp_path / "ledger.sqlite", Prune(key=first.key[:20]), dry_run=False)
        assert count == 1 and usd == pytest.approx(once)
        with teacher_for(api, tmp_path, **PRICED) as teacher:
            assert not ask(teacher, request())[0].cached
            assert spent(teacher) == pytest.approx(2 * once)
        assert len(api.calls) == 2


def test_prune_explains_and_asks(home: Path, cli) -> None:  # type: ignore[no-untyped-def]
    assert cli("prune").exit_code == 2
    told = cli("prune", "--failed", says="n\n")
    assert told.exit_code == 1 and "paid again" in told.output and rows(home, "select count(*) from replies") == [(7,)]
    assert cli("prune", "--failed", "--dry-run").exit_code == 0 and rows(home, "select count(*) from replies") == [(7,)]
    assert "3 replies deleted" in cli("prune", "--failed", says="y\n").output
    assert "for replies that were pruned" in cli("sum").output
    assert "4 replies deleted" in cli("prune", "--older-than", "0", "--yes").output


@pytest.mark.parametrize("with_texts", [False, True])
def test_the_export_is_whole_json_lines_with_texts_only_when_asked(with_texts: bool, home: Path, cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    target = tmp_path / "calls.jsonl"
    cli("export", str(target), *(["--with-texts"] if with_texts else []))
    found = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert len(found) == 8 and KEY not in target.read_text(encoding="utf-8")
    assert all(("text" in row) == with_texts for row in found)
    if with_texts:
        assert {row["request"]["max_tokens"] for row in found if row["request"]} == {100}
    assert not list(tmp_path.glob(".calls*"))


def test_an_export_that_cannot_be_written_leaves_what_was_there(home: Path, cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    told = cli("export", str(tmp_path / "no folder" / "calls.jsonl"))
    assert told.exit_code == 2 and "cannot be written" in told.output
    with reading(home / "ledger.sqlite") as con:
        assert export(con, tmp_path / "one.jsonl", Wanted(stop_reason="refusal")) == 1


def test_without_a_ledger_every_command_says_so_and_makes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTH_HOME", str(tmp_path / "home"))
    for command in (["list"], ["sum"], ["show", "ab"], ["prune", "--failed"], ["export", str(tmp_path / "x")], ["batches"]):
        told = CliRunner().invoke(main, ["ledger", *command])
        assert told.exit_code == 2 and "there is no ledger" in told.output
    assert not (tmp_path / "home").exists()


def test_open_batches_are_listed(home: Path, cli) -> None:  # type: ignore[no-untyped-def]
    assert "No batch is open" in cli("batches").output
    ledger = Ledger(home / "ledger.sqlite")
    batch = ["msgbatch_1", "http://x", "m", "boats", "o", 3, "2026-01-01T00:00:00+00:00"]
    columns = "remote, endpoint, model, domain, owner, requests, opened_at"
    ledger.write(lambda con: con.execute(f"insert into batches ({columns}) values (?, ?, ?, ?, ?, ?, ?)", batch)).result()
    ledger.close()
    assert "msgbatch_1" in cli("batches").output
