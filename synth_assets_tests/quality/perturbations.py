"""Copies of benchmark items, changed in the ways that real contamination is: what decontamination must see through.

Every generator takes an item's text and a seeded source of chance, and returns prompt and response of a row, or None where the item gives nothing to
change. They are ours and know nothing of how the gate folds texts. Invariant: the same seed makes the same copies.
"""

import random
import re
import unicodedata
from collections.abc import Callable

__all__ = ["FILLERS", "KINDS", "spelled_out"]

Copy = tuple[str, str] | None
Generator = Callable[[str, random.Random], Copy]

FILLERS = (
    "Here is something that I have been working on this week, and I would like a second opinion before I hand it in.",
    "My neighbour keeps telling me that none of this matters, but I still want to understand it properly.",
    "Thank you for your patience. Please answer in full sentences and do not leave out any of the steps.",
    "The weather has been dreadful, so we stayed indoors and looked through a few old magazines instead.",
    "Let me know when you are done, and I will send the rest of the material tomorrow morning.",
)
"""Texts to stand around an item."""

_LOOK_ALIKES = str.maketrans({"a": "а", "c": "ϲ", "e": "е", "i": "і", "o": "ο", "p": "р", "s": "ѕ", "x": "х", "y": "у", "h": "һ", "T": "Т", "H": "Η", "M": "М"})
_BOLD = str.maketrans({chr(65 + i): chr(0x1D400 + i) for i in range(26)} | {chr(97 + i): chr(0x1D41A + i) for i in range(26)})
_ACCENTS = str.maketrans("aeiou", "áèîöů")

_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))

_NAMES = ("Zanele", "Ignacio", "Rukmini", "Björn", "Tallulah", "Okonkwo", "Mei-Ling", "O'Hara", "McAllister", "Yevgenia")
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]{2,}\b")
"""A capitalised word inside a sentence."""


def spelled_out(number: str) -> str:
    """A number in figures as English words: "1,205.5" as "one thousand two hundred and five point five"."""
    whole, _, fraction = number.replace(",", "").partition(".")
    text = _integer(int(whole or 0))
    return f"{text} point {' '.join(_UNITS[int(digit)] for digit in fraction)}" if fraction else text


def _integer(n: int) -> str:
    if n < 20:
        return _UNITS[n]
    if n < 100:
        return _TENS[n // 10 - 2] + (f"-{_UNITS[n % 10]}" if n % 10 else "")
    size, name = next(scale for scale in _SCALES if n >= scale[0])
    rest = n % size
    joint = " and " if 0 < rest < 100 else " "
    return f"{_integer(n // size)} {name}" + (f"{joint}{_integer(rest)}" if rest else "")


_FIGURES = re.compile(r"(?<![\w.])\d[\d,]{0,8}(?:\.\d{1,4})?(?![\w.]*\w)")


def _verbatim(text: str, source: random.Random) -> Copy:
    return text, ""


def _as_answer(text: str, source: random.Random) -> Copy:
    return source.choice(FILLERS), text


def _case(text: str, source: random.Random) -> Copy:
    return source.choice((str.upper, str.lower, str.title, str.swapcase))(text), ""


def _punctuation(text: str, source: random.Random) -> Copy:
    if source.random() < 0.5:
        return re.sub(r"[^\w\s]", " ", text), ""
    return re.sub(r"(?<=\w)(?=\s)", lambda _: source.choice((",", " --", "…", ";", "")), text) + "!!", ""


def _white_space(text: str, source: random.Random) -> Copy:
    return re.sub(r"\s+", lambda _: source.choice(("\n\n", "\t", "   ", "\u00a0", "\u3000", "\u2009", "\r\n")), f" {text} "), ""


def _look_alikes(text: str, source: random.Random) -> Copy:
    kind = source.randrange(5)
    if kind == 0:
        return text.translate(_LOOK_ALIKES), ""
    if kind == 1:
        return text.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)}), ""
    if kind == 2:
        return text.translate(_BOLD), ""
    if kind == 3:
        return unicodedata.normalize("NFD", text.translate(_ACCENTS)), ""
    return "".join(c + source.choice(("", "", "\u200b", "\u200d", "\u2060", "\u00ad")) if c.isalnum() else c for c in text), ""


def _embedded(text: str, source: random.Random) -> Copy:
    before, after, elsewhere = source.sample(FILLERS, 3)
    row = f"{before} {text}\n{after}"
    return (row, elsewhere) if source.random() < 0.5 else (elsewhere, row)


def _split(text: str, source: random.Random) -> Copy:
    tokens = text.split()
    if len(tokens) < 2:
        return None
    cut = source.randint(1, len(tokens) - 1)
    return " ".join(tokens[:cut]), " ".join(tokens[cut:])


def _numbers_spelled(text: str, source: random.Random) -> Copy:
    changed = _FIGURES.sub(lambda m: spelled_out(m.group()), text)
    return (changed, "") if changed != text else None


def _numbers_changed(text: str, source: random.Random) -> Copy:
    changed = re.sub(r"\d+", lambda m: str(int(m.group()[:9]) * source.randint(2, 9) + source.randint(1, 50)), text)
    return (changed, "") if changed != text else None


def _names_changed(text: str, source: random.Random) -> Copy:
    names: dict[str, str] = {}
    # One name may also begin a sentence; it is the same person there.
    for name in _NAME.findall(text):
        names.setdefault(name, source.choice(_NAMES))
    changed = re.sub(r"\b[A-Z][a-z]{2,}\b", lambda m: names.get(m.group(), m.group()), text)
    return (changed, "") if changed != text else None


def _both_changed(text: str, source: random.Random) -> Copy:
    names = _names_changed(text, source)
    return _numbers_changed(names[0], source) if names else None


def _first_half(text: str, source: random.Random) -> Copy:
    tokens = text.split()
    return (" ".join(tokens[: (len(tokens) + 1) // 2]), "") if len(tokens) >= 26 else None


KINDS: dict[str, tuple[Generator, float]] = {
    "verbatim": (_verbatim, 1.0),
    "as the answer": (_as_answer, 1.0),
    "case": (_case, 1.0),
    "punctuation": (_punctuation, 1.0),
    "white space": (_white_space, 1.0),
    "Unicode look-alikes": (_look_alikes, 1.0),
    "embedded in longer text": (_embedded, 1.0),
    "split over prompt and answer": (_split, 1.0),
    "numbers spelled out": (_numbers_spelled, 0.95),
    "numbers changed": (_numbers_changed, 0.95),
    "names changed": (_names_changed, 0.95),
    "numbers and names changed": (_both_changed, 0.95),
    "first half of 26 words or more": (_first_half, 0.95),
}
"""Generators by name, each with the share of its copies that must be found."""
