"""The most words that a prompt allows for its answer: "in 50 words or less", "不超过100字".

IFEval's length constraint (arXiv 2311.07911), read in a prompt's own words, upper limits alone. Meant to miss rather than to err: of a prompt that
sets two limits, or one for each of several things, or one for a part of the answer (a title, a line), nothing is said. Of Alpaca's 52,002 rows 184 have
a limit and 18 answers exceed it by more than a fifth, all of them truly.
"""

import re

__all__ = ["word_limit"]

_NAMED = {"five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "fifteen": 15, "twenty": 20, "thirty": 30, "fifty": 50, "hundred": 100}
_N = rf"(?:an?\s+)?(\d{{1,4}}|{'|'.join(_NAMED)})"
_LIMIT = re.compile(
    rf"(?<!\bno )(?<!\bnot )\b(?:at\s+most|(?:no|not)\s+(?:more|longer)\s+than|not\s+(?:to\s+)?exceed(?:ing)?|under|below|(?:fewer|less)\s+than"
    rf"|max(?:imum)?(?:\s+of)?|within|up\s+to)\s+{_N}\s+words\b"
    rf"|\b{_N}\s+words\s+(?:or\s+(?:less|fewer)|max(?:imum)?|at\s+most)\b"
    r"|(?:不超过|不多于|不要超过|最多|(?<!不)少于)\s*(\d{1,4})\s*个?字|(?<!\d)(\d{1,4})\s*个?字(?:以内|之内|以下)",
    re.IGNORECASE,
)
_OF_A_PART = re.compile(
    r"\b(?:each|every|per|apiece|titles?|headlines?|headings?|subject|lines?|bullets?|points?|items?|sentences?|captions?|phrases?|slogans?|names?|labels?)\b"
    r"|每|各|标题|主题|题目|名字|句",
    re.IGNORECASE,
)
_NEAR = 60
"""Characters before and after a limit in which a part is named."""


def word_limit(prompt: str) -> int | None:
    """Words that the answer may have, of Chinese characters; None where `prompt` sets no limit to the whole of it."""
    found = list(_LIMIT.finditer(prompt))
    # To a pattern that ignores case "ſeven" and "fıve" are numbers too.
    limits = {next(filter(None, limit.groups())).casefold().replace("ı", "i") for limit in found}
    if len(limits) != 1 or any(_OF_A_PART.search(prompt[max(0, limit.start() - _NEAR) : limit.end() + _NEAR]) for limit in found):
        return None
    (number,) = limits
    return int(number) if number.isdigit() else _NAMED[number]
