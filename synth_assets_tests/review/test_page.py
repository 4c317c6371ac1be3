"""The page in a real headless browser: by keys alone, in both languages, with hostile rows, through a dead server, and by axe-core's rules."""

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, expect, sync_playwright
from playwright.sync_api import Page as Tab

from synth_assets.review.standing import Entry
from synth_assets.review.verdicts import Verdicts
from synth_assets_tests.review.desk import BETTER, HOSTILE, WORSE, Desk, Page, make_desk

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path: install it with the system's package manager"),
]
ROW = "#facts > span:first-child"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Chromium's sandbox refuses to start as root, as in most containers.
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


@contextmanager
def tab(browser: Browser, page: Page, **settings: Any) -> Iterator[Tab]:
    """The page in a context of its own; what it reports as an error, or asks of another host, fails the test."""
    context = browser.new_context(viewport={"width": 1200, "height": 800}, **settings)
    opened = context.new_page()
    found: list[str] = []
    opened.on("pageerror", lambda error: found.append(str(error)))
    opened.on("console", lambda message: _note(message, found))
    opened.on("request", lambda request: found.append(request.url) if not request.url.startswith(page.origin) else None)
    opened.goto(page.address)
    expect(opened.locator(ROW)).to_have_text(re.compile(r"\d"))
    try:
        yield opened
    finally:
        context.close()
    assert found == []


def _note(message: ConsoleMessage, found: list[str]) -> None:
    # The browser itself says so when a server does not answer; the test about that expects it.
    if message.type in {"error", "warning"} and "ERR_" not in message.text:
        found.append(message.text)


def go_to(opened: Tab, page: Page, row_id: str) -> int:
    """Step with `j` until a row shows; returns its place."""
    items = len(page.json("/api/state")["items"])
    wanted = next(n for n in range(items) if page.json(f"/api/rows/{n}")["facts"]["row"] == row_id)
    for _ in range(items):
        here = int(re.findall(r"\d+", opened.locator(ROW).inner_text())[0]) - 1
        if here == wanted:
            return wanted
        opened.keyboard.press("j")
        expect(opened.locator(ROW)).to_have_text(re.compile(rf"\b{(here + 1) % items + 1}\b.*\d"))
    raise AssertionError(row_id)


def entries(desk: Desk) -> list[Entry]:
    with closing(Verdicts(desk.home / "reviews.sqlite")) as store:
        return store.entries()


def status(opened: Tab, words: str | re.Pattern[str]) -> None:
    expect(opened.locator("#status")).to_have_text(words if isinstance(words, re.Pattern) else re.compile(re.escape(words)))


def test_a_whole_review_by_keys_alone(browser: Browser, tmp_path: Path) -> None:
    desk = make_desk(tmp_path)
    with desk.serving("--reviewer", "Ann") as page, tab(browser, page) as opened:
        key = opened.keyboard.press
        assert "token" not in opened.url
        go_to(opened, page, "f005")
        key("a")
        status(opened, "Saved: accepted.")
        go_to(opened, page, "f006")
        key("r")
        status(opened, "Why is it rejected?")
        key("Escape")
        key("r")
        key("o")
        opened.keyboard.type("not our style")
        key("Enter")
        status(opened, "Saved: rejected: Other: write a note.")
        go_to(opened, page, "f000")
        expect(opened.locator("details.think")).not_to_have_attribute("open", "")
        key("g")
        expect(opened.locator("details.think")).to_have_attribute("open", "")
        key("n")
        opened.keyboard.type("too short, 太短")
        key("Enter")
        key("f")
        status(opened, "What is wrong with it?")
        key("4")
        expect(opened.locator("#editor")).to_be_visible()
        key("Control+Enter")
        expect(opened.locator("#editor-alert")).to_have_text(re.compile("must be a new one"))
        key("Control+End")
        opened.keyboard.type("So the roots are 2 and 3.")
        key("Control+Enter")
        status(opened, "Saved: fixed: Incomplete or cut off.")
        go_to(opened, page, "f003")
        left = opened.locator("#answers section").first.inner_text()
        key("a")
        status(opened, "This row is a pair")
        key("1" if BETTER in left else "2")
        status(opened, "is better.")
        go_to(opened, page, "f001")
        key("a")
        status(opened, "Saved: accepted.")
        key("u")
        status(opened, "Taken back.")
        expect(opened.locator("#mine")).to_be_hidden()
        key("r")
        key("7")
        status(opened, "Saved: rejected: Broken format")
        expect(opened.locator("#count")).to_have_text("5 of 8 rows read")
        key("?")
        expect(opened.locator("#help")).to_be_visible()
        key("Escape")
        expect(opened.locator("#help")).to_be_hidden()
        for _ in range(3):
            key("a")
            # Until the next row is there, keys judge nothing.
            status(opened, "Saved: accepted.")
        status(opened, "All rows are read.")
        opened.locator("#figures summary").press("Enter")
        expect(opened.locator("#gates")).to_have_text(re.compile("3 defects: the defect rate is 37.5 %, all rows being read."))
        given = {entry.row_id: entry for entry in entries(desk)}
    assert len(entries(desk)) == 10
    assert (given["f006"].verdict, given["f006"].reason, given["f006"].note) == ("reject", "other", "not our style")
    assert given["f000"].verdict == "fix" and given["f000"].corrected.endswith("So the roots are 2 and 3.") and "太短" in given["f000"].note
    assert given["f003"].verdict == "accept" and given["f001"].reason == "format" and given["f001"].verdict == "reject"


