"""Domain files: good ones load, and every fault of a bad one is named at once with file, line and remedy."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from synth_assets.domain_files import domains_folder, list_domain_names, load_domain, load_domains, shipped_folder
from synth_assets.errors import ConfigError, Problem

GOOD = """\
title: Algebra at school
language: en
topics:
  - name: linear
    description: Equations of degree one.
  - name: quadratic
    description: Equations of degree two.
seeds:
  path: algebra/seeds.jsonl
  source: the authors
  license: CC0-1.0
targets:
  sft: 20
  preference: 5
methods:
  self_instruct:
    target: 10
  reasoning:
    samples: 4
    keep: 2
  constitutional:
    pairs: 5
gates:
  rules:
    min_prompt_words: 3
    off: [wrong_language]
mix:
  synthetic_share: 0.8
real_data:
  - path: algebra/rows.jsonl
    source: the authors
    license: CC0-1.0
  - path: algebra/pairs.jsonl
    kind: preference
    source: the authors
    license: CC0-1.0
benchmarks:
  - name: school
    path: algebra/school.jsonl
"""

SEEDS = [
    {"topic": "linear", "instruction": "Solve x + 1 = 3.", "response": "x = 2", "answer": "2"},
    {"topic": "quadratic", "instruction": "Solve x^2 = 9.", "response": "x = 3 or x = -3"},
]
ROWS = [{"topic": "linear", "instruction": "Solve 2x = 8.", "response": "x = 4"}]
PAIRS = [{"topic": "linear", "instruction": "Solve 3x = 9.", "chosen": "x = 3", "rejected": "x = 27"}]
SCHOOL = [{"id": "s-1", "prompt": "Solve 5x = 10.", "answer": "2"}, {"id": "s-2", "prompt": "What is a root?"}]


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the one good domain `algebra`."""
    (tmp_path / "algebra").mkdir()
    (tmp_path / "algebra.yaml").write_text(GOOD)
    for name, rows in (("seeds", SEEDS), ("rows", ROWS), ("pairs", PAIRS), ("school", SCHOOL), ("more", SCHOOL)):
        write_rows(tmp_path / "algebra" / f"{name}.jsonl", rows)
    return tmp_path


def problems_of(folder: Path, name: str = "algebra") -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        load_domain(folder, name)
    for problem in caught.value.problems:
        text = str(problem)
        text.encode()
        assert problem.what and problem.remedy and "pydantic" not in text and "http" not in text and "Input should" not in text
    return caught.value.problems


def problems_with(folder: Path, old: str, new: str) -> list[Problem]:
    """Problems of the good domain with `old` replaced once in its YAML."""
    assert GOOD.count(old) >= 1
    (folder / "algebra.yaml").write_text(GOOD.replace(old, new, 1))
    return problems_of(folder)


def test_a_good_domain_loads_whole(folder: Path) -> None:
    loaded = load_domain(folder, "algebra")
    assert loaded.config.name == "algebra"
    assert loaded.config.methods.reasoning is not None and loaded.config.methods.reasoning.keep == 2
    assert [(line, s.topic, s.answer) for line, s in loaded.seeds] == [(1, "linear", "2"), (2, "quadratic", None)]
    assert [(entry.kind, len(rows)) for entry, rows in loaded.curated] == [("sft", 1), ("preference", 1)]
    assert [item.id for item in loaded.benchmarks["school"]] == ["s-1", "s-2"]


@pytest.mark.parametrize("name", list_domain_names(shipped_folder()))
def test_shipped_domains_load(name: str) -> None:
    loaded = load_domain(shipped_folder(), name)
    assert set(loaded.config.topic_names) == {seed.topic for _, seed in loaded.seeds}


def test_loading_takes_a_fifth_of_a_second_at_most(folder: Path) -> None:
    for name in ("b", "c"):
        (folder / f"{name}.yaml").write_text(GOOD)
    load_domains(folder)
    begin = time.perf_counter()
    loaded, _ = load_domains(folder)
    assert len(loaded) == 3
    assert time.perf_counter() - begin < 0.2


def test_the_module_imports_nothing_heavy() -> None:
    code = "import sys, synth_assets.domain_files; print({'dagster', 'duckdb', 'pandas', 'numpy', 'torch', 'anthropic'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"


