r"""TeX in Markdown: `$…$`, `$$…$$`, `\(…\)`, `\[…\]` and display environments, found by two markdown-it rules and written as MathML.

latex2mathml reads the TeX; what it makes is written out anew, element by element, from a list of allowed ones, since TeX can ask for links and
styles. What cannot be read is shown as the code that it is. Invariant: no text of the source leaves here unescaped, and the work is linear in it.
"""

import re
from html import escape, unescape
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline

__all__ = ["mathml", "read_tex"]

LONGEST = 4000
"""Characters of one formula that are typeset."""

DEEPEST = 40
"""Groups inside each other: the reader is recursive."""

_ELEMENTS = frozenset(
    re.findall(
        r"\S+",
        "math mrow mi mn mo mtext mspace msup msub msubsup mfrac msqrt mroot mover munder munderover mtable mtr mtd mstyle mpadded mphantom menclose "
        "mmultiscripts mprescripts none",
    )
)
_ATTRIBUTES = frozenset(
    re.findall(
        r"\S+",
        "mathvariant stretchy fence separator accent accentunder linethickness displaystyle scriptlevel columnalign rowspacing columnspacing "
        "columnlines rowlines width height depth lspace rspace minsize maxsize form symmetric largeop movablelimits notation",
    )
)
_VALUE = re.compile(r"[\w .%+-]{1,40}")
_ENVIRONMENT = re.compile(r"\\begin\{((?:equation|align|aligned|gather|multline|alignat|eqnarray|cases|split|[pbBvV]?matrix)\*?)\}")
_NUMBERED = re.compile(r"\\(?:label|tag)\{[^{}]*\}|\\(?:nonumber|notag)\b")
_NEAR = 600
"""Characters within which a single dollar must find its closing one."""


def mathml(tex: str, *, block: bool) -> str:
    """MathML for `tex`, or the source as code where it cannot be read."""
    return _typeset(tex, block) or f'<code class="tex">{escape(tex.strip())}</code>'


def _typeset(tex: str, block: bool) -> str:
    if len(tex) > LONGEST or _depth(tex) > DEEPEST:
        return ""
    from latex2mathml.converter import convert_to_element

    try:
        root = convert_to_element(_NUMBERED.sub("", tex), display="block" if block else "inline")
        return _written(root)
    except Exception:  # noqa: BLE001 - its errors have no common base, and a formula must not cost the row
        return ""


def _depth(tex: str) -> int:
    depth = deepest = 0
    for sign in tex:
        depth += (sign == "{") - (sign == "}")
        deepest = max(deepest, depth)
    return max(deepest, tex.count(r"\left"), tex.count(r"\begin"))


def _written(element: Element) -> str:
    """The element as HTML, from allowed elements and attributes only; of others the content stays."""
    # The library keeps its own entities in the text, to be undone after it is written.
    content = escape(unescape(element.text or "")) + "".join(_written(child) + escape(unescape(child.tail or "")) for child in element)
    name = element.tag.rpartition("}")[2]
    if name not in _ELEMENTS:
        return content
    attributes = "".join(f' {key}="{escape(value)}"' for key, value in element.attrib.items() if key in _ATTRIBUTES and _VALUE.fullmatch(value))
    if name == "math":
        attributes = ' display="block"' if element.get("display") == "block" else ""
    return f"<{name}{attributes}>{content}</{name}>"


def read_tex(markdown: "MarkdownIt") -> None:
    """Teach `markdown` to read TeX; tokens are `math_inline` and `math_block`, their content the TeX without its delimiters."""
    markdown.inline.ruler.before("escape", "math_inline", _inline)
    markdown.block.ruler.before("fence", "math_block", _block, {"alt": ["paragraph", "blockquote", "list"]})


def _inline(state: "StateInline", silent: bool) -> bool:
    src, start = state.src, state.pos
    for opening, closing in (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]")):
        if not src.startswith(opening, start):
            continue
        begin = start + len(opening)
        end = _single_dollar(src, begin) if opening == "$" else _closing(state, closing, begin)
        if end < 0 or not src[begin:end].strip():
            return False
        if not silent:
            token = state.push("math_inline", "math", 0)
            token.content, token.block = src[begin:end], opening in {"$$", r"\["}
        state.pos = end + len(closing)
        return True
    return False


def _closing(state: "StateInline", closing: str, begin: int) -> int:
    """Where `closing` stands next; where it was not found once, it is not looked for again behind that place."""
    missing = state.env.setdefault("unclosed", {})
    place = (closing, state.src)
    if begin >= missing.get(place, len(state.src) + 1):
        return -1
    end = state.src.find(closing, begin)
    if end < 0:
        missing[place] = begin
    return end


def _single_dollar(src: str, begin: int) -> int:
    """The closing dollar of a formula, or -1 for money: pandoc's rule, that no space stands inside and no digit behind the closing one."""
    before = src[begin - 2 : begin - 1]
    if begin >= len(src) or src[begin].isspace() or (before.isascii() and before.isalnum()):
        return -1
    end = src.find("$", begin, begin + _NEAR)
    while end > 0 and src[end - 1] == "\\":
        end = src.find("$", end + 1, begin + _NEAR)
    return -1 if end < 0 or src[end - 1].isspace() or src[end + 1 : end + 2].isdigit() else end


def _block(state: "StateBlock", first: int, last: int, silent: bool) -> bool:
    r"""A formula that begins a line with `$$`, `\[` or `\begin{…}` and ends a later line, or the same one."""
    if state.is_code_block(first):
        return False
    opening = state.src[state.bMarks[first] + state.tShift[first] : state.eMarks[first]]
    environment = _ENVIRONMENT.match(opening)
    if environment:
        closing, skipped = f"\\end{{{environment[1]}}}", 0
    elif opening.startswith("$$"):
        closing, skipped = "$$", 2
    elif opening.startswith(r"\["):
        closing, skipped = r"\]", 2
    else:
        return False
    lines: list[str] = []
    for line in range(first, min(last, first + 200)):
        text = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
        if line > first and not text.strip():
            return False
        body = text[skipped:] if line == first else text
        if closing in body:
            if not body.rstrip().endswith(closing) or body.count(closing) > 1:
                return False
            if not silent:
                lines.append(body.rstrip() if environment else body.rstrip().removesuffix(closing))
                token = state.push("math_block", "math", 0)
                token.block, token.content, token.map = True, "\n".join(lines), [first, line + 1]
                state.line = line + 1
            return True
        lines.append(body)
    return False
