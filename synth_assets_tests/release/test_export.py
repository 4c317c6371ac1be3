"""A release on disk: what trainers read, and what is left after a kill, a full disk and a change by hand."""

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from synth_assets.accounts import Row
from synth_assets.errors import StageFailed
from synth_assets.release import export
from synth_assets.release.selection import select
from synth_assets_tests.release.mixed_rows import mixed_row, mixed_rows

HOSTILE = 'line\u2028separator\x85, "quotes", \\ and \x00, 汉字 \U0001f600\r\n| --- |'
TEXTS = {"README.md": "# Card\n", "release.json": "{}\n"}


def released(count: int = 24) -> list[Row]:
    mixed = {"a": [*mixed_rows("a", count), mixed_row("a", "hostile", prompt=HOSTILE)], "b": mixed_rows("b", count, "preference")}
    return [row for outcome in select(mixed).values() for row in outcome.kept]


def write(releases: Path, rows: list[Row]) -> Path:
    return export.write(releases, export.version_of(rows), rows, TEXTS)


def rewrite(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"torn")


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_write_files(tmp_path: Path) -> None:
    rows = released()
    folder = write(tmp_path / "release", rows)
    assert folder == tmp_path / "release" / export.version_of(rows)
    data = [f"{kind}/{split}-00000{suffix}" for kind in ("sft", "preference") for split in ("train", "validation", "test") for suffix in (".parquet", ".jsonl")]
    assert set(contents(folder)) == {*data, "README.md", "release.json", "SHA256SUMS"}
    assert export.latest(tmp_path / "release") == folder.name
    assert export.verify(folder) == []
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        checksum, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == checksum


def test_write_forms(tmp_path: Path) -> None:
    rows = released()
    folder = write(tmp_path, rows)
    names = ["id", "domain", "topic", "language", "origin", "source", "license", "method", "root_id"]
    for kind, said in (("sft", ["messages"]), ("preference", ["prompt", "chosen", "rejected"])):
        written = []
        for split in ("train", "validation", "test"):
            lines = (folder / f"{kind}/{split}-00000.jsonl").read_text(encoding="utf-8").splitlines()
            frame = pd.read_parquet(folder / f"{kind}/{split}-00000.parquet")
            assert list(frame.columns) == said + names
            assert [json.loads(line)["id"] for line in lines] == list(frame["id"])
            written += [json.loads(line) for line in lines]
        wanted = {r["id"]: r for r in rows if r["kind"] == kind}
        assert {r["id"] for r in written} == wanted.keys()
        for row in written:
            assert row[said[0]] == wanted[row["id"]]["messages"]
            assert all(row[name] == wanted[row["id"]][name] for name in (*names, *said[1:]))


def test_empty_splits_are_left_out(tmp_path: Path) -> None:
    folder = write(tmp_path, released(3)[:4])
    assert {name for name in contents(folder) if name.endswith("parquet")} == {"sft/train-00000.parquet"}


def test_same_rows_same_bytes(tmp_path: Path) -> None:
    rows = released()
    one, two = write(tmp_path / "one", rows), write(tmp_path / "two", rows[::-1])
    assert one.name == two.name
    assert contents(one) == contents(two)


def test_version_follows_content() -> None:
    rows = released()
    versions = {
        export.version_of(rows),
        export.version_of(rows[:-1]),
        export.version_of([{**rows[0], "license": "MIT"}, *rows[1:]]),
        export.version_of([{**rows[0], "split": "test" if rows[0]["split"] == "train" else "train"}, *rows[1:]]),
    }
    assert len(versions) == 4
    assert export.version_of([{**row, "reward": 0.1} for row in rows]) in versions


def test_version_follows_what_made_it() -> None:
    rows = released(3)
    assert len({export.version_of(rows, made_by) for made_by in (None, ["x", "mixed"], ["x", "curriculum"], ["y", "mixed"])}) == 4


def test_files_cannot_be_written_again(tmp_path: Path) -> None:
    folder = write(tmp_path, released(3))
    assert {p.stat().st_mode & 0o777 for p in folder.rglob("*") if p.is_file()} == {0o444}


@pytest.mark.parametrize("most", [1, 100, 10**9])
def test_shards_keep_order_and_hold_their_size(most: int) -> None:
    rows = export.tables(released())["sft", "train"]
    found = export.shards(rows, most)
    sizes = [[sum(len(m["content"].encode()) for m in row["messages"]) for row in shard] for shard in found]
    assert [row for shard in found for row in shard] == rows and all(shard for shard in found)
    assert all(sum(shard) <= most or len(shard) == 1 for shard in sizes)
    assert len(found) == {1: len(rows), 10**9: 1}.get(most, len(found))