# Each case replaces `old` by `new` in the good YAML and expects exactly one problem, on `line`.
YAML_FAULTS: list[tuple[str, str, str, int, str, str]] = [
    ("number_as_text", "title: Algebra at school", "title: 2024", 1, "title is 2024", "3 to 120 characters; put it in quotes"),
    ("too_short", "title: Algebra at school", "title: Al", 1, "title is the text 'Al'", "3 to 120 characters"),
    ("too_long", "title: Algebra at school", "title: " + "long " * 100, 1, "499 characters long", "3 to 120 characters"),
    ("missing_at_root", "language: en\n", "", 1, "key language is missing", "add language: one of en, zh"),
    ("missing_in_list", "    description: Equations of degree one.\n", "", 4, "key topics[0].description is missing", "add description: a text of 3 to 300"),
    ("missing_section", "targets:\n  sft: 20\n  preference: 5\n", "", 1, "key targets is missing", "add targets: a mapping with keys out of sft, preference"),
    ("attribute_twice", "language: en", "language: en\nattributes:\n- name: form\n  values: [letter, list, letter]", 5, "'letter' stands twice", "rename one"),
    ("attribute_alone", "language: en", "language: en\nattributes:\n- name: form\n  values: [letter]", 5, "is a list of 1", "a list of 2 to 50 items"),
    (
        "attribute_weight",
        "language: en",
        "language: en\nattributes:\n- name: form\n  values: [list, {value: letter, weight: 0}]",
        5,
        "weight is 0",
        "a whole number from 1 to 20",
    ),
    ("persona_twice", "language: en", "language: en\npersonas:\n- a nurse\n- a nurse", 5, "'a nurse' stands twice", "delete one of the two"),
    (
        "two_kinds_of_persona",
        "language: en",
        "language: en\nattributes:\n- {name: persona, values: [a cook, a nurse]}\npersonas: [a judge]",
        5,
        "personas beside an attribute of the name persona",
        "keep one of the two",
    ),
    ("enum", "language: en", "language: eng", 2, "language is the text 'eng'", "one of en, zh (did you mean 'en'?)"),
    ("unknown_at_root", "language: en", "language: en\nbudget: 3", 3, "unknown key 'budget'", "did you mean 'budget_usd'?"),
    ("unknown_lists_allowed", "language: en", "language: en\nqqq: 3", 3, "unknown key 'qqq'", "title, description, language, seed,"),
    ("unknown_nested", "    samples: 4", "    sample: 4", 19, "unknown key 'sample' in methods.reasoning", "did you mean 'samples'?"),
    ("unknown_case", "    keep: 2", "    Keep: 2", 20, "unknown key 'Keep'", "did you mean 'keep'?"),
    ("name_is_the_stem", "language: en", "name: algebra\nlanguage: en", 2, "'name' is not written", "the file's stem says algebra"),
    ("text_as_number", "  sft: 20", "  sft: '20'", 13, "targets.sft is the text '20'", "a whole number from 1 to 10000000; without quotes"),
    ("fraction_as_count", "  sft: 20", "  sft: 20.5", 13, "targets.sft is 20.5", "a whole number"),
    ("boolean_as_count", "  sft: 20", "  sft: true", 13, "targets.sft is true", "a whole number"),
    (
        "sample_below_its_limit",
        "language: en",
        "language: en\nspot_check:\n  gate: 20\n  max_defect_rate: 0.05\n  required: true",
        6,
        "spot_check.gate is 20, but even without a defect max_defect_rate 0.05 needs 73 rows",
        "write gate: 73 or more",
    ),
    ("below_range", "  sft: 20", "  sft: 0", 13, "targets.sft is 0", "from 1 to 10000000"),
    ("above_range", "  synthetic_share: 0.8", "  synthetic_share: 95", 28, "mix.synthetic_share is 95", "a number from 0.01 to 0.99"),
    ("outside_without_override", "  synthetic_share: 0.8", "  synthetic_share: 0.5", 27, "synthetic_share is 0.5, outside 0.7 to 0.9", "mix.override"),
    ("override_without_need", "  synthetic_share: 0.8", "  synthetic_share: 0.8\n  override: why not", 29, "needs no override", "delete mix.override"),
    ("cap_on_two", "  synthetic_share: 0.8", "  caps:\n  - {source: a, method: distill, share: 0.2}", 29, "one method or on one source", "either"),
    ("not_a_number", "  synthetic_share: 0.8", "  synthetic_share: .nan", 28, "the text '.nan'", "a number from 0.01 to 0.99"),
    ("infinite", "language: en", "language: en\nbudget_usd: 1e999", 3, "the text '1e999'", "write a number of at least 0"),
    ("no_boolean", "language: en", "language: en\nspot_check: {required: yes}", 3, "spot_check.required is the text 'yes'", "true or false"),
    ("null", "language: en", "language: null", 2, "language is null", "one of en, zh"),
    ("scalar_as_section", "mix:\n  synthetic_share: 0.8", "mix: 0.8", 27, "mix is 0.8", "a mapping with keys out of synthetic_share"),
    ("scalar_as_list", "    off: [wrong_language]", "    off: wrong_language", 26, "gates.rules.off is the text 'wrong_language'", "a list, each a text"),
    ("bad_name", "  - name: school", "  - name: School 1", 38, "benchmarks[0].name is the text 'School 1'", "lower-case letters"),
    ("short_tuple", "    keep: 2", "    keep: 2\n    pass_rate: [0.5]", 21, "pass_rate is a list of 1", "a list of 2 items, each a number from 0 to 1"),
    ("long_tuple", "    keep: 2", "    keep: 2\n    pass_rate: [0, 1, 1]", 21, "pass_rate is a list of 3", "a list of 2 items"),
    ("tuple_item", "    keep: 2", "    keep: 2\n    pass_rate:\n      - 0\n      - 2", 23, "pass_rate[1] is 2", "a number from 0 to 1"),
    ("no_value", "    samples: 4", "    samples:", 19, "key 'samples' has no value", "delete the line"),
    ("no_value_section", "  constitutional:\n    pairs: 5", "  constitutional:", 21, "key 'constitutional' has no value", "{} for a section"),
    ("unknown_rule", "[wrong_language]", "[refusal, wrong_langauge]", 26, "there is no rule 'wrong_langauge'", "did you mean 'wrong_language'?"),
    ("unknown_rule_lists_rules", "[wrong_language]", "\n      - refusal\n      - zzz", 28, "there is no rule 'zzz'", "write one of prompt_too_short, "),
    ("no_item", "    off: [wrong_language]", "    off:\n      -", 27, "a list item has no value", "write one"),
    ("empty_path", "  path: algebra/seeds.jsonl", "  path: ''", 9, "seeds.path is an empty text", "500 characters"),
    # rules that tie keys together
    ("no_reward_model", "gates:", "gates:\n  reward: {by: cross_encoder}", 24, "by is cross_encoder, but no model is named", "add gates.reward.model"),
    ("reward_model_of_a_judge", "gates:", "gates:\n  reward:\n    by: judge\n    model: m", 26, "by is judge, which takes no model", "delete model"),
    ("keep_above_samples", "    keep: 2", "    keep: 5", 20, "keep is 5, above samples, which is 4", "4 or less"),
    ("pass_rate_order", "    keep: 2", "    keep: 2\n    pass_rate: [0.9, 0.1]", 21, "pass_rate begins at 0.9", "[0.1, 0.9]"),
    ("words_order", "    min_prompt_words: 3", "    min_prompt_words: 3\n    max_prompt_words: 2", 26, "below min_prompt_words", "3 or more"),
    ("words_order_default", "    min_prompt_words: 3", "    min_prompt_words: 3000", 24, "max_prompt_words is 2000", "lower min_prompt_words"),
    (
        "topic_twice",
        "  - name: quadratic",
        "  - name: linear\n    description: Again.\n  - name: quadratic",
        6,
        "name 'linear' stands twice",
        "delete or rename",
    ),
    ("file_twice", "benchmarks:", "  - {path: algebra/rows.jsonl, source: s, license: l}\nbenchmarks:", 37, "path 'algebra/rows.jsonl' stands twice", "delete"),
    ("benchmark_twice", "  - name: school\n", "  - {name: school, path: algebra/more.jsonl}\n  - name: school\n", 39, "name 'school' stands twice", "rename"),
    ("no_pair_method", "  constitutional:\n    pairs: 5\n", "", 15, "targets.preference is 5, but no method makes pairs", "methods.constitutional"),
    (
        "no_pair_file",
        "  - path: algebra/pairs.jsonl\n    kind: preference\n    source: the authors\n    license: CC0-1.0\n",
        "",
        29,
        "no file of real_data is of kind preference",
        "add one",
    ),
    # what is no plain YAML
    ("key_twice", "language: en", "language: en\ntitle: Again", 3, "key 'title' stands twice: first on line 1", "keep one"),
    ("nested_key_twice", "    keep: 2", "    keep: 2\n    samples: {a: [1]}", 21, "key 'samples' stands twice: first on line 19", "keep one"),
    (
        "python_object",
        "title: Algebra at school",
        "title: !!python/object/apply:os.system ['exit']",
        1,
        "the tag '!!python/object/apply:os.system'",
        "plain value",
    ),
    ("own_tag", "title: Algebra at school", "title: !env HOME", 1, "the tag '!env'", "plain value"),
    ("anchor", "  license: CC0-1.0\ntargets", "  license: &cc0 CC0-1.0\ntargets", 11, "the anchor '&cc0'", "no anchors or aliases"),
    ("alias", "  license: CC0-1.0\ntargets", "  license: *cc0\ntargets", 11, "the alias '*cc0'", "write the value again"),
    ("merge_key", "mix:\n", "mix:\n  <<: *shares\n", 28, "the alias '*shares'", "write the value again"),
    ("braces", "title: Algebra at school", "title: {{ title }}", 1, "a key that is no plain word", "brace"),
    ("invisible", "title: Algebra", "title: Algebra\u200e\u2028", 1, "the character U+2028 at column 16", "delete it"),
    ("escaped_nul", "title: Algebra at school", 'title: "Algebra\\0"', 1, "the character U+0000", "delete its escape"),
    ("second_document", "mix:", "---\nmix:", 27, "a second YAML document", "one domain per file"),
    # files
    ("no_file", "algebra/seeds.jsonl", "algebra/seed.jsonl", 9, "no such file", "did you mean 'seeds.jsonl'?"),
    ("no_benchmark_file", "algebra/school.jsonl", "other/school.jsonl", 39, "'other/school.jsonl': there is no such file", "create it"),
    ("folder_as_file", "algebra/seeds.jsonl", "algebra", 9, "a folder, not a file", "name a file in it"),
    ("outside", "algebra/rows.jsonl", "../rows.jsonl", 30, "lies outside the folder", "relative to the folder"),
    ("absolute", "algebra/rows.jsonl", "/etc/hostname", 30, "'/etc/hostname' lies outside the folder", "move the file"),
    ("endless_name", "algebra/rows.jsonl", "x" * 400, 30, "cannot be read: File name too long", "correct the name"),
]


