"""The quality report: what it reads from the marts, and that no text of a model gets out of its place on the page."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest

from synth_assets.accounts import Row
from synth_assets.plots.svg import Sheet
from synth_assets.release.quality_report import LONGEST, ReportData, Sample, collect, render, write
from synth_assets_tests.dbt_warehouse import SCRIPT, built_warehouse

EMPTY = ReportData(
    as_of=None,
    release=None,
    funnel=[],
    rejections_by_rule=[],
    topic_cells=[],
    topic_coverage=[],
    contamination=[],
    mix_composition=[],
    teacher_cost=[],
    kept=[],
    rejected=[],
)
HOSTILE = [
    SCRIPT,
    '"><img src="https://example.org/x" onerror="alert(1)">',
    "</dd></style><style>@import url(//x)",
    "{{ 7 * 7 }}",
    "javascript:alert(1)",
    "&lt;b&gt;",
]


class Page(HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def assert_harmless(html: str) -> Page:
    """Nothing on the page runs or is fetched."""
    page = Page(html)
    assert not {"script", "img", "iframe", "object", "embed", "link", "base", "form", "image", "use", "foreignobject", "a:href", "animate"} & set(page.tags)
    assert page.tags.count("style") == page.tags.count("html") == 1
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in {"src", "srcset", "action"}]
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    assert html.lstrip().startswith("<!doctype html>")
    return page


def hostile_data(text: str) -> ReportData:
    """Every text of the page is `text`."""
    row: Row = dict.fromkeys(["domain", "stage", "rule", "topic", "kind", "origin", "source", "license", "benchmark", "part", "evidence"], text)
    row |= dict.fromkeys(
        ["planned", "kept", "rejected", "surplus", "rows", "rows_alone", "seeds", "filtered", "mixed", "declared", "filled", "hits", "items"], 1
    )
    row |= dict.fromkeys(["yield", "share", "coverage", "evenness", "item_share", "row_share", "token_share", "cost_usd", "score"], 0.5)
    row |= dict.fromkeys(["calls", "input_tokens", "output_tokens", "unpriced_calls", "approximate_tokens", "released_rows"], 2)
    row |= {"checks": False, "is_declared": True}
    sample = Sample(text, text, text, {"prompt": text}, {"model": text}, [row])
    gate = row | {"check_name": text, "result": "warned", "expected": text, "seen": text, "error": ""}
    measured = {"domain": text, "metric": "vendi", "value": 1.5, "baseline": None, "change": None}
    plots = {text: [Sheet(text, 10, 10)]}
    return ReportData(text, text, [row], [row], [row], [row], [row], [row], [row], [sample], [sample], [gate], [measured], plots)


@pytest.mark.parametrize("text", HOSTILE)
def test_every_text_is_escaped_everywhere(text: str) -> None:
    page = assert_harmless(render(hostile_data(text)))
    plain = assert_harmless(render(hostile_data("plain")))
    assert page.tags == plain.tags
    assert "".join(page.texts).count(text) == "".join(plain.texts).count("plain") > 20


def test_empty_warehouse() -> None:
    html = render(EMPTY)
    assert_harmless(html)
    for said in ("The warehouse is empty.", "No release yet.", "No stage has run.", "Nothing is mixed yet.", "No call was paid for."):
        assert said in html
    assert EMPTY.key_numbers["cost_usd"] is None


@pytest.mark.parametrize(
    ("costs", "total", "shown"), [([None], None, "unknown"), ([0.0], 0.0, "$0.0000"), ([0.25, None, 1.0], 1.25, "$1.2500"), ([1234.5], 1234.5, "$1,234.5000")]
)
def test_dollars(costs: list[float | None], total: float | None, shown: str) -> None:
    row = {"domain": "math", "stage": "seeds", "calls": 1.5, "input_tokens": 10.0, "output_tokens": 1.0, "unpriced_calls": 0.0}
    data = replace(EMPTY, teacher_cost=[row | {"cost_usd": cost} for cost in costs])
    assert data.key_numbers["cost_usd"] == total
    assert shown in render(data)


def test_what_only_reads_like_an_item_is_no_hit() -> None:
    matched: list[Row] = [{"rule": "exact", "hits": 2}, {"rule": "similar", "hits": 5}]
    assert replace(EMPTY, contamination=matched).key_numbers["contamination_hits"] == 2


def test_long_texts_are_cut_and_said_so() -> None:
    html = render(replace(EMPTY, kept=[Sample("math", "sft", "id", {"response": "x" * (LONGEST + 1500)})]))
    assert "x" * LONGEST + "… (1,500 more characters)" in html
    assert "x" * (LONGEST + 1) not in html


def test_write_replaces_whole_files(tmp_path: Path) -> None:
    page = tmp_path / "reports" / "page.html"
    write(page, "old")
    with pytest.raises(UnicodeEncodeError):
        write(page, "half \ud800")
    assert page.read_text() == "old"
    write(page, "new")
    assert page.read_text() == "new"
    assert list(page.parent.iterdir()) == [page]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReportData]:
    warehouse = built_warehouse(tmp_path_factory) / "warehouse.duckdb"
    with closing(duckdb.connect(warehouse, read_only=True)) as con:

        def query(sql: str, parameters: Sequence[Any]) -> list[Row]:
            found = con.execute(sql, parameters)
            return [dict(zip([c[0] for c in found.description], row, strict=True)) for row in found.fetchall()]

        yield collect(query, kept_samples=2)


@pytest.mark.slow
class TestCollected:
    def test_key_numbers(self, data: ReportData) -> None:
        assert data.key_numbers == {
            "domains": 2,
            "mixed_rows": 4,
            "released_rows": 2,
            "rejected_candidates": 4,
            "failed_slices": 1,
            "warnings": 1,
            "contamination_hits": 3,
            "teacher_calls": 4,
            "cost_usd": 1.75,
        }

    def test_checks_are_those_of_the_newest_materialization(self, data: ReportData) -> None:
        checks = {row["stage"]: row["checks"] for row in data.funnel if row["domain"] == "math"}
        assert {stage for stage, passed in checks.items() if passed is False} == {"preference_pairs"}
        assert {stage for stage, passed in checks.items() if passed is None} == {"filtered"}
        assert checks["release"] is True

    def test_samples(self, data: ReportData) -> None:
        assert [(s.domain, s.label) for s in data.kept] == [("chat", "sft"), ("math", "preference"), ("math", "sft"), ("math", "sft")]
        assert [(s.label, s.row_id, [r["rule"] for r in s.reasons]) for s in data.rejected] == [
            ("evolved_instructions", "leak", ["leak", "unchanged"]),
            ("filtered", "both", ["refusal", "too_short"]),
            ("generated_instructions", "short", ["too_short"]),
        ]
        assert data.rejected[0].texts["instruction"] == SCRIPT

    def test_page(self, data: ReportData) -> None:
        html = render(data)
        page = assert_harmless(html)
        assert SCRIPT in "".join(page.texts)
        assert "not used by any row now" in html
        assert render(data) == html
