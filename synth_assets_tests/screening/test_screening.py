"""A file goes in, every good line ends in kept or rejected with its bytes unchanged, and the report adds up."""

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synth_assets.errors import ScreenError
from synth_assets.screening import screening
from synth_assets.screening.command import EXCEEDED
from synth_assets_tests.screening.files import ANSWERS, QUESTIONS, good, screened, write_rows

ITEM = "A gardener plants nineteen tulip bulbs in each of seven rows and loses a third of them to mice before spring arrives. How many bloom?"
SECRET = "AKIA" + "J7Q2XK4WZP9LMN3R"


def test_rows_are_sorted_and_the_report_adds_up(tmp_path: Path) -> None:
    rows: list[dict[str, Any] | str] = [
        good(0),
        good(1, output="I'm sorry, but I can't assist with that."),
        "not json",
        good(2, output=f"{ANSWERS[2]} The key is {SECRET}.<|im_end|>"),
        good(3, instruction=f"Please help me. {ITEM}"),
        good(0, output="Turn it now and then."),  # its prompt stands in line 1
        '{"instruction": "Why?"}',
        good(4),
    ]
    file = write_rows(tmp_path / "rows.jsonl.gz", rows)
    benchmark = write_rows(tmp_path / "garden.jsonl", [{"id": "t1", "question": ITEM, "answer": "93"}])
    output = screened(file, tmp_path / "out", benchmarks=[benchmark], fail_on=["secret=0.5"])
    assert output.status == 0
    assert [row["instruction"] for row in output.rows("kept")] == [QUESTIONS[0], QUESTIONS[4]]
    assert output.rules == {
        2: ["refusal"],
        4: ["scaffold_text", "secret"],
        5: ["contaminated_coverage_8gram", "contaminated_rare_13gram"],
        6: ["near_duplicate_rouge_l"],
    }
    assert [(row["line"], row["reason"]) for row in output.rows("bad_lines")] == [(3, "not JSON at column 1: Expecting value"), (7, "no column 'output'")]
    report = output.report
    assert report["rows"] == {"read": 6, "kept": 2, "rejected": 4, "rejected_share": 4 / 6, "bad_lines": 2}
    rules = {rule["rule"]: rule for rule in report["rules"]}
    assert (rules["secret"]["rows"], rules["secret"]["own_rows"]) == (1, 0)
    assert (rules["refusal"]["rows"], rules["refusal"]["own_rows"], rules["refusal"]["own_share"]) == (1, 1, 1 / 6)
    assert rules["iban"]["rows"] == 0 and all(rule["description"] and rule["source"] for rule in rules.values())
    assert {"rules": ["scaffold_text", "secret"], "rows": 1} in report["overlaps"]
    assert report["benchmarks"][0] | {"sha256": ""} == {
        "name": "garden",
        "sha256": "",
        "columns": "prompt=question, response=answer",
        "items": 1,
        "items_found": 1,
        "rows": 2,
        "rows_by_rule": {"coverage_8gram": 1, "rare_13gram": 1},
    }
    assert report["input"]["columns"] == {"prompt": "instruction", "input": "input", "response": "output"}
    assert report["diversity"]["prompts"] == 2 and "topic_coverage" not in report["diversity"]
    assert "refusal" in output.said and "EXCEEDED" not in output.said


def test_evidence_names_item_and_survivor_and_masks_secrets(tmp_path: Path) -> None:
    rows = [good(0), good(1, output=f"Use {SECRET} for it, and keep it to yourself."), good(0), good(2, input=ITEM)]
    output = screened(
        write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "out", benchmarks=[write_rows(tmp_path / "garden.jsonl", [{"id": "t1", "prompt": ITEM}])]
    )
    findings = {row["line"]: {f["rule"]: f for f in row["findings"]} for row in output.rows("rejected")}
    assert findings[2]["secret"]["evidence"].endswith("AKIA************MN3R") and SECRET not in json.dumps(findings)
    assert findings[3]["near_duplicate_rouge_l"] == {
        "rule": "near_duplicate_rouge_l",
        "score": 1.0,
        "evidence": "line 1: how do i look after a compost heap in winter",
    }
    assert findings[4]["contaminated_rare_13gram"]["evidence"].startswith("garden t1: a gardener plants")


