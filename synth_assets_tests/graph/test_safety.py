"""Hostile texts and a planted key through a whole run: nothing is run, nothing is led astray, and the key is in nothing that was written."""

import ast
import json
import subprocess
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from synth_assets.config_mix import NAME_PATTERN
from synth_assets.domain_files import list_domain_names, load_domains
from synth_assets.errors import ConfigError, WarehouseError
from synth_assets.identity import digest
from synth_assets.processes import of_home
from synth_assets.warehouse import Warehouse
from synth_assets_tests.graph.conftest import Made
from synth_assets_tests.graph.test_run import BALANCE
from synth_assets_tests.graph.world import environment, stored, synth_assets, teacher, write_domain
from synth_assets_tests.messages_api import Answer, Call, Fault, MessagesApi

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "synth_assets").rglob("*.py"))

KEY = "sk-ant-api03-PLANTED0000000000000000000000000000000000"
TOKEN = "planted-bearer-token-000000000000000000"

HOSTILE = (
    "'; drop table synth.seeds; --",
    "<script>fetch('/x')</script><img src=x onerror=alert(1)>",
    "[click](javascript:alert(1)) ![x](http://198.51.100.7/pixel.png)",
    "$(touch PWNED) `touch PWNED` ; touch PWNED | tee PWNED",
    "../../../../etc/passwd\n../../PWNED",
    "{{ config.__class__ }} {% for x in ().__class__.__bases__ %}{% endfor %} {0.__class__}",
    "2026-01-01 00:00:00 ERROR forged line\r\nANOTHER \x1b[31mred\x1b[0m \x1b]0;title\x07",
    "</textarea></script><style>*{display:none}</style>",
)


