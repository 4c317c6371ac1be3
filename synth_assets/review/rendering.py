"""A row's texts as HTML that shows them well and runs nothing: Markdown, code, formulas, `<think>` folded.

Raw HTML is text, links and images are their words and their address, and control characters that could hide or turn text around are shown by
their number. Too long for Markdown, a text is shown as it is. Invariant: every tag in the result is made here, and none has an address or a handler.
"""

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from synth_assets.quality.leaks import split_thinking
from synth_assets.review.mathematics import mathml, read_tex

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["render_answer", "render_text"]

LONGEST = 100_000
"""Characters that are read as Markdown; what is longer is shown as plain text."""

LONGEST_CODE = 20_000
"""Characters of one code block that are coloured."""

LANGUAGES = frozenset(
    re.findall(
        r"\S+",
        "bash c c++ cpp csharp css diff go html java javascript js json jsx kotlin latex lua makefile php python py r ruby rust scala sh shell sql "
        "swift tex toml ts tsx typescript xml yaml yml",
    )
)
"""Languages that are coloured: the lexer is chosen by the text, and not every one of Pygments' five hundred is safe from slow patterns."""

_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # controls other than tab and newlines
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # of no width, and of direction
    "\ud800-\udfff\U000e0000-\U000e007f]"  # half a surrogate pair, and tags
)


def render_text(text: str) -> str:
    """`text`, read as Markdown, as HTML."""
    if len(text) > LONGEST:
        return _visible(f'<pre class="plain">{escape(text)}</pre>')
    return _visible(str(_markdown().render(text)))


def render_answer(response: str) -> str:
    """An answer as HTML, its reasoning folded away in front of it; where the tags are not in order, they are shown as text."""
    parts = split_thinking(response)
    if not parts.thinking:
        return render_text(response)
    return f'<details class="think"><summary></summary><div>{render_text(parts.thinking)}</div></details>{render_text(parts.answer)}'


def _visible(html: str) -> str:
    return _HIDDEN.sub(lambda sign: f'<span class="hidden-sign">U+{ord(sign[0]):04X}</span>', html)


@cache
def _markdown() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    # Where raw HTML is off, its rules only cost time.
    markdown.disable(["html_block", "html_inline"])
    read_tex(markdown)
    rules: dict[str, Any] = {
        "fence": _fence,
        "code_block": _fence,
        "link_open": lambda tokens, place, options, env: '<span class="link">',
        "link_close": _link_close,
        "image": _image,
        "heading_open": _heading,
        "heading_close": lambda tokens, place, options, env: "</div>\n",
        # What scrolls must be reachable by keyboard.
        "table_open": lambda tokens, place, options, env: '<div class="scrolls" tabindex="0"><table>',
        "table_close": lambda tokens, place, options, env: "</table></div>",
        "td_open": _cell,
        "th_open": _cell,
        "math_inline": lambda tokens, place, options, env: mathml(tokens[place].content, block=tokens[place].block),
        "math_block": lambda tokens, place, options, env: f'<div class="scrolls" tabindex="0">{mathml(tokens[place].content, block=True)}</div>',
    }
    for name, rule in rules.items():
        markdown.add_render_rule(name, lambda self, *given, _rule=rule: _rule(*given))
    return markdown


def _heading(tokens: "Sequence[Token]", place: int, options: Any, env: Any) -> str:
    # Under the page's own headings, and no step down larger than one, whatever the text left out.
    level = env["level"] = min(6, int(tokens[place].tag[1]) + 2, env.get("level", 2) + 1)
    return f'<div class="heading" role="heading" aria-level="{level}">'


def _cell(tokens: "Sequence[Token]", place: int, options: Any, env: Any) -> str:
    # Its alignment comes as a style attribute, which the page does not allow.
    style = str(tokens[place].attrGet("style") or "")
    aligned = next((f' class="{side}"' for side in ("right", "center") if side in style), "")
    return f"<{tokens[place].tag}{aligned}>"


def _fence(tokens: "Sequence[Token]", place: int, options: Any, env: Any) -> str:
    token = tokens[place]
    named = token.info.split(maxsplit=1)
    language = named[0].lower() if named else ""
    label = f'<span class="language">{escape(language[:30])}</span>' if language else ""
    return f'<div class="code">{label}<pre><code>{_coloured(token.content, language)}</code></pre></div>\n'


def _coloured(code: str, language: str) -> str:
    if language not in LANGUAGES or len(code) > LONGEST_CODE:
        return escape(code)
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name

    return str(highlight(code, get_lexer_by_name(language, stripnl=False), HtmlFormatter(nowrap=True, classprefix="c-")))


def _link_close(tokens: "Sequence[Token]", place: int, options: Any, env: Any) -> str:
    depth = 0
    for token in reversed(tokens[:place]):
        depth += (token.type == "link_close") - (token.type == "link_open")
        if depth < 0:
            return f'</span><span class="address"> ({escape(str(token.attrGet("href") or ""))})</span>'
    return "</span>"


def _image(tokens: "Sequence[Token]", place: int, options: Any, env: Any) -> str:
    token = tokens[place]
    return f'<span class="link">{escape(token.content)}</span><span class="address"> (image: {escape(str(token.attrGet("src") or ""))})</span>'