def test_lines_are_kept_byte_for_byte(tmp_path: Path) -> None:
    kept = f'''{{"output":"{ANSWERS[0]}",   "instruction": "{QUESTIONS[0]}", "n": 1.0, "e": "\\u00e9\\ud800", "n": 2}}'''
    rejected = f'''{{"output":"<noinput>", "instruction": "{QUESTIONS[1]}", "n": 1e400}}'''
    (tmp_path / "rows.jsonl").write_bytes(f"{kept}\r\n\r\n{rejected}".encode())
    output = screened(tmp_path / "rows.jsonl", tmp_path / "out")
    assert (output.folder / "kept.jsonl").read_text() == f"{kept}\n"
    assert (output.folder / "rejected.jsonl").read_text().endswith(f', "row": {rejected}}}\n')


def test_parquet_conversations_and_preferences(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": QUESTIONS[0]}, {"role": "assistant", "content": ANSWERS[0]}]
    spoiled = [*turns, {"role": "user", "content": "And then, please?"}, {"role": "assistant", "content": "I'm sorry, but I can't help with that."}]
    system = {"role": "system", "content": f"The key is {SECRET}."}
    table = pyarrow.Table.from_pylist([{"messages": turns}, {"messages": spoiled}, {"messages": [system, *turns]}])
    pyarrow.parquet.write_table(table, tmp_path / "chats.parquet")
    output = screened(tmp_path / "chats.parquet", tmp_path / "chats", near_duplicates=False)
    assert output.rows("kept") == [{"messages": turns}]
    assert output.rules == {2: ["refusal"], 3: ["secret"]}
    assert output.rows("rejected")[1]["findings"][0]["evidence"].startswith("system: ")

    pairs = [
        {"prompt": QUESTIONS[0], "chosen": ANSWERS[0], "rejected": "Leave it alone."},
        {"prompt": QUESTIONS[1], "chosen": ANSWERS[1], "rejected": f"{ANSWERS[1]}\n"},
        {"prompt": QUESTIONS[2], "chosen": ANSWERS[2], "rejected": ITEM},
    ]
    benchmark = write_rows(tmp_path / "garden.jsonl", [{"prompt": ITEM}])
    output = screened(write_rows(tmp_path / "pairs.jsonl", pairs), tmp_path / "pairs", benchmarks=[benchmark])
    assert output.rules == {2: ["chosen_equals_rejected"], 3: ["contaminated_exact", "contaminated_coverage_8gram", "contaminated_rare_13gram"]}


def test_both_languages_in_one_file(tmp_path: Path) -> None:
    chinese = {"instruction": "请向孩子解释天空为什么是蓝色的。", "output": "阳光里有各种颜色，空气把蓝光散射得最厉害，所以我们从四面八方都看到蓝色。"}
    rows = [good(0), chinese, good(1, output=chinese["output"])]
    file = write_rows(tmp_path / "rows.jsonl", rows)
    assert screened(file, tmp_path / "auto").rules == {3: ["wrong_language"]}
    assert 2 in screened(file, tmp_path / "en", language="en").rules
    said = screened(file, tmp_path / "embeddings", embeddings=True).said
    assert "knows English only" in said


def test_limits_come_from_a_domain_file_or_a_section_of_it(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "rows.jsonl", [good(0), good(1, output=f"{ANSWERS[1]}<|im_end|>")])
    section = "rules:\n  max_response_words: 5\n  off: [scaffold_text]\n"
    (tmp_path / "section.yaml").write_text(section)
    (tmp_path / "domain.yaml").write_text("title: Garden\nlanguage: en\ngates:\n" + "".join(f"  {line}\n" for line in section.splitlines()))
    for name in ("section", "domain"):
        output = screened(file, tmp_path / name, rules_config=tmp_path / f"{name}.yaml")
        assert output.rules == {1: ["response_too_long"], 2: ["response_too_long"]}
        assert output.report["settings"]["gates"]["rules"]["max_response_words"] == 5


@pytest.mark.slow
def test_processes_change_nothing_but_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "CHUNK", 7)
    rows = [good(n % 6, instruction=f"{QUESTIONS[n % 6]} Case {'abcdefgh'[n % 8] * (n // 8 + 3)}.") for n in range(60)]
    for n in (3, 20, 59):
        rows[n]["output"] = "I'm sorry, but I can't assist with that."
    file = write_rows(tmp_path / "rows.jsonl", rows)
    one, two = screened(file, tmp_path / "one"), screened(file, tmp_path / "two", workers=2)
    for name in ("kept.jsonl", "rejected.jsonl", "bad_lines.jsonl"):
        assert (one.folder / name).read_bytes() == (two.folder / name).read_bytes()
    assert {4, 21, 60} <= set(one.rules)