@pytest.mark.parametrize(("old", "new", "line", "what", "remedy"), [c[1:] for c in YAML_FAULTS], ids=[c[0] for c in YAML_FAULTS])
def test_a_fault_of_the_yaml_is_named_once(folder: Path, old: str, new: str, line: int, what: str, remedy: str) -> None:
    [problem] = problems_with(folder, old, new)
    assert (problem.path, problem.line) == (folder / "algebra.yaml", line), problem
    assert what in problem.what and remedy in problem.remedy, problem


SYNTAX: list[tuple[str, bytes, int | None, str, str]] = [
    ("colon_in_text", b"title: Algebra: an introduction\n", 1, "not YAML at column 15: mapping values", "quotes"),
    ("tab", b"title: Algebra\nmix:\n\tsynthetic_share: 0.8\n", 3, "at column 1", "spaces, not tabs"),
    ("at_sign", b"title: @lgebra\n", 1, "at column 8", "in quotes"),
    ("open_quote", b"language: en\ntitle: 'Algebra\nseed: 3\n", 2, "unexpected end of stream", "close the quote that opens here"),
    ("open_bracket", b"title: Algebra\ntopics: [\n", 2, "flow node", "brackets"),
    ("indentation", b"title: Algebra\n language: en\n", 2, "not YAML", "align the keys"),
    ("list_and_mapping", b"- a\nb: c\n", 2, "'-' indicator", "indentation"),
    ("backslash", b'title: "\\alpha \\beta"\nseed: "\\q"\n', 2, "unknown escape", "backslash twice"),
    ("surrogate", b'title: "\\ud800"\n', 1, "escape code", "backslash twice"),
    ("bad_alias", b"title: *\n", 1, "alias", "begins with * or &"),
    ("list", b"- a\n- b\n", 1, "not a mapping", "'title: ...'"),
    ("scalar", b"\n\nalgebra\n", 3, "not a mapping", "'title: ...'"),
    ("comments", b"# algebra\n", 1, "nothing but comments", "title, language"),
    ("empty", b"", None, "empty", "write its content"),
    ("blank", b"\xef\xbb\xbf\n \n", None, "empty", "write its content"),
    ("latin_1", "# a\ntitle: Zoë\n".encode("latin-1"), 2, "not UTF-8: byte 0xeb", "save the file as UTF-8"),
    ("utf_16", "title: Algebra".encode("utf-16"), 1, "not UTF-8", "save the file as UTF-8"),
    ("big", b"title: " + b"x" * 1_000_000, None, "1000007 bytes of YAML, above the limit of 1000000", "JSON Lines"),
    ("deep", b"title: Algebra\nmix: " + b"[" * 100_000, 2, "more than 20 levels deep", "4 levels"),
    ("deep_key", b"? " * 2_000 + b"a", 1, "a key that is no plain word", "a word before the colon"),
]


