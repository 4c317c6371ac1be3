"""What ships: every seed, curated row, pair and benchmark item, by the project's own gates, and every code block by running it."""

import re
import subprocess
import sys
from fractions import Fraction
from itertools import chain
from pathlib import Path

import pytest

from synth_assets.conversations import prompt_of
from synth_assets.defs.selection import benchmark_rows
from synth_assets.domain_files import LoadedDomain, list_domain_names, load_domain, shipped_folder
from synth_assets.methods.reasoning import final_answer
from synth_assets.quality.decontamination import Index, Item
from synth_assets.quality.equations import check_equations
from synth_assets.quality.jaccard import jaccard_pairs
from synth_assets.quality.near_duplicates import rouge_l_pairs
from synth_assets.quality.rules import check_row
from synth_assets.quality.verification import verify_answers
from synth_assets.quality.words import ngrams, words
from synth_assets.records import CuratedPair, CuratedRecord

NAMES = list_domain_names(shipped_folder())
Row = tuple[str, str, str]
"""(file and line, prompt, response)"""


@pytest.fixture(params=NAMES)
def domain(request: pytest.FixtureRequest) -> LoadedDomain:
    return load_domain(shipped_folder(), request.param)


def seed_rows(domain: LoadedDomain) -> list[Row]:
    return [(f"seeds:{line}", prompt_of(seed.model_dump()), seed.response) for line, seed in domain.seeds]


def real_rows(domain: LoadedDomain) -> list[Row]:
    """Curated responses, and of each pair the chosen one."""
    rows: list[Row] = []
    for entry, records in domain.curated:
        for line, record in records:
            assert isinstance(record, CuratedRecord | CuratedPair)
            rows.append(
                (
                    f"{Path(entry.path or '').stem}:{line}",
                    prompt_of(record.model_dump()),
                    record.response if isinstance(record, CuratedRecord) else record.chosen,
                )
            )
    return rows


def good_rows(domain: LoadedDomain) -> list[Row]:
    return [*seed_rows(domain), *real_rows(domain)]


def test_six_english_domains_and_a_chinese_one_use_every_method() -> None:
    configs = [load_domain(shipped_folder(), name).config for name in NAMES]
    assert sum(c.language == "en" for c in configs) >= 6 and any(c.language == "zh" for c in configs)
    for language in ("en", "zh"):
        methods = [c.methods for c in configs if c.language == language]
        for method in ("self_instruct", "magpie", "evol_instruct", "reasoning", "constitutional", "best_of_n"):
            assert any(getattr(m, method) for m in methods), (language, method)
    assert {c.methods.distillation.style for c in configs} == {"plain", "orca"}
    assert all(c.seeds.license == "Apache-2.0" and {(f.source, f.license) for f in c.real_data} == {("curated", "Apache-2.0")} for c in configs)


def test_the_demo_runs_three_of_them_that_the_embedded_teacher_can_answer() -> None:
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
    found = re.search(r"^DEMO_DOMAINS := (.*)$", makefile, re.MULTILINE)
    assert found and found[1].split() == ["math", "science", "writing"]
    assert "run $(addprefix --domain ,$(DEMO_DOMAINS))" in makefile
    assert {load_domain(shipped_folder(), name).config.language for name in found[1].split()} == {"en"}


def test_there_is_enough_of_everything(domain: LoadedDomain) -> None:
    counts = {topic: sum(seed.topic == topic for _, seed in domain.seeds) for topic in domain.config.topic_names}
    assert len(domain.seeds) >= 25 and min(counts.values()) >= 4, counts
    sizes = {entry.kind: len(records) for entry, records in domain.curated}
    assert sizes["sft"] >= 20 and sizes["preference"] >= 5
    assert sum(map(len, domain.benchmarks.values())) >= 10