def test_two_questions_about_one_passage_both_stay(tmp_path: Path) -> None:
    passage = " ".join(ANSWERS[:4])
    rows = [good(n, instruction=asked, input=passage) for n, asked in enumerate(["How is it done?", "Which tools are named?", "Which tools are named here?"])]
    assert screened(write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "out").rules == {3: ["near_duplicate_rouge_l", "near_duplicate_jaccard"]}
    whole = [row | {"instruction": f"{row['instruction']} {passage}", "input": ""} for row in rows]
    assert screened(write_rows(tmp_path / "whole.jsonl", whole), tmp_path / "whole").rules.keys() == {2, 3}


@pytest.mark.slow
def test_near_duplicates_by_meaning_and_the_better_survives(tmp_path: Path) -> None:
    rows = [
        {"instruction": "What is the capital city of France?", "output": "Paris paris paris it it is is is"},
        {"instruction": "What is the capital of France?", "output": "The capital of France is Paris, which lies on the Seine."},
        good(0),
    ]
    file = write_rows(tmp_path / "rows.jsonl", rows)
    limits = tmp_path / "limits.yaml"
    limits.write_text("near_duplicates: {rouge_l: 1.0, jaccard: 1.0, cosine: 0.9}\n")
    by_place = screened(file, tmp_path / "place", rules_config=limits, embeddings=True)
    assert by_place.rules == {2: ["near_duplicate_cosine"]}
    by_reward = screened(file, tmp_path / "reward", rules_config=limits, embeddings=True, reward=True)
    assert by_reward.rules == {1: ["near_duplicate_cosine"]}
    assert by_reward.report["settings"]["survivor"] == "better reward, then earlier row"
    assert by_reward.report["reward"]["p50"] is not None


@pytest.mark.parametrize(
    ("fail_on", "status"),
    [
        ((), 0),
        (("refusal=0.5",), 0),
        (("refusal=0.25",), 0),
        (("refusal=0.24",), EXCEEDED),
        (("any=0.4", "iban=0"), EXCEEDED),
        (("any=50%",), 0),
        (("private_data=0",), EXCEEDED),
        (("contamination=0", "near_duplicate=0"), 0),
        (("bad_lines=0",), EXCEEDED),
        (("bad_lines=0.2",), 0),
    ],
)
def test_fail_on(tmp_path: Path, fail_on: tuple[str, ...], status: int) -> None:
    rows: list[dict[str, Any] | str] = [
        good(0),
        good(1),
        good(2, output="I'm sorry, but I can't assist with that."),
        good(3, output=f"{ANSWERS[3]} {SECRET}"),
        "bad",
    ]
    output = screened(write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "out", fail_on=fail_on)
    assert output.status == status
    assert ("EXCEEDED" in output.said) == (status == EXCEEDED)
    assert [limit["exceeded"] for limit in output.report["fail_on"]].count(True) == (status == EXCEEDED)