@pytest.mark.parametrize(("content", "line", "what", "remedy"), [c[1:] for c in SYNTAX], ids=[c[0] for c in SYNTAX])
def test_what_is_no_yaml_mapping(folder: Path, content: bytes, line: int | None, what: str, remedy: str) -> None:
    (folder / "algebra.yaml").write_bytes(content)
    found = problems_of(folder)
    assert any((p.line, what in p.what, remedy in p.remedy) == (line, True, True) for p in found), found
    assert {p.path for p in found} == {folder / "algebra.yaml"}


def test_aliases_do_not_multiply(folder: Path) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    (folder / "algebra.yaml").write_text(bomb)
    assert sum("alias" in p.what for p in problems_of(folder)) > 80


# Each case writes one file of rows and expects exactly one problem.
ROW_FAULTS: list[tuple[str, str, list[dict[str, str]], str, int, str, str]] = [
    ("topic", "rows", [*ROWS, {**ROWS[0], "topic": "linaer"}], "rows.jsonl", 2, "topic 'linaer' is not declared", "linear, quadratic (did you mean 'linear'?)"),
    ("pair_topic", "pairs", [{**PAIRS[0], "topic": "zzz"}], "pairs.jsonl", 1, "topic 'zzz' is not declared", "declare it in algebra.yaml"),
    ("seed_topic", "seeds", [SEEDS[0], {**SEEDS[1], "topic": "quadratics"}], "seeds.jsonl", 2, "topic 'quadratics'", "did you mean 'quadratic'?"),
    ("uncovered", "seeds", SEEDS[:1], "algebra.yaml", 6, "topic 'quadratic' has no valid seed in algebra/seeds.jsonl", '"topic": "quadratic"'),
    ("twice", "seeds", [*SEEDS, {**SEEDS[0], "instruction": " SOLVE  x + 1\n= 3."}], "seeds.jsonl", 3, "the same instruction and input as line 1", "differ"),
    ("id", "school", [*SCHOOL, SCHOOL[0]], "school.jsonl", 3, "id 's-1' stands twice: first on line 1", "its own id"),
    ("unanswered", "seeds", [{k: v for k, v in s.items() if k != "answer"} for s in SEEDS], "algebra.yaml", 18, "none of 2 seeds has one", 'add "answer"'),
    ("no_rows", "pairs", [], "algebra.yaml", 33, "the file is empty", "write its content"),
]


