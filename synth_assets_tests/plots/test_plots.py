"""Pictures: well-formed, escaped, small at any size of the data, and true to the numbers."""

import base64
import random
from xml.etree import ElementTree

import pytest

from synth_assets.accounts import Outcome, Rejection
from synth_assets.plots.bars import RULES, Bar, bars, funnel, outcome
from synth_assets.plots.heat_map import heat_map
from synth_assets.plots.histogram import counts, histogram
from synth_assets.plots.rank_frequency import rank_frequency
from synth_assets.plots.stages import stage_plots, whole_funnel
from synth_assets.plots.svg import Sheet, shortened
from synth_assets_tests.expectations.tables import DOMAIN, good

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert('x')</script> & \"quotes\" ]( \u202e\x00"
DRAWN = random.Random(1)

SHEETS = {
    "bars": bars("a", [Bar("kept", [("kept", 2), ("rejected", 1)], "2 of 3")]),
    "outcome": outcome("a", 1000, 10, 5, {f"rule_{n}": n for n in range(60)}),
    "funnel": funnel("a", [(f"stage_{n}", n, n, n) for n in range(12)]),
    "histogram": histogram("a", [DRAWN.random() for _ in range(50_000)], axis="reward", threshold=0.7),
    "heat_map": heat_map("a", [f"topic {n}" for n in range(40)], [f"c{n}" for n in range(6)], [[n * m for m in range(6)] for n in range(40)]),
    "rank_frequency": rank_frequency("a", [DRAWN.randint(1, 3000) for _ in range(200_000)]),
    "no_histogram": histogram("a", [], axis="reward"),
    "no_curve": rank_frequency("a", []),
    "no_bars": outcome("a", 0, 0, 0, {}),
    "no_cells": heat_map("a", [], [], []),
}


@pytest.mark.parametrize("name", SHEETS)
def test_pictures_are_small_svg(name: str) -> None:
    sheet = SHEETS[name]
    for text in (sheet.alone(), sheet.inline()):
        assert ElementTree.fromstring(text).tag == f"{SVG}svg"
    kind, _, data = sheet.data_uri().partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(data).decode() == sheet.alone()
    assert len(sheet.data_uri()) < 50_000


def test_every_text_is_escaped() -> None:
    sheet = outcome(HOSTILE, 3, 1, 0, {HOSTILE: 2})
    root = ElementTree.fromstring(sheet.alone())
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {"svg", "title", "style", "rect", "text", "line", "polyline"}
    assert "<script>" not in sheet.alone()


def test_what_is_outside_counts_at_the_ends() -> None:
    assert counts([-1, 0, 0.1, 0.5, 1, 7], 2, 0, 1) == [3, 3]
    assert ">1<" in histogram("a", [float("nan"), 0.5], axis="x", high=2).alone()


def test_rules_beyond_the_first_share_a_bar() -> None:
    sheet = outcome("a", 100, 1, 0, {f"rule_{n}": 1 for n in range(RULES + 3)})
    assert ">3 other rules<" in sheet.inline()


def test_a_bar_is_as_long_as_its_number() -> None:
    rects = ElementTree.fromstring(funnel("a", [("one", 30, 10, 0), ("two", 20, 0, 0)]).inline()).iter(f"{SVG}rect")
    kept, rejected, none, other, *_ = (float(rect.attrib["width"]) for rect in rects)
    assert (round(kept / rejected, 1), none, round(kept / other, 1)) == (3.0, 0.0, 1.5)


def test_a_long_label_is_cut() -> None:
    assert shortened("near_duplicate", 40) == "near…"
    assert shortened("short", 400) == "short"


def test_a_picture_in_a_page_takes_the_colours_of_the_page() -> None:
    sheet = Sheet("a", 10, 10)
    sheet.rectangle(0, 0, 5, 5, "kept")
    assert "#" not in sheet.inline().replace("http://www.w3.org/2000/svg", "") and 'class="kept"' in sheet.inline()


def test_stages_show_what_people_look_at() -> None:
    tables = good()
    made = {stage: Outcome(planned=len(rows) + 1, kept=rows, rejected=[Rejection({"id": "x"}, "refusal")]) for stage, rows in tables.items()}
    shown = {stage: list(stage_plots(stage, made[stage], DOMAIN)) for stage in ("seeds", "generated_instructions", "preference_pairs", "filtered", "mixed")}
    assert shown == {
        "seeds": ["plot_outcome", "plot_topics"],
        "generated_instructions": ["plot_outcome", "plot_topics", "plot_ngrams"],
        "preference_pairs": ["plot_outcome", "plot_topics", "plot_margins"],
        "filtered": ["plot_outcome", "plot_topics", "plot_ngrams", "plot_rewards", "plot_nearest_rouge_l"],
        "mixed": ["plot_outcome", "plot_topics"],
    }
    assert stage_plots("filtered", Outcome(), DOMAIN) == {}
    whole = whole_funnel(DOMAIN, tables["stage_accounts"], made["mixed"]).inline()
    assert [stage for stage in ("seeds", "filtered", "mixed") if f">{stage}<" in whole] == ["seeds", "filtered", "mixed"]


def test_the_yield_of_evolutions_is_shown_by_operation_and_round() -> None:
    made = Outcome(planned=4, kept=[row for row in good()["evolved_instructions"] if row["round"]])
    made.reject({"id": "x", "operation": "deepen", "round": 1}, "sorry_answer")
    made.reject({"id": "x", "operation": "deepen", "round": 1}, "empty_answer")
    text = stage_plots("evolved_instructions", made, DOMAIN)["plot_yield"].alone()
    assert "4 of 5 evolutions stand" in text and "50%" in text and "100%" in text and "round 2" in text