def test_every_row_passes_the_gates_of_its_domain(domain: LoadedDomain) -> None:
    rules, language = domain.config.gates.rules, domain.config.language
    found = {place: check_row(prompt, response, language=language, rules=rules) for place, prompt, response in good_rows(domain)}
    assert {place: findings for place, findings in found.items() if findings} == {}
    items = [Item(row["benchmark"], row["item_id"], row["part"], row["text"]) for row in benchmark_rows(domain)]
    assert Index.build(items, [], domain.config.gates.decontamination).scan(good_rows(domain)).hits == []


def test_no_two_rows_are_near_duplicates(domain: LoadedDomain) -> None:
    """Stricter than the gates by a third."""
    rows = good_rows(domain)
    near = [
        *rouge_l_pairs([words(prompt) for _, prompt, _ in rows], 0.5).left,
        *jaccard_pairs([words(f"{prompt}\n{response}") for _, prompt, response in rows], 0.3).left,
    ]
    assert [rows[place][0] for place in near] == []


def test_curated_rows_share_no_eight_words_in_a_row_with_the_seeds(domain: LoadedDomain) -> None:
    seeds, real = ({gram for _, p, r in rows for gram in ngrams(words(f"{p}\n{r}"), 8)} for rows in (seed_rows(domain), real_rows(domain)))
    assert seeds & real == set()


def test_every_stated_sum_is_true(domain: LoadedDomain) -> None:
    assert [place for place, _, response in good_rows(domain) if check_equations(response).false] == []


def test_every_answer_is_the_one_that_its_response_ends_in() -> None:
    asked = [(d.config, seed) for d in (load_domain(shipped_folder(), name) for name in NAMES) for _, seed in d.seeds if seed.answer]
    verdicts = verify_answers([(seed.answer or "", final_answer(seed.response, config.language)) for config, seed in asked])
    assert len(asked) >= 60
    assert [(c.name, s.instruction, v) for (c, s), v in zip(asked, verdicts, strict=True) if v != "correct"] == []


BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PRINTED = re.compile(r"^\s*print\(.*\)  # (.*)$", re.MULTILINE)
CODE = [(place, block) for place, _, response in good_rows(load_domain(shipped_folder(), "coding")) for block in BLOCK.findall(response)]


def run(code: str) -> subprocess.CompletedProcess[str]:
    """`code` in a Python of its own; without site-packages where it needs none, which starts five times faster."""
    options = ["-W", "error"] if "import pytest" in code else ["-I", "-S", "-W", "error"]
    return subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True, check=False, timeout=60)


def test_code_runs_and_prints_what_its_comments_say() -> None:
    assert len(CODE) >= 45
    for place, block in CODE:
        done = run(block)
        assert done.returncode == 0, (place, done.stderr)
        said = PRINTED.findall(block)
        assert not said or done.stdout.splitlines() == said, place


def test_tests_that_are_shown_pass(tmp_path: Path) -> None:
    shown = [block for _, block in CODE if re.search(r"^def test_", block, re.MULTILINE)]
    assert len(shown) >= 7
    for number, block in enumerate(shown):
        (tmp_path / f"test_shown_{number}.py").write_text(block, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout


def test_questions_about_output_are_answered_by_running_them() -> None:
    asked = [seed for _, seed in load_domain(shipped_folder(), "coding").seeds if seed.answer]
    assert len(asked) >= 6
    for seed in asked:
        done = run("\n".join(BLOCK.findall(f"{seed.input}\n")))
        assert done.stdout.strip() == seed.answer, (seed.instruction, done.stderr)


TABLE_ROW = re.compile(r"^\|(.*)\|$", re.MULTILINE)


def test_tables_have_as_many_cells_in_every_row(domain: LoadedDomain) -> None:
    for place, prompt, response in good_rows(domain):
        for text in chain(prompt.split("\n\n"), response.split("\n\n")):
            widths = {row.count("|") for row in TABLE_ROW.findall(text)}
            assert len(widths) <= 1, place


def test_answers_are_numbers_as_the_verifier_reads_them(domain: LoadedDomain) -> None:
    for line, seed in domain.seeds:
        if seed.answer:
            assert Fraction(seed.answer.replace(",", "")) is not None, line