@pytest.mark.parametrize(("stem", "rows", "file", "line", "what", "remedy"), [c[1:] for c in ROW_FAULTS], ids=[c[0] for c in ROW_FAULTS])
def test_a_fault_of_the_rows_is_named_once(folder: Path, stem: str, rows: list[dict[str, str]], file: str, line: int, what: str, remedy: str) -> None:
    write_rows(folder / "algebra" / f"{stem}.jsonl", rows)
    [problem] = problems_of(folder)
    assert (problem.path.name, problem.line) == (file, line), problem
    assert what in problem.what and remedy in problem.remedy, problem


def test_seeds_that_differ_in_their_input_are_two(folder: Path) -> None:
    write_rows(folder / "algebra" / "seeds.jsonl", [*SEEDS, {**SEEDS[0], "input": "Use fractions."}])
    assert len(load_domain(folder, "algebra").seeds) == 3


def test_everything_wrong_comes_at_once(folder: Path) -> None:
    text = GOOD.replace("language: en", "language: de").replace("    keep: 2", "    keep: nine").replace("algebra/rows.jsonl", "algebra/none.jsonl")
    (folder / "algebra.yaml").write_text(text.replace("seeds:", "seeds: # one comment\n") + "title: Again\n")
    write_rows(folder / "algebra" / "seeds.jsonl", [{**SEEDS[0], "topic": "other"}, {"topic": "linear"}])
    write_rows(folder / "algebra" / "school.jsonl", [{"id": "s-1"}])
    found = [(p.path.name, p.line) for p in problems_of(folder)]
    expected = [("algebra.yaml", n) for n in (2, 4, 6, 21, 31, 41)] + [("seeds.jsonl", 1), ("seeds.jsonl", 2), ("seeds.jsonl", 2), ("school.jsonl", 1)]
    assert found == expected


