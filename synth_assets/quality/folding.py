"""How benchmark items and rows are made comparable: what a copy changes first is folded away on both sides.

Letter case, punctuation, white space and the forms that NFKC unites; invisible characters inside words; Cyrillic and Greek letters that look like
Latin ones. `masked_words` also replaces numbers and names, so that a problem with other figures and another hero is still found.
Invariant: folding only has to treat both sides alike; that it spoils Russian or Greek as text does not matter.
"""

import re

from synth_assets.quality.stop_words import stop_words
from synth_assets.quality.words import normalised, words

__all__ = ["NAME", "NUMBER", "folded_words", "masked_words"]

NUMBER, NAME = "<number>", "<name>"
"""What stands for a number and for a name among masked words; no word contains "<"."""

_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")

_LOOK_ALIKES = str.maketrans(
    "АВЕЅІЈКМНОРСТУХавеѕіјкмнорстухӏһԁԛԝ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαεικνορτυχ" + "ıɑɡ",
    "ABESIJKMHOPCTYXabesijkmhopctyxlhdqw" + "ABEZHIKMNOPTYXaeikvoptux" + "iag",
)
"""Cyrillic, Greek and IPA letters by the Latin letter that they pass for. Small Cyrillic letters follow their capitals (в as В, B), so that
folding does not depend on case."""

_ENGLISH_NUMBERS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty
    thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion dozen
"""
_NUMBER_WORDS = frozenset(_ENGLISH_NUMBERS.split()) | frozenset("零〇一二三四五六七八九十百千万亿两")
_STOP_WORDS = stop_words("en")


def folded_words(text: str) -> list[str]:
    """Words of `text`, lower-cased, without disguises."""
    return words(_folded(text))


def masked_words(text: str) -> list[str]:
    """As `folded_words`, with every run of numbers as `NUMBER` and every run of names as `NAME`.

    A number is a word with a digit or a number word; a name is a word with one capital at its start that is no stop word. The first word of a
    sentence may so be taken for a name, on both sides alike. Chinese names have no such mark and stay.
    """
    masked: list[str] = []
    for word in words(_folded(text), keep_case=True):
        lowered = word.lower()
        if lowered in _NUMBER_WORDS or any(c.isdigit() for c in word):
            word = NUMBER
        elif word.istitle() and len(word) > 1 and lowered not in _STOP_WORDS:
            word = NAME
        else:
            word = lowered
        # "1,250.50", "twenty five" and "John Smith" are one each: formats of numbers and lengths of names change with them.
        if not (masked and word == masked[-1] and word in (NUMBER, NAME)):
            masked.append(word)
    return masked


def _folded(text: str) -> str:
    if text.isascii():
        return text
    return _INVISIBLE.sub("", normalised(text)).translate(_LOOK_ALIKES)