def test_a_file_without_any_row_that_fits_says_why(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "rows.jsonl", [{"prompt": 4, "response": "b"}, {"prompt": "a", "response": 5}])
    with pytest.raises(ScreenError, match=r"no row could be read in 2 lines .* column 'prompt' is a number"):
        screened(file, tmp_path / "out")
    assert not (tmp_path / "out" / "report.json").exists()


def test_terminal_output_is_escaped(tmp_path: Path) -> None:
    row: dict[str, Any] = {"\x1b[31mred": "x", "instruction": QUESTIONS[0], "output": ANSWERS[0]}
    rows: list[dict[str, Any] | str] = [row, '{"\\u001b]0;title\\u0007": 4}', row | {"instruction": f"\x1b[2J{QUESTIONS[1]}"}]
    file = write_rows(tmp_path / "rows.jsonl", rows)
    output = screened(file, tmp_path / "out", columns=["system=\x1b[31mred"])
    assert "\x1b" not in output.said and "\x07" not in output.said
    assert "red" in output.said


hostile = st.text(max_size=60) | st.sampled_from(["", "\x00", "\ud800", "好" * 40, "a " * 300, "<think>", ITEM])


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(hostile, hostile) | st.sampled_from(["{", "[]", '{"instruction": 4}']), min_size=1, max_size=8))
def test_every_line_ends_in_one_place_whatever_it_says(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str] | str]) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    first = good(0)
    lines = [json.dumps(first)] + [row if isinstance(row, str) else json.dumps({"instruction": row[0], "output": row[1]}) for row in rows]
    (folder / "rows.jsonl").write_text("\n".join(lines))
    benchmark = write_rows(folder / "garden.jsonl", [{"prompt": ITEM}])
    output = screened(folder / "rows.jsonl", folder / "out", benchmarks=[benchmark])
    report = output.report
    bad = sum(isinstance(row, str) for row in rows)
    assert report["rows"]["bad_lines"] == len(output.rows("bad_lines")) == bad
    assert report["rows"]["kept"] == len(output.rows("kept"))
    assert report["rows"]["rejected"] == len(output.rows("rejected"))
    assert report["rows"]["kept"] + report["rows"]["rejected"] + bad == len(lines)
    assert sum(rule["own_rows"] for rule in report["rules"]) <= report["rows"]["rejected"] <= sum(rule["rows"] for rule in report["rules"])


def test_what_says_an_item_in_other_words_is_kept_and_listed_for_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTH_HOME", str(tmp_path / "home"))
    rows = [
        good(0),
        good(1, instruction="Mice eat a third of the tulip bulbs that a gardener sets in seven rows of nineteen. How many flower in spring?"),
        good(2, instruction="一位园丁种了七排郁金香球茎，每排十九个，春天到来之前老鼠吃掉了三分之一。有多少个开花？", output="八十八个开花。"),
        good(3, instruction=ITEM),
        good(4),
    ]
    benchmark = write_rows(tmp_path / "garden.jsonl", [{"id": "t1", "question": ITEM}, {"id": "t2", "question": "Who wrote Hamlet?"}])
    output = screened(write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "out", benchmarks=[benchmark], embeddings=True)
    assert set(output.rules) == {4}, "no word rule takes the others, and the tier takes none"
    review = output.report["review"]
    assert (review["cosine"], review["rows"]) == (0.65, 2)
    assert [(row["line"], row["benchmark"], row["item_id"], row["item"]) for row in review["nearest"]] == [(line, "garden", "t1", ITEM) for line in (2, 3)]
    assert "To look at: 2 rows" in output.said
    assert screened(tmp_path / "rows.jsonl", tmp_path / "words", benchmarks=[benchmark]).report["review"] is None
