"""The command as it is typed: its exit status, its errors, and an output folder that never lies about a run."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from synth_assets.cli import main
from synth_assets.screening.benchmarks import read_benchmark
from synth_assets.screening.word_columns import Vocabulary, WordColumn
from synth_assets_tests.screening.files import good, write_rows


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["screen", *map(str, arguments)])
    return result.exit_code, result.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "rows.jsonl", [good(0), good(1), good(2, output="I'm sorry, but I can't assist with that.")])


def test_the_command(tmp_path: Path, file: Path) -> None:
    status, said = run(file, "--out", tmp_path / "out", "--no-embeddings", "--column", "response=output")
    assert status == 0, said
    assert "3 rows: 2 kept, 1 rejected" in said
    assert "Decontamination was off" in said and "semantic near-duplicate gate was off: --no-embeddings" in said
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["bad_lines.jsonl", "kept.jsonl", "rejected.jsonl", "report.json"]
    assert run(file, "--out", tmp_path / "other", "--no-near-duplicates", "--fail-on", "refusal=0")[0] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fail-on", "refusals=0"], "there is no rule 'refusals' (did you mean refusal?)"),
        (["--fail-on", "refusal"], "write the share of rows that is still good after it, such as refusal=0"),
        (["--fail-on", "refusal=2"], "for percent write 2%"),
        (["--column", "prompt"], "write ROLE=NAME"),
        (["--column", "prompt=a", "--column", "prompt=b"], "the role 'prompt' has a column already, 'a'"),
        (["--column", "prompt=instuction"], "did you mean 'instruction'?"),
        (["--benchmark", "nowhere.jsonl"], "nowhere.jsonl: there is no such file"),
        (["--rules-config", "nowhere.yaml"], "nowhere.yaml: there is no such file"),
    ],
)
def test_errors_are_said_before_anything_is_written(tmp_path: Path, file: Path, arguments: list[str], message: str) -> None:
    status, said = run(file, "--out", tmp_path / "out", "--no-embeddings", *arguments)
    assert status == 2
    assert message in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("rules: {max_prompt_word: 4}", "1: unknown key 'max_prompt_word' in rules"),
        ("gates:\n  rules:\n    max_duplicate_line_share: 7", "3: rules.max_duplicate_line_share is 7"),
        ("gates:\n  rules:\n    off: [refusals]", "3: there is no rule 'refusals'"),
        ("gates: 4", "1: gates is no mapping"),
        ("gates:\n  rules:\n    toxicity: {above: 0.5}", "3: key rules.toxicity.model is missing"),
    ],
)
def test_a_fault_in_the_limits_has_its_line(tmp_path: Path, file: Path, yaml: str, message: str) -> None:
    (tmp_path / "limits.yaml").write_text(yaml)
    status, said = run(file, "--out", tmp_path / "out", "--rules-config", tmp_path / "limits.yaml")
    assert (status, message in said) == (2, True), said


def test_output_of_an_earlier_run_is_replaced_only_when_asked_and_other_files_never(tmp_path: Path, file: Path) -> None:
    out = tmp_path / "out"
    options = ("--out", out, "--no-near-duplicates")
    assert run(file, *options)[0] == 0
    status, said = run(file, *options)
    assert status == 2 and "holds the output of an earlier run. Say --overwrite" in said
    (out / "report.json").unlink()
    (out / "kept.jsonl").rename(out / "kept.jsonl.part")
    status, said = run(file, *options)
    assert status == 2 and "holds what a run left that did not finish" in said
    assert run(file, *options, "--overwrite")[0] == 0
    assert not (out / "kept.jsonl.part").exists()
    (out / "thesis.tex").write_text("years of work")
    status, said = run(file, *options, "--overwrite")
    assert status == 2 and "'thesis.tex'" in said
    assert (out / "report.json").exists()
    assert run(file, "--out", tmp_path)[0] == 2
    assert "a file, not a folder" in run(file, "--out", file)[1]


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_a_run_that_is_stopped_leaves_no_report(tmp_path: Path, sent: signal.Signals, status: int) -> None:
    rows = (good(n % 6, instruction=f"Question number {n}, about whatever it is?") for n in range(50_000))
    file, out = write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "out"
    command = [sys.executable, "-m", "synth_assets.cli", "screen", str(file), "--out", str(out), "--no-near-duplicates", "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONUNBUFFERED": "1"}) as process:
        assert process.stdout is not None
        # What is said second is said when the folder is made, and seconds of rows are still to be tested.
        assert [process.stdout.readline()[:9], process.stdout.readline()[:8]] == [b"Screening", b"Decontam"]
        process.send_signal(sent)
    assert process.returncode == status
    names = {p.name for p in out.iterdir()}
    assert "kept.jsonl.part" in names and all(name.endswith(".part") for name in names)
    refused, said = run(file, "--out", out, "--no-near-duplicates")
    assert refused == 2 and "did not finish" in said


@pytest.mark.parametrize(
    ("row", "items"),
    [
        ({"id": "a", "prompt": "p", "answer": "r"}, [("a", "prompt", "p"), ("a", "answer", "r")]),
        ({"task_id": "HumanEval/0", "prompt": "p", "canonical_solution": "r", "test": "t"}, [("HumanEval/0", "prompt", "p"), ("HumanEval/0", "answer", "r")]),
        ({"question": "p", "answer": "r"}, [("1", "prompt", "p"), ("1", "answer", "r")]),
        ({"question_id": 81, "category": "writing", "turns": ["p", "q"]}, [("81.1", "prompt", "p"), ("81.2", "prompt", "q"), ("81.3", "prompt", "p\nq")]),
        ({"instruction": "p", "dataset": "x"}, [("1", "prompt", "p")]),
        ({"question": "p", "answer": ["r", "s"]}, [("1", "prompt", "p")]),
    ],
)
def test_benchmarks_have_many_shapes(tmp_path: Path, row: dict[str, object], items: list[tuple[str, str, str]]) -> None:
    benchmark = read_benchmark(write_rows(tmp_path / "bench.test.jsonl", [json.dumps(row)]))
    assert benchmark.name == "bench"
    assert [(item.item_id, item.part, item.text) for item in benchmark.items] == items


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["{"], "bench.jsonl:1: not JSON"),
        (['{"prompt": "a"}', '{"prompt": 4}'], "bench.jsonl:2: column 'prompt' is a number"),
        (['{"prompt": " "}'], "bench.jsonl:1: the prompt is empty"),
        (['{"text": "a"}'], "A benchmark needs a prompt in each row"),
        ([""], "a benchmark without items"),
    ],
)
def test_a_benchmark_that_protects_nothing_stops_the_run(tmp_path: Path, file: Path, lines: list[str], message: str) -> None:
    bench = write_rows(tmp_path / "bench.jsonl", lines)
    status, said = run(file, "--out", tmp_path / "out", "--benchmark", bench)
    assert status == 2 and message in said


def test_two_benchmarks_of_one_name_are_refused(tmp_path: Path, file: Path) -> None:
    (tmp_path / "b").mkdir()
    names = [write_rows(folder / "bench.jsonl", [{"prompt": "Name the birds of the far north."}]) for folder in (tmp_path, tmp_path / "b")]
    status, said = run(file, "--out", tmp_path / "out", "--benchmark", names[0], "--benchmark", names[1])
    assert status == 2 and "Two benchmarks are called 'bench'" in said


def test_word_columns_give_back_what_they_took() -> None:
    vocabulary = Vocabulary()
    one, other = WordColumn(vocabulary), WordColumn(vocabulary)
    texts = [["a", "b", "a"], [], ["中", "b"]]
    for text in texts:
        one.append(text)
        other.append(reversed(text))
    assert list(one) == texts and len(one) == 3 and one[-1] == texts[-1] and one[:2] == texts[:2]
    assert list(other) == [text[::-1] for text in texts]
    with pytest.raises(IndexError):
        one[3]
