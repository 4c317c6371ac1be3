"""Texts as HTML: what is shown, and that nothing of a text can run, load or hide."""

from html.parser import HTMLParser
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_assets.review.mathematics import _ATTRIBUTES, _ELEMENTS
from synth_assets.review.rendering import LONGEST, render_answer, render_text
from synth_assets_tests.review.desk import CHINESE, CODE, HOSTILE, REASONED

TAGS = {"p", "em", "strong", "s", "code", "pre", "ul", "ol", "li", "blockquote", "hr", "br", "table", "thead", "tbody", "tr", "th", "td", "div", "span"}
TAGS |= {"details", "summary"} | _ELEMENTS
ATTRIBUTES = {"class", "role", "aria-level", "tabindex", "start", "display"} | _ATTRIBUTES


class Seen(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("**bold** and *light*", "<strong>bold</strong> and <em>light</em>"),
        ("# Title", '<div class="heading" role="heading" aria-level="3">Title</div>'),
        ("| a |\n|--:|\n| 1 |", '<td class="right">1</td>'),
        ("[words](https://example.org/a?b=1)", '<span class="link">words</span><span class="address"> (https://example.org/a?b=1)</span>'),
        ("![picture](https://example.org/x.png)", '<span class="address"> (image: https://example.org/x.png)</span>'),
        ("```python\nx = 'a'\n```", "<span class=\"c-s1\">'a'</span>"),
        ("```brainless\n<b>\n```", "<code>&lt;b&gt;\n</code>"),
        ("`a<b`", "<code>a&lt;b</code>"),
        ("$x_1$", "<msub><mi>x</mi><mn>1</mn></msub>"),
        (r"so \(a<b\) holds", "<mo>&lt;</mo>"),
        ("$$\na\n- b\n$$", '<math display="block">'),
        ("\\[\n\\frac{1}{2}\n\\]", "<mfrac>"),
        ("\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}", "<mtable"),
        ("costs $5 and $6, or US$7", "costs $5 and $6, or US$7"),
        ("解得 $x=2$。", "解得 <math>"),
        (r"\$5 is not maths$", "$5 is not maths$"),
        ("$" + "{" * 50 + "}" * 50 + "$", '<code class="tex">'),
        ("a\u202eb", '<span class="hidden-sign">U+202E</span>'),
        ("<br>", "&lt;br&gt;"),
        ("x" * 100_001, '<pre class="plain">x'),
    ],
)
def test_what_is_shown(text: str, part: str) -> None:
    assert part in render_text(text)


def test_reasoning_is_folded_and_broken_tags_are_text() -> None:
    assert render_answer(REASONED).startswith('<details class="think"><summary></summary>')
    assert "&lt;think&gt;" in render_answer("<think> never closed")


@pytest.mark.parametrize("text", [HOSTILE, CODE, CHINESE, REASONED])
def test_every_word_is_still_there(text: str) -> None:
    shown = Seen(render_answer(text)).text
    assert [word for word in text.replace("*", " ").split() if word.isalpha() and word not in shown] == []


MARKUP = "<script>|</div>|<img src=x onerror=a>|<a href='//x'>|&lt;script&gt;|&#60;script&#62;|\"onload=a |'|<think>|</think>|\x00|\ud800|\u202e|好"
MARKDOWN = "[a](javascript:b)~[a](data:text/html,b)~](~![~`~```html\n~\n~\n\n~|~--|--~> ~    ~- "
TEX = r"$ $$ \[ \] \( \) \frac { } ^ _ \begin{align} \end{align} \href{javascript:a}{b} \style{color:red}{b} \class{a}{b} \text{<script>} \text{&lt;b&gt;}"
NASTY = st.sampled_from([*MARKUP.split("|"), *MARKDOWN.split("~"), *TEX.split()])


@settings(max_examples=400)
@given(st.lists(NASTY | st.text(max_size=8), max_size=30).map("".join))
def test_nothing_of_a_text_becomes_markup(text: str) -> None:
    for html in (render_text(text), render_answer(text)):
        seen = Seen(html)
        assert seen.tags <= TAGS, seen.tags - TAGS
        assert seen.attributes <= ATTRIBUTES, seen.attributes - ATTRIBUTES
        html.encode()


@pytest.mark.parametrize("piece", ["\\(", "$a ", "$", "$$\n", "[", "![", "*a_ ", "\\begin{align}\n", "<think>", "| a ", "&"])
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (LONGEST // len(piece))
    started = perf_counter()
    render_answer(text)
    assert perf_counter() - started < 20  # 0.2 to 0.9 s alone on the machine; a square of the length would be minutes
