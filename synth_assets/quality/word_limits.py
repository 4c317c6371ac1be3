"""The most words that a prompt allows for its answer: "in 50 words or less", "不超过100字".

IFEval's length constraint (arXiv 2311.07911), read in a prompt's own words: upper limits in figures alone. Meant to miss rather than to err: of a
prompt that names two numbers of words, or near whose limit a part of the answer stands (a title, a paragraph), several answers or a program, nothing
is said. Of Alpaca's 52,002 rows 140 have a limit and 18 answers exceed it by more than a fifth, all of them truly.
"""

import re

__all__ = ["word_limit"]

_N = r"(?<![\w.,，-])(\d{1,4})"
_LIMIT = re.compile(
    r"\b(?:at\s+most|(?:no|not)\s+(?:more|longer)\s+than|not\s+(?:to\s+)?exceed(?:ing)?|(?:in|with|using|of)\s+(?:under|below|(?:fewer|less)\s+than)"
    rf"|max(?:imum)?(?:\s+of)?|within|up\s+to)\s+{_N}\s+words\b"
    rf"|{_N}\s+words\s+(?:or\s+(?:less|fewer)|max(?:imum)?|at\s+most)\b"
    r"|(?:不超过|不多于|不要超过|最多)\s*(\d{1,4})\s*个?字|(?<![\d.,，])(\d{1,4})\s*个?字(?:以内|之内|以下)",
    re.IGNORECASE,
)
_OTHER = re.compile(r"(\d[\d.,，]*)[\s-]*(?:words?\b|个?字)", re.IGNORECASE)
_OF_A_PART = re.compile(
    r"\b(?:each|every|per|apiece|titles?|headlines?|headings?|subject|lines?|bullets?|points?|items?|sentences?|captions?|phrases?|slogans?|names?|labels?"
    r"|paragraphs?|intro(?:duction)?s?|abstracts?|conclusions?|chunks?|sections?|chapters?|parts?|functions?|programs?|scripts?|returns?|vocabulary"
    r"|(?:stor|summar|repl)ies|(?:poem|description|letter|e-?mail|message|review|tweet|post|answer|response|option|version|example)s)\b"
    r"|每|各|标题|主题|题目|名字|句|段|开头|结尾|导语|摘要|题记|部分|章|函数|词汇|程序",
    re.IGNORECASE,
)
_NEAR = 60
"""Characters before and after a limit in which a part is named."""


def word_limit(prompt: str) -> int | None:
    """Words that the answer may have, of Chinese characters; None where `prompt` sets no limit to the whole of it."""
    found = list(_LIMIT.finditer(prompt))
    limits = {next(filter(None, limit.groups())) for limit in found}
    if len(limits) != 1 or {other[1] for other in _OTHER.finditer(prompt)} - limits:
        return None
    if any(_OF_A_PART.search(prompt[max(0, limit.start() - _NEAR) : limit.end() + _NEAR]) for limit in found):
        return None
    return int(limits.pop())
