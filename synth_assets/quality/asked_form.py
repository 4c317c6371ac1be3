"""The form that a prompt asks its answer to have (five items, one sentence, a table, code, a letter), and how much of it the answer has.

Only what is said in so many words is looked for, in English and in Chinese; a prompt that asks for no form says nothing about an answer. Counts are
met within a fifth, because what is an item or a sentence is a matter of reading. Invariant: the result depends on the two texts alone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from synth_assets.quality.sentences import sentences
from synth_assets.quality.words import words

__all__ = ["LIST_ITEM", "fulfilled"]

LIST_ITEM = re.compile(r"^[ \t]*(?:[-*•]|\d{1,3}[.)、])[ \t]*\S", re.MULTILINE)
"""The beginning of a list item on a line of its own."""

_TOLERANCE = 0.2
_NAMED = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "a": 1, "single": 1} | {
    "一": 1,
    "两": 2,
    "二": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
    "十": 10,
}
_N = r"(\d{1,4}|one|two|three|four|five|six|seven|eight|nine|ten)"
_HAN_N = r"(\d{1,4}|[一两二三四五六七八九十])"
_UNITS = r"(?!words?\b|sentences?\b|paragraphs?\b|lines?\b|years?\b|days?\b|hours?\b|minutes?\b|people\b|percent\b|times\b)"

_ITEMS = re.compile(
    rf"\b(?:list|name|give|write|suggest|provide|generate|create|propose|find|describe|identify|state|brainstorm|recommend|share|come\s+up\s+with)"
    rf"(?:\s+(?:me|us|out|down|at\s+least|the|some|up\s+to|top|best))*\s+{_N}\s+{_UNITS}(?:[\w'-]+\s+){{0,3}}?[a-z-]+s\b"
    rf"|(?:列出|列举|给出|写出|提供|说出|推荐|举出|想出)[^。，\d]{{0,4}}{_HAN_N}[个条种项点句首]",
    re.IGNORECASE,
)
_LENGTH = re.compile(
    r"\b(?:in|into|within|to|of|as|using|write|give|compose|create|generate|provide|with|about|around|approximately|under|over|than|exactly|least|most"
    rf"|up\s+to|only|just|an?|me)\s+{_N}(?:\s+(?:short|full|complete|brief))?[- ](word|sentence|paragraph|line)s?\b(?!\s+(?:problems?|per)\b)"
    r"|\b(?:in|into|as|to|using|write|give)\s+(?:just\s+|only\s+)?(a|single)(?:\s+single)?\s+(sentence|paragraph)\b"
    rf"|(?:用|写|以|控制在|不超过|不少于|至少|约|共|分|成|限)[^。，\d]{{0,5}}{_HAN_N}个?(字|句话|段)(?![经路典帖])|{_HAN_N}个?(字|句话|段)(?:以内|以下|左右|之内)",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"\b(?:a\s+list\s+of|list\s+(?:the|some|all|out)|bullet(?:ed)?\b|bullet\s+points|step[- ]by[- ]step|steps\s+(?:to|for|of)|checklist|outline)\b"
    r"|清单|列表|要点|步骤|分步",
    re.IGNORECASE,
)
_TABLE = re.compile(
    r"\b(?:in|as|into)\s+(?:an?|the\s+following)\s+(?:\w+\s+){0,2}table\b"
    r"|\b(?:make|create|build|construct|draw|give|provide|produce|write|generate|show|return|design)\b[^.?!\n]{0,40}\btable\b|表格",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"\b(?:write|create|implement|give|show|provide|generate|code)\b[^.?!\n]{0,60}\b(?:python|javascript|java|c\+\+|c#|sql|html|css|bash|shell|regex|rust|go|php|ruby)?\s*"
    r"(?:function|program|script|code|query|class|regular\s+expression|algorithm\s+in)\b|(?:写|编写|实现)[^。？！\n]{0,30}(?:函数|程序|代码|脚本)",
    re.IGNORECASE,
)
_LETTER = re.compile(r"\b(?:write|draft|compose|create)\b[^.?!\n]{0,50}\b(?:e-?mail|letter)\b|写[^。？！\n]{0,20}(?:邮件|信)", re.IGNORECASE)
_POEM = re.compile(
    r"\b(?:write|compose|create|generate)\b[^.?!\n]{0,40}\b(?:poem|haiku|sonnet|limerick|song|lyrics|verse)\b|写[^。？！\n]{0,15}(?:诗|歌词)", re.IGNORECASE
)
_JSON = re.compile(
    r"\b(?:in|as|to|into|return|output|using|generate|create|write|valid)\s+(?:\w+\s+){0,2}json\b|\bjson\s+(?:object|array|format|output)|(?:用|以|成|为)\s*json",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"^[ \t]*(?:\**subject\**:|dear\b|hi\b|hello\b|hey\b|to\s+whom|good\s+(?:morning|afternoon|day)|尊敬的|亲爱的|您好|你好|主题)", re.IGNORECASE | re.MULTILINE
)
_CODE_MARK = re.compile(
    r"```|^[ \t]*(?:def |class |import |from \w+ import|function |const |let |var |SELECT |select |#include|public |<\w+[^>]*>|for .*:|\w+\s*=\s*\S)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class _Form:
    asked: Callable[[str], bool]
    given: Callable[[str], float]


def fulfilled(prompt: str, answer: str) -> float | None:
    """Share of the forms asked for by `prompt` that `answer` has, from 0 to 1; None where none is asked for."""
    shares = [form.given(answer) for form in _FORMS if form.asked(prompt)]
    if (items := _ITEMS.search(prompt)) is not None:
        shares.append(_met(next(filter(None, items.groups())), _items(answer)))
    if (length := _LENGTH.search(prompt)) is not None:
        number, unit = (group for group in length.groups() if group)
        shares.append(_met(number, _count(answer, unit.lower())))
    return sum(shares) / len(shares) if shares else None


def _met(number: str, found: int) -> float:
    # To a pattern that ignores case "ſix" and "fıve" are numbers too.
    wanted = int(number) if number.isdigit() else _NAMED[number.casefold().replace("ı", "i")]
    return float(abs(found - wanted) <= _TOLERANCE * wanted)


def _items(answer: str) -> int:
    """List items; where there are none, lines, or the parts of one line."""
    if found := len(LIST_ITEM.findall(answer)):
        return found
    lines = [line for line in answer.splitlines() if line.strip()]
    return len(lines) if len(lines) > 1 else max(len(sentences(answer)), len(re.split(r"[,，、;；]", answer)) if len(sentences(answer)) < 2 else 0)


def _count(answer: str, unit: str) -> int:
    if unit in ("word", "字"):
        return len(words(answer))
    if unit in ("sentence", "句话"):
        return len(sentences(answer))
    if unit == "line":
        return len([line for line in answer.splitlines() if line.strip()])
    return len([part for part in re.split(r"\n\s*\n", answer.strip()) if part.strip()])


def _verse(answer: str) -> float:
    lines = [line for line in answer.splitlines() if line.strip()]
    return float(len(lines) >= 3 and sum(len(words(line)) for line in lines) / len(lines) <= 14)


_FORMS = (
    _Form(lambda prompt: _LIST.search(prompt) is not None, lambda answer: float(len(LIST_ITEM.findall(answer)) > 1)),
    _Form(lambda prompt: _TABLE.search(prompt) is not None, lambda answer: float(answer.count("|") >= 6 or "<table" in answer)),
    _Form(lambda prompt: _CODE.search(prompt) is not None, lambda answer: float(_CODE_MARK.search(answer) is not None)),
    _Form(lambda prompt: _LETTER.search(prompt) is not None, lambda answer: float(_GREETING.search(answer) is not None)),
    _Form(lambda prompt: _POEM.search(prompt) is not None, _verse),
    _Form(lambda prompt: _JSON.search(prompt) is not None, lambda answer: float("{" in answer and "}" in answer)),
)