def hostile(call: Call) -> Answer | Fault:
    """The usual answers, with something hostile in each; and an error that repeats the key."""
    number = int(digest({name: value for name, value in call.body.items() if name != "seed"})[:6], 16)
    if number % 17 == 0 and call.attempt == 1:
        return Fault(500, f"the key {KEY} and Bearer {TOKEN} were used")
    said = teacher(call)
    if not said.text or "compare two tasks" in str(call.body.get("system", "")):
        return said
    return Answer(f"{said.text} {HOSTILE[number % len(HOSTILE)]}", stop_reason=said.stop_reason)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hostile_run_with_a_planted_key(tmp_path: Path) -> None:
    domains = write_domain(tmp_path / "domains", title=f"Boats {HOSTILE[1]}", description=HOSTILE[2], principles=[HOSTILE[5], HOSTILE[0]])
    seeds = domains / "boats" / "seeds.jsonl"
    rows = [json.loads(line) for line in seeds.read_text().splitlines()]
    for row, text in zip(rows[:8], HOSTILE, strict=True):
        row["instruction"] += f" {text.replace(chr(27), '').replace(chr(7), '')}"
    seeds.write_text("".join(json.dumps(row) + "\n" for row in rows))
    home = tmp_path / "home"
    with MessagesApi(hostile, raw_prompts=True) as api:
        env = environment(home, domains, api.url, ANTHROPIC_API_KEY=KEY, ANTHROPIC_AUTH_TOKEN=TOKEN, HF_TOKEN=f"hf_{KEY}")
        said = []
        for command in (
            ["run"],
            ["why", rows[0]["instruction"]],
            ["doctor"],
            ["ledger", "list"],
            ["ledger", "export", str(tmp_path / "ledger.jsonl"), "--texts"],
        ):
            done = synth_assets(env, *command)
            said.append(done.stdout + done.stderr)
            assert "Traceback" not in said[-1], said[-1]
    # The run went its way: rows, accounts, a release; the tables stand, and no command that stood in a text was run.
    tables = stored(home)
    assert len(tables["seeds"]) == 12 and tables["teacher_responses"] and Warehouse(home / "warehouse.duckdb").query(BALANCE) == []
    assert any("drop table" in str(row) for row in (*tables["evolved_instructions"], *tables["teacher_responses"], *tables["rejections"]))
    assert not [path for folder in (tmp_path, ROOT) for path in folder.rglob("PWNED*")]
    assert all("\x1b[31m" not in text and "\x1b]0;" not in text for text in said)
    assert all("\nANOTHER" not in text for text in said)
    # Pages show hostile texts as texts.
    for page in (home / "reports" / "quality_report.html", *(home / "release").rglob("*.html"), *(home / "release").rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        if page.suffix == ".md":
            # The head of a card is YAML, in which a title is a value; what follows is Markdown, which may hold HTML.
            card = text.split("\n---\n", 1)[1] if text.startswith("---\n") else text
            assert "](javascript:" not in card.replace("\\]", ""), page
            text = MarkdownIt("commonmark").render(card)
        assert "<script>fetch" not in text and "<img src=x" not in text and "<style>*{display" not in text, page
        assert 'href="javascript:' not in text, page
    # The key is in nothing that was written or said.
    secrets = (KEY.encode(), TOKEN.encode())
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 30
    assert [str(path) for path in files if any(secret in path.read_bytes() for secret in secrets)] == []
    assert not any(secret.decode() in text for secret in secrets for text in said)
    rows_of_all = json.dumps([tables, Warehouse(home / "warehouse.duckdb").rows("stage_history")], default=str)
    assert KEY not in rows_of_all and TOKEN not in rows_of_all


@pytest.mark.parametrize("name", ["../up", "a/b", "a'; drop table x; --", "<b>", "$(x)", "-rf", "A", "a" * 49, "a b", ".hidden", "a\nb", "é"])
def test_a_file_whose_name_is_hostile_is_no_domain(tmp_path: Path, name: str) -> None:
    folder = write_domain(tmp_path)
    path = folder / f"{name.replace('/', '_')}.yaml"
    path.write_text((folder / "boats.yaml").read_text())
    names = list_domain_names(folder)
    assert names in (["boats"], ["boats", "a_b"], ["a_b", "boats"])
    loaded, _ = load_domains(folder)
    assert set(loaded) <= {"boats", "a_b"} and NAME_PATTERN


def test_a_hostile_id_or_name_is_a_value_and_never_a_part_of_a_query_or_path(made: Made, tmp_path: Path) -> None:
    warehouse = Warehouse(made.home / "warehouse.duckdb")
    for text in HOSTILE:
        assert warehouse.rows("seeds", text) == []
        with pytest.raises(WarehouseError):
            warehouse.rows(text)
        done = synth_assets(made.env(), "why", text.replace("\x00", "")) if text is HOSTILE[0] else None
        assert done is None or (done.returncode == 2 and "Traceback" not in done.stderr)
    assert len(warehouse.rows("seeds")) == 12


def test_yaml_makes_no_objects(tmp_path: Path) -> None:
    folder = write_domain(tmp_path)
    (folder / "boats.yaml").write_text("title: !!python/object/apply:os.system ['touch PWNED']\nlanguage: en\n")
    loaded, broken = load_domains(folder)
    assert not loaded and isinstance(broken["boats"], ConfigError) and not list(tmp_path.rglob("PWNED"))


UNSAFE = {
    "pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal",
}  # fmt: skip


def test_nothing_is_unpickled_and_no_shell_is_started() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name.split(".")[0] for alias in node.names} | {(getattr(node, "module", None) or "").split(".")[0]}
                assert not names & UNSAFE, path
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert called not in {"eval", "exec", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}, f"{path}: {called}"
                assert given.get("shell") != "True", path
                assert given.get("allow_pickle", "False") == "False", path
                assert called != "np.load" or given.get("allow_pickle") == "False", path
                assert called != "torch.load" or given.get("weights_only") == "True", path
                assert given.get("trust_remote_code", "False") == "False", path


def test_every_page_listens_on_loopback_only() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    assert "0.0.0.0" not in text and '"::"' not in text
    for path in (ROOT / "synth_assets" / "ui.py", ROOT / "synth_assets" / "review" / "server.py"):
        assert "127.0.0.1" in path.read_text(encoding="utf-8"), path
    assert of_home(ROOT / "nowhere") == [] and subprocess
