"""`synth-assets release` over folders on disk, as a user calls it; pushing goes to a double of the Hub in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from synth_assets.accounts import Row
from synth_assets.cli import main
from synth_assets.commands import release
from synth_assets.release import export
from synth_assets.release.forms import FORMS
from synth_assets.release.options import ORDERS
from synth_assets_tests.hub import hub
from synth_assets_tests.release.test_export import released, rewrite


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYNTH_HOME", str(tmp_path))
    return tmp_path


def made(home: Path, rows: list[Row], **manifest: Any) -> str:
    version = export.version_of(rows)
    texts = {"README.md": "# Card\n", "release.json": json.dumps({"rows": {"all": len(rows)}, "domains": {"a": {}}, "order": "mixed"} | manifest)}
    export.write(home / "release", version, rows, texts)
    return version


def synth_assets(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["release", *arguments])


def test_options_are_those_of_the_library() -> None:
    assert release.ORDERS == ORDERS and tuple(FORMS) == release.FORMS


def test_list_and_verify(home: Path) -> None:
    assert "There is no release" in synth_assets("list").output
    first, second = made(home, released(3)), made(home, released(5))
    listed = {row["version"]: row for row in json.loads(synth_assets("list", "--json").output)}
    assert listed.keys() == {first, second} and listed[second]["latest"] and not listed[first]["latest"]
    assert f"{second} (latest): all 11" in synth_assets("list").output
    assert synth_assets("verify").exit_code == 0
    rewrite(home / "release" / first / "README.md")
    torn = synth_assets("verify")
    assert torn.exit_code == 1 and f"{first}: README.md was changed" in torn.output and f"{second}: as it was written" in torn.output
    assert synth_assets("verify", "latest").exit_code == 0


def test_diff(home: Path) -> None:
    rows = released(24)
    moved = next(row for row in rows if row["split"] == "test" and row["kind"] == "sft")
    after = [{**row, "split": "train"} if row is moved else row for row in rows[1:]]
    after[-1] = {**after[-1], "license": "MIT"}
    a, b = made(home, rows, teachers={"m": 1}), made(home, after, teachers={"m": 2})
    found = json.loads(synth_assets("diff", a, b, "--json").output)
    assert (found["removed"], found["added"], found["changed"]) == ([rows[0]["id"]], [], [after[-1]["id"]])
    assert found["moved"] == {moved["id"]: "test > train"} and found["same"] == len(rows) - 3
    assert found["settings"] == {"teachers": [{"m": 1}, {"m": 2}]}
    shown = synth_assets("diff", a[2:8], "latest").output
    assert f"{a} > {b}: 0 added, 1 removed, 1 changed, 1 moved" in shown and 'teachers: {"m": 1} > {"m": 2}' in shown
    assert json.loads(synth_assets("diff", a, a, "--json").output)["same"] == len(rows)


@pytest.mark.parametrize("name", ["r-0123", "latest", "../.."])
def test_a_release_that_there_is_not_is_named(home: Path, name: str) -> None:
    wrong = synth_assets("verify", name)
    assert wrong.exit_code == 2 and "there are: none" in wrong.output


def push(home: Path, url: str, *arguments: str, token: str = "hf_very_secret") -> subprocess.CompletedProcess[str]:
    """In a process of its own: the Hub's library reads its address when it is imported."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    env |= {"SYNTH_HOME": str(home), "HF_ENDPOINT": url, "HF_HOME": str(home / "hf"), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    env |= {"HF_TOKEN": token} if token else {}
    command = [sys.executable, "-m", "synth_assets.cli", "release", "push", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=100)


def test_push_sends_what_the_dry_run_lists(home: Path) -> None:
    version = made(home, released(5))
    with hub(files={"sft/old-00000.parquet": b"old", "LICENSE": b"kept"}) as state:
        dry = push(home, state.url, "--repo", "me/boats", "--private", "--dry-run")
        assert dry.returncode == 0, dry.stderr
        assert f"tagged {version}. Nothing was sent." in dry.stdout and not state.created and not state.tokens
        done = push(home, state.url, "--repo", "me/boats", "--private")
        assert done.returncode == 0, done.stderr
    folder = home / "release" / version
    sent = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert state.files == sent | {"LICENSE": b"kept"}
    assert all(f"  {path}  {len(data):,} bytes" in dry.stdout for path, data in sent.items())
    assert state.commits == [f"Release {version}"] and state.tags == [version] and "private" in str(state.created[0])
    assert state.tokens == {"Bearer hf_very_secret"}
    assert "hf_very_secret" not in done.stdout + done.stderr + dry.stdout + dry.stderr


@pytest.mark.parametrize(
    ("token", "status", "message"),
    [("hf_very_secret", 403, "The token needs write access"), ("", 200, "set HF_TOKEN"), ("hf_very_secret", 422, "HTTP 422")],
)
def test_a_refused_push_says_what_to_do(home: Path, token: str, status: int, message: str) -> None:
    made(home, released(3))
    with hub(status=status) as state:
        done = push(home, state.url, "--repo", "me/boats", token=token)
    assert done.returncode == 2 and message in done.stderr and "hf_very_secret" not in done.stdout + done.stderr
    assert not state.commits


@pytest.mark.parametrize("repo", ["boats", "me/bo ats", "a/b/c", "../x"])
def test_a_wrong_repository_is_refused_before_anything(home: Path, repo: str) -> None:
    made(home, released(3))
    wrong = synth_assets("push", "--repo", repo, "--dry-run")
    assert wrong.exit_code == 2 and "owner/name" in wrong.output


def test_a_changed_release_is_not_pushed(home: Path) -> None:
    version = made(home, released(3))
    rewrite(home / "release" / version / "README.md")
    wrong = synth_assets("push", "--repo", "me/boats", "--dry-run")
    assert wrong.exit_code == 2 and "README.md was changed" in wrong.output