def test_many_shards_are_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = released()
    monkeypatch.setattr(export, "SHARD_BYTES", 500)
    folder = write(tmp_path, rows)
    assert len(list(folder.glob("sft/train-*.parquet"))) == len(list(folder.glob("sft/train-*.jsonl"))) > 2
    assert {row["id"] for row in export.read(folder)} == {row["id"] for row in rows}


def test_rows_stand_by_their_place(tmp_path: Path) -> None:
    rows = [{**row, "place": place} for place, row in enumerate(sorted(released(), key=lambda row: str(row["id"]), reverse=True))]
    written = export.tables(rows)["sft", "train"]
    assert [row["id"] for row in written] == sorted((row["id"] for row in written), reverse=True)


def test_further_forms(tmp_path: Path) -> None:
    system = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
    longer = [*system, {"role": "user", "content": "Really?"}, {"role": "assistant", "content": "Yes."}]
    mixed = {"a": [mixed_row("a", 1, messages=system), mixed_row("a", 2, messages=longer), mixed_row("a", 3, kind="preference", prompt="Which?")]}
    rows = [row for outcome in select(mixed).values() for row in outcome.kept]
    folder = export.write(tmp_path, "r-x", rows, TEXTS, ["alpaca", "sharegpt"])
    ids = {row["mixed_id"]: row["id"] for row in rows}
    one, two, pair = (ids[row["id"]] for row in mixed["a"])

    def lines(path: str) -> dict[str, dict[str, object]]:
        return {row.pop("id"): row for row in map(json.loads, (folder / path).read_text().splitlines())}

    alpaca = lines("alpaca/sft/train-00000.jsonl")
    assert alpaca[one] == {"instruction": "Why?", "input": "", "output": "So.", "system": "Be brief.", "history": []}
    assert alpaca[two] == {"instruction": "Really?", "input": "", "output": "Yes.", "system": "Be brief.", "history": [["Why?", "So."]]}
    better = {"chosen": "Answer 3 of a.", "rejected": "Worse answer 3."}
    assert lines("alpaca/preference/train-00000.jsonl")[pair] == {"instruction": "Which?", "input": "", **better, "system": "", "history": []}
    said = lines("sharegpt/sft/train-00000.jsonl")[one]["conversations"]
    assert said == [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]
    assert lines("sharegpt/preference/train-00000.jsonl")[pair] == {
        "conversations": [{"from": "human", "value": "Which?"}],
        **{name: {"from": "gpt", "value": text} for name, text in better.items()},
    }
    assert export.verify(folder) == []


def test_second_release_writes_nothing(tmp_path: Path) -> None:
    rows = released()
    folder = write(tmp_path, rows)
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    write(tmp_path, rows[:5])
    assert export.latest(tmp_path) != folder.name
    assert write(tmp_path, rows) == folder
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before
    assert export.latest(tmp_path) == folder.name


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda f: rewrite(f / "README.md"), "README.md was changed"),
        (lambda f: (f / "sft/train-00000.parquet").unlink(), "sft/train-00000.parquet is missing"),
        (lambda f: (f / "notes.txt").write_text("mine"), "notes.txt was added"),
        (lambda f: (f / "SHA256SUMS").unlink(), "SHA256SUMS is missing"),
    ],
)
def test_changed_release_is_refused(tmp_path: Path, change: object, fault: str) -> None:
    rows = released(3)
    folder = write(tmp_path, rows)
    assert callable(change)
    change(folder)
    assert export.verify(folder) == [fault]
    with pytest.raises(StageFailed, match=fault):
        write(tmp_path, rows)


WRITER = """
import os, resource, signal, sys
from pathlib import Path
from synth_assets_tests.release.test_export import released, write

releases, how = Path(sys.argv[1]), sys.argv[2]

def kill(event, arguments):
    if event == "os.rename" and ".unfinished-r-" in str(arguments[0]):
        os.kill(os.getpid(), signal.SIGKILL)

if how == "kill":
    sys.addaudithook(kill)
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
write(releases, released())
"""


def test_kill_before_rename_leaves_no_release(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path), "kill"], check=False, capture_output=True)
    assert ended.returncode == -signal.SIGKILL
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == [f".unfinished-{export.version_of(released())}"]
    assert export.latest(tmp_path) is None
    folder = write(tmp_path, released())
    assert [p for p in tmp_path.iterdir() if p.is_dir()] == [folder]
    assert export.verify(folder) == []


def test_full_disk_leaves_nothing(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path), "full"], check=False, capture_output=True, text=True)
    assert "StageFailed: the release could not be written" in ended.stderr
    assert [p for p in tmp_path.iterdir() if p.is_dir()] == []
    assert export.latest(tmp_path) is None