def test_a_pair_is_corrected_from_either_side(browser: Browser, tmp_path: Path) -> None:
    desk = make_desk(tmp_path)
    with desk.serving("--reviewer", "Ann") as page, tab(browser, page) as opened:
        go_to(opened, page, "f003")
        side = "2" if BETTER in opened.locator("#answers section").first.inner_text() else "1"
        for pressed in ("f", "1", side):
            opened.keyboard.press(pressed)
        expect(opened.locator("#corrected")).to_have_value(WORSE)
        opened.keyboard.type("Use a bowline. ")
        opened.keyboard.press("Control+Enter")
        status(opened, "Saved: fixed")
    (entry,) = entries(desk)
    assert entry.corrected == f"Use a bowline. {WORSE}"


@pytest.mark.parametrize(
    "settings",
    [{}, {"color_scheme": "dark"}, {"viewport": {"width": 380, "height": 800}}, {"locale": "zh-CN"}],
    ids=["light", "dark", "narrow", "chinese"],
)
def test_axe_finds_nothing_and_nothing_overflows(browser: Browser, tmp_path: Path, settings: dict[str, Any]) -> None:
    desk = make_desk(tmp_path)
    context = {k: v for k, v in settings.items() if k != "viewport"}
    with desk.serving("--reviewer", "Ann") as page, tab(browser, page, **context) as opened:
        if "viewport" in settings:
            opened.set_viewport_size(settings["viewport"])
        problems: list[tuple[str, str, str]] = []

        def look(where: str) -> None:
            # "s" shows the same row in plain text, "?" and "f" what lies over it.
            found = Axe().run(opened).response["violations"]
            problems.extend((where, v["id"], v["nodes"][0]["html"][:100]) for v in found)
            assert opened.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), where

        for row in ("f000", "f001", "f002", "f003", "f004"):
            go_to(opened, page, row)
            opened.keyboard.press("g")
            look(row)
        opened.keyboard.press("s")
        look("source")
        opened.keyboard.press("?")
        look("help")
        opened.keyboard.press("Escape")
        opened.keyboard.press("f")
        look("reasons")
        opened.keyboard.press("1")
        look("editor")
        assert problems == []


def test_hostile_texts_are_text_wherever_they_stand(browser: Browser, tmp_path: Path) -> None:
    desk = make_desk(tmp_path)
    name = "<img src=x onerror=window.hacked=4>"
    with desk.serving("--reviewer", name) as page, tab(browser, page) as opened:
        go_to(opened, page, "f004")
        opened.locator("#note").fill(HOSTILE)
        opened.keyboard.press("Enter")
        for pressed in ("f", "1"):
            opened.keyboard.press(pressed)
        # What an editor gives back has no carriage returns, and is otherwise the text itself.
        assert opened.locator("#corrected").input_value() == HOSTILE
        opened.keyboard.press("Control+End")
        opened.keyboard.type(" mended")
        opened.keyboard.press("Control+Enter")
        status(opened, "Saved: fixed")
        go_to(opened, page, "f004")
        for where in ("#facts", "#system", "#prompt", "#answers .text"):
            shown = opened.locator(where).inner_text()
            assert "<script>window.hacked=1</script>" in shown and "<b>bold</b>" in shown and "U+202E" in shown and "\u202e" not in shown, where
        assert name in opened.locator("#reviewer").inner_text()
        opened.keyboard.press("s")
        assert "<script>window.hacked=1</script>" in opened.locator("#answers .text").inner_text()
        assert opened.evaluate("window.hacked") is None
        assert opened.locator("main img, main a, main script, main iframe").count() == 0
    assert entries(desk)[0].note == HOSTILE and entries(desk)[0].corrected.startswith(HOSTILE)


