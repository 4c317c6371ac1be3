"""The filters of Self-Instruct (Wang et al. 2022, arXiv 2212.10560, section 2.2) on a new instruction, and one of ours.

Words are matched whole and in any case; the text itself is never changed (the original lower-cased what it tidied). The list of words is
the paper's plus Alpaca's: what they name cannot be seen, heard or shown by a language model. The Chinese list is ours, for the same reason.
Invariant: at most one finding per rule.
"""

import re
import unicodedata

from synth_assets.quality.asking import asks
from synth_assets.quality.findings import Finding, excerpt, one_line
from synth_assets.quality.words import count_words

__all__ = ["FILTERS", "form_findings", "instruction_findings", "length_findings"]

FILTERS: dict[str, str] = {
    "instruction_too_short": "Fewer words than the method's min_words (Self-Instruct: 4).",
    "instruction_too_long": "More words than the method's max_words (Self-Instruct: 150).",
    "banned_word": "Names what a language model cannot take in or give out: image, graph, picture, file, map, draw, plot, go to; video, audio, music, ...",
    "write_a_program": 'Starts with "Write a program": it is not clear in what language, and the pool would fill with such instructions.',
    "leading_punctuation": "Starts with a punctuation mark.",
    "non_ascii_start": "Starts with a character outside ASCII (English only).",
    "asks_nothing": "Shows no sign of a question or a request (ours): a statement, or the answer itself.",
}
"""Every filter by its name, with what it rejects."""

_BANNED = re.compile(
    r"\b(?:images?|graphs?|pictures?|files?|maps?|draw|plot|go\s+to"  # Self-Instruct
    r"|video|audio|music|flowchart|diagram)\b",  # Alpaca
    re.IGNORECASE,
)
_BANNED_ZH = re.compile("图片|图像|图画|照片|插图|绘制|画[一个幅张出]|视频|音频|音乐|流程图|示意图|文件夹|上传|下载|打开网[页站]")
_WRITE_A_PROGRAM = re.compile(r"write\s+a\s+program\b", re.IGNORECASE)


def instruction_findings(text: str, language: str, min_words: int, max_words: int) -> list[Finding]:
    """All filters that reject the instruction `text` of `language` (en, zh); `min_words` and `max_words` are still good."""
    return length_findings(text, language, min_words, max_words) + form_findings(text, language)


def length_findings(text: str, language: str, min_words: int, max_words: int) -> list[Finding]:
    """The two filters of length alone."""
    count = count_words(text, language)
    if min_words <= count <= max_words:
        return []
    return [Finding("instruction_too_short" if count < min_words else "instruction_too_long", count, one_line(text.strip()))]


def form_findings(text: str, language: str) -> list[Finding]:
    """All filters but those of length."""
    findings: list[Finding] = []
    stripped = text.strip()
    banned = _BANNED.search(text) or (_BANNED_ZH.search(text) if language == "zh" else None)
    if banned:
        findings.append(Finding("banned_word", None, excerpt(text, *banned.span())))
    if _WRITE_A_PROGRAM.match(stripped):
        findings.append(Finding("write_a_program", None, one_line(stripped)))
    # ASCII's symbols ("$", "+", "<") are punctuation to Python's string module, which the original uses, but not to Unicode.
    if stripped and (unicodedata.category(stripped[0]).startswith("P") or (stripped[0].isascii() and not stripped[0].isalnum())):
        findings.append(Finding("leading_punctuation", None, one_line(stripped)))
    if language == "en" and stripped and not stripped[0].isascii():
        findings.append(Finding("non_ascii_start", None, one_line(stripped)))
    if not asks(text, language):
        findings.append(Finding("asks_nothing", None, one_line(stripped)))
    return findings