def test_files_are_read_though_the_yaml_is_wrong_elsewhere(folder: Path) -> None:
    write_rows(folder / "algebra" / "seeds.jsonl", [*SEEDS, {"topic": "linear"}])
    found = problems_with(folder, "title: Algebra at school\n", "")
    assert [(p.path.name, p.line) for p in found] == [("algebra.yaml", 1), ("seeds.jsonl", 3), ("seeds.jsonl", 3)]


def test_scalars_follow_yaml_1_2(folder: Path) -> None:
    text = GOOD.replace("title: Algebra at school", "title: 12:30:00").replace("  source: the authors", "  source: 2024-01-01", 1)
    (folder / "algebra.yaml").write_text(text.replace("sft: 20", "sft: 10_000").replace("name: linear", "name: on") + "budget_usd: 1e-3\n")
    write_rows(folder / "algebra" / "seeds.jsonl", [{**SEEDS[0], "topic": "on"}, SEEDS[1]])
    for stem, rows in (("rows", ROWS), ("pairs", PAIRS)):
        write_rows(folder / "algebra" / f"{stem}.jsonl", [{**rows[0], "topic": "on"}])
    config = load_domain(folder, "algebra").config
    assert (config.title, config.seeds.source, config.targets.sft, config.budget_usd) == ("12:30:00", "2024-01-01", 10_000, 0.001)
    assert config.gates.rules.off == ("wrong_language",)
    assert config.topic_names == ("on", "quadratic")