def test_chinese_is_as_good_as_english(browser: Browser, tmp_path: Path) -> None:
    desk = make_desk(tmp_path)
    with desk.serving("--reviewer", "小明") as page, tab(browser, page, locale="zh-CN") as opened:
        assert opened.evaluate("document.documentElement.lang") == "zh-CN"
        go_to(opened, page, "f002")
        assert opened.locator("#answers .text").get_attribute("lang") == "zh"
        # With an input method on, the event tells only which key it was; while it composes, keys are letters of its own.
        send = "o => document.querySelector('#row').dispatchEvent(new KeyboardEvent('keydown', {bubbles: true, cancelable: true, ...o}))"
        opened.evaluate(send, {"key": "a", "code": "KeyA", "isComposing": True})
        assert entries(desk) == []
        opened.evaluate(send, {"key": "Process", "code": "KeyR", "keyCode": 229})
        status(opened, "为什么拒绝？")
        opened.evaluate(send, {"key": "１", "code": "Digit1"})
        status(opened, "已保存：已拒绝: 答案错误。")
        opened.keyboard.press("l")
        expect(opened.locator("h1")).to_have_text("Spot check")
        words = json.loads(
            opened.evaluate(
                "import('/words.js').then(m => JSON.stringify([m.WORDS.en, m.WORDS.zh].map(w => Object.keys(w).sort().concat(w.keyList.map(k => k[0])))))"
            )
        )
        assert words[0] == words[1]
    (entry,) = entries(desk)
    assert (entry.reviewer, entry.reason) == ("小明", "wrong")


def test_what_a_dead_server_did_not_save_is_said_kept_and_saved_once(browser: Browser, tmp_path: Path) -> None:
    desk = make_desk(tmp_path)
    with desk.serving("--reviewer", "Ann") as page:
        context = browser.new_context()
        opened = context.new_page()
        opened.goto(page.address)
        expect(opened.locator(ROW)).to_have_text("Row 1 of 8")
        page.process.send_signal(signal.SIGKILL)
        page.process.wait()
        row = desk_first(desk)
        opened.keyboard.press("f" if row == "f003" else "r")
        opened.keyboard.press("1")
        expect(opened.locator("#alert")).to_have_text(re.compile("Not saved"))
        expect(opened.locator(ROW)).to_have_text("Row 1 of 8")
        opened.keyboard.press("Enter")
        expect(opened.locator("#alert")).to_have_text(re.compile("Not saved"))
        assert entries(desk) == []
    port = page.origin.rpartition(":")[2]
    with desk.serving("--reviewer", "Ann", "--port", port) as again:
        # The old token is refused, in words; the new address saves what the page had kept.
        opened.goto(again.address)
        expect(opened.locator("#count")).to_have_text("1 of 8 rows read")
        opened.reload()
        expect(opened.locator("#count")).to_have_text("1 of 8 rows read")
    context.close()
    assert [entry.reason for entry in entries(desk)] == ["wrong"]


def desk_first(desk: Desk) -> str:
    from synth_assets.review.sample import load_sample

    return str(load_sample(desk.warehouse, {"boats": desk.domain}).items[0].row["id"])


def test_two_reviewers_on_one_sample_see_how_far_they_agree(browser: Browser, tmp_path: Path) -> None:
    desk = make_desk(tmp_path)
    with desk.serving("--reviewer", "Ann") as ours, desk.serving("--reviewer", "Bob") as theirs:
        with tab(browser, ours) as opened:
            for row in ("f005", "f006"):
                go_to(opened, ours, row)
                opened.keyboard.press("a")
                status(opened, "Saved")
        with tab(browser, theirs) as opened:
            go_to(opened, theirs, "f005")
            opened.keyboard.press("a")
            status(opened, "Saved")
            go_to(opened, theirs, "f006")
            expect(opened.locator("#mine")).to_be_hidden()
            opened.keyboard.press("r")
            opened.keyboard.press("1")
            status(opened, "Saved")
            opened.locator("#figures summary").press("Enter")
            expect(opened.locator("#agreements")).to_have_text("Agreement with Ann: 1 of 2 rows, Cohen's kappa 0.00")
            expect(opened.locator("#gates")).to_have_text(re.compile("2 of 8 gate rows read. The limit"))
