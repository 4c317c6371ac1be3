"""How benchmark items and rows are made comparable: what a copy changes first is folded away on both sides.

Letter case, punctuation, white space, accents and the forms that NFKC unites; invisible characters inside words; letters of other scripts that look
like Latin ones. `masked_words` also replaces numbers, spelled out or not, and names, so that a problem with other figures and another hero is still found.
Invariant: folding only has to treat both sides alike; that it spoils Russian or Greek as text does not matter. `folded` leaves a text whose
lower case is that of its characters one by one, so that a kernel over bytes sees the same words.
"""

import re
import unicodedata

from synth_assets.quality.stop_words import stop_words
from synth_assets.quality.words import normalised, words

__all__ = ["JOINERS", "NAME", "NUMBER", "NUMBER_WORDS", "SIGNS", "STOP_WORDS", "UNITS", "folded", "folded_words", "masked_words"]

NUMBER, NAME = "<number>", "<name>"
"""What stands for a number and for a name among masked words; no word contains "<"."""

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_MARKS = re.compile("[\u0300-\u036f]")

_LOOK_ALIKES = str.maketrans(
    "АВЕЅІЈКМНОРСТУХавеѕіјкмнорстухӏһԁԛԝѵүгпԍΑΒΕΖΗΙΚΜΝΟΡΤΥΧαεικνορτυχηωոսօհցզյᎪᏴᏟᎠᎬᏀᎻᎫᏦᏞᎷᏢᏒᏚᎢᏙᏔᏃᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢıɑɡɩʋøłđħØŁĐĦİςΣ",
    "ABESIJKMHOPCTYXabesijkmhopctyxlhdqwvyrngABEZHIKMNOPTYXaeikvoptuxnwnuohgqjABCDEGHJKLMPRSTVWZabcdefghijklmnoprstuvwyziagivoldhOLDHIσσ",
)
"""Letters of other scripts by the Latin letter that they pass for: Cyrillic, Greek, Armenian, Cherokee, small capitals, letters with a stroke. Small
Cyrillic letters follow their capitals (в as В, B), so that folding does not depend on case; nor do the dotted I and sigma, whose lower case
depends on what stands around them."""

_LOOK_ALIKE = re.compile(f"[{''.join(map(chr, _LOOK_ALIKES))}]")
_CALM = re.compile("[\\x00-\x7f‘’“”–—•°£€一-\u9fff、。]*")
"""Texts in which there is nothing to fold."""

_ENGLISH_NUMBERS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty
    thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion dozen hundreds thousands millions billions dozens
    first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth
    eighteenth nineteenth twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth hundredth thousandth millionth
    half halves thirds quarter quarters fourths fifths sixths sevenths eighths ninths tenths twentieths hundredths thousandths
"""
NUMBER_WORDS = frozenset(_ENGLISH_NUMBERS.split()) | frozenset("零〇一二三四五六七八九十百千万亿两")
JOINERS = frozenset({"and", "point"})
"""What may stand inside a number that is spelled out: "a hundred and five", "three point five"."""
SIGNS = frozenset({"minus", "negative"})
"""What a sign before figures is called."""
UNITS = frozenset({"dollar", "dollars", "cent", "cents", "euro", "euros", "percent"})
"""What a symbol beside figures is called: "$5" is "five dollars"."""
STOP_WORDS = stop_words("en")


def folded(text: str) -> str:
    """`text` without disguises and accents, its case kept."""
    if text.isascii() or _CALM.fullmatch(text):
        return text
    # The lunate sigma passes for a c, and would be made a plain one.
    text = unicodedata.normalize("NFKD", text.replace("ϲ", "c").replace("Ϲ", "C"))
    text = _INVISIBLE.sub("", _MARKS.sub("", text))
    # Most texts have none, and a search is ten times as fast as a translation.
    return normalised(text.translate(_LOOK_ALIKES) if _LOOK_ALIKE.search(text) else text)


def folded_words(text: str) -> list[str]:
    """Words of `text`, lower-cased, without disguises."""
    return words(folded(text))


def masked_words(text: str) -> list[str]:
    """As `folded_words`, with every run of numbers as `NUMBER` and every run of names as `NAME`.

    A number is a word with a digit or a number word; a name is a word that begins with a capital, is not all capitals, and is no stop word. The
    first word of a sentence may so be taken for a name, on both sides alike. Chinese names have no such mark and stay.
    """
    masked: list[str] = []
    for word in words(folded(text), keep_case=True):
        lowered = word.lower()
        last = masked[-1] if masked else ""
        if lowered in NUMBER_WORDS or (not word.isalpha() and any(c.isdigit() for c in word)):
            # "1,250.50", "twenty five" and "minus one hundred and five" are one number each: its words are as many as its format wants.
            if last in SIGNS or (last in JOINERS and masked[-2:-1] == [NUMBER]):
                masked.pop()
            if masked[-1:] != [NUMBER]:
                masked.append(NUMBER)
        elif word[0].isupper() and (len(word) == 1 or any(c.islower() for c in word)) and lowered not in STOP_WORDS:
            # "John Smith" and "J. McDonald" are one name each.
            if last != NAME:
                masked.append(NAME)
        elif not (lowered in UNITS and last == NUMBER) and not (lowered == "s" and last == NAME):
            masked.append(lowered)
    return masked