def test_links_are_followed_within_the_folder_only(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    rows = folder / "algebra" / "rows.jsonl"
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "rows.jsonl"
    write_rows(elsewhere, ROWS)
    within = rows.rename(folder / "algebra" / "real.jsonl")
    rows.symlink_to(within)
    load_domain(folder, "algebra")
    for target in (elsewhere, rows):
        rows.unlink()
        rows.symlink_to(target)
        [problem] = problems_of(folder)
        assert problem.line == 30 and "lies outside the folder" in problem.what


def test_absolute_paths_and_folders_through_links_are_fine(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (folder / "algebra.yaml").write_text(GOOD.replace("algebra/rows.jsonl", str(folder / "algebra" / "rows.jsonl")))
    link = tmp_path_factory.mktemp("links") / "domains"
    link.symlink_to(folder)
    assert load_domain(link, "algebra").config.name == "algebra"


def test_one_broken_domain_leaves_the_others(folder: Path) -> None:
    (folder / "broken.yml").write_text("title: [")
    (folder / "Bad Name.yaml").write_text(GOOD)
    (folder / "dangling.yaml").symlink_to(folder / "nowhere")
    (folder / ".#algebra.yaml").write_text("an editor's lock")
    (folder / "folder.yaml").mkdir()
    loaded, failed = load_domains(folder)
    assert list(loaded) == ["algebra"]
    assert {name: [p.what.split(":")[0] for p in error.problems] for name, error in failed.items()} == {
        "Bad Name": ["the file's stem 'Bad Name' is no name of a domain"],
        "broken": ["not YAML"],
        "dangling": ["there is no such file"],
    }
    assert list_domain_names(folder) == ["algebra", "broken", "dangling"]


def test_two_files_for_one_name(folder: Path) -> None:
    (folder / "algebra.yml").write_text(GOOD)
    assert list_domain_names(folder) == ["algebra"]
    [problem] = problems_of(folder)
    assert problem.path == folder / "algebra.yml" and "beside algebra.yaml" in problem.what


@pytest.mark.parametrize("name", ["algebar", "../algebra", "", "Algebra"])
def test_a_domain_that_is_not_there(folder: Path, name: str) -> None:
    [problem] = problems_of(folder, name)
    assert "no such domain file" in problem.what
    assert ("did you mean 'algebra'?" in problem.remedy) == (name != "")


def test_the_digest_follows_content_not_layout(folder: Path) -> None:
    before = load_domain(folder, "algebra").digest
    (folder / "algebra.yaml").write_text("# a comment\n" + GOOD.replace("sft: 20", "sft:    20").replace("[language]", "\n      - language"))
    assert load_domain(folder, "algebra").digest == before
    (folder / "algebra.yaml").write_text(GOOD.replace("sft: 20", "sft: 21"))
    after = load_domain(folder, "algebra").digest
    write_rows(folder / "algebra" / "school.jsonl", SCHOOL[:1])
    assert len({before, after, load_domain(folder, "algebra").digest}) == 3


def test_the_folder_of_domains(folder: Path) -> None:
    assert domains_folder({}) == domains_folder({"SYNTH_DOMAINS": " "}) == shipped_folder()
    assert domains_folder({"SYNTH_DOMAINS": str(folder)}) == folder
    for wrong, what in ((folder / "none", "does not exist"), (folder / "algebra.yaml", "not a folder")):
        with pytest.raises(ConfigError) as caught:
            domains_folder({"SYNTH_DOMAINS": str(wrong)})
        [problem] = caught.value.problems
        assert problem.path == wrong and what in problem.what and "SYNTH_DOMAINS" in problem.remedy
    with pytest.raises(ConfigError, match="no such folder"):
        list_domain_names(folder / "none")


def test_the_environment_names_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTH_DOMAINS", str(folder))
    assert domains_folder() == folder


LINES = GOOD.splitlines()
YAMLISH = st.lists(st.sampled_from([*LINES, *"{}[]*&!|>-?:#%@'\"", "  ", "\t", "~", "!!binary x", "<<: *a"]) | st.text(max_size=8), max_size=60).map("\n".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@example(b"%YAML 9.9\n---\na: 1\n")
@example(b"%TAG ! tag:x,2000:\n--- !a {}\n")
@example(b'"\\0": 1\n')
@given(st.binary() | YAMLISH.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_raise_anything_else(folder: Path, content: bytes) -> None:
    (folder / "algebra.yaml").write_bytes(content)
    try:
        load_domain(folder, "algebra")
    except ConfigError as error:
        assert error.problems
        str(error).encode()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.sampled_from(["seeds", "rows", "pairs", "school"]),
    st.binary() | st.lists(st.sampled_from([*SEEDS, *ROWS, *PAIRS, *SCHOOL])).map(lambda r: "\n".join(map(json.dumps, r)).encode()),
)
def test_no_bytes_of_rows_raise_anything_else(folder: Path, stem: str, content: bytes) -> None:
    path = folder / "algebra" / f"{stem}.jsonl"
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        load_domain(folder, "algebra")
    except ConfigError as error:
        assert error.problems
    finally:
        path.write_bytes(before)
