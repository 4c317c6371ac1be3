"""Sums that a text states, checked: "4.60 + 2.30 = 7.90" is false whatever the question was.

Only chains of plain numbers with + - × ÷ that stand alone are read ("25 × 16 = 25 × 4 × 4 = 400"); what touches a variable, a power, a bracket
or a unit is left out. Measured on the solutions of GSM8K's test set: of 3,105 sums read two are called false, and both are wrong as written.
Invariant: a statement that cannot be read in full is not counted, neither as true nor as false.
"""

import re
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from synth_assets.quality.words import HAN

__all__ = ["Equations", "check_equations", "final_number", "numbers"]

_NUMBER = r"(?:[$€£¥￥] ?)?(?!0\d)(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,12})?"
_OPERATOR = r"[ \t]*[-+−–×*·/÷][ \t]*|[ \t]+x[ \t]+"
_SIDE = rf"{_NUMBER}(?:(?:{_OPERATOR}){_NUMBER}){{0,20}}"
_CHAIN = re.compile(rf"{_SIDE}(?:[ \t]*=[ \t]*{_SIDE})+")
_PIECE = re.compile(rf"(?P<number>{_NUMBER})|(?P<operator>{_OPERATOR})")

# What makes the first or last number of a chain part of something larger: 3x + 2 = 5, 2^3 = 8, 1 1/2, 17 ÷ 5 = 3 remainder 2.
_BEFORE = re.compile(rf"(?:[^\W{HAN}]|[.,:)\]}}√%°]|[-+−–×*·/÷^=≈<>(]\s*|[\d)x][ \t]+|\b(?:of|times|plus|minus|by)\s+)\Z")
_AFTER = re.compile(
    rf"\A(?:[^\W{HAN}]|[\^%°²³(!]|[.,]\d|[ \t]+\d|\s*[-+−–×*·/÷^=≈(]\s*[\w(]|\s*(?:r|rem|remainder|rest|with|and\s+a|余)\b|\s*余)", re.IGNORECASE
)
_BULLET = re.compile(r"(?:\A|\n)[ \t]*[-*+•][ \t]+\Z")

_PLAIN_NUMBER = re.compile(r"(?<![\w.])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_ANSWER_LINE = re.compile(r"^\W*(?:(?:the\s+)?(?:final\s+)?answer(?:\s+is)?|(?:最终)?答案)\s*[:：]?(?P<answer>.*\d.*)$", re.IGNORECASE | re.MULTILINE)


class Equations(NamedTuple):
    """How many statements of a text were read, how many of these are false, and the first of the false ones."""

    read: int
    false: int
    first_false: str


def check_equations(text: str) -> Equations:
    """Count the sums stated in `text`.

    A result may be rounded: it is false if it is off by one or more in its last decimal.
    """
    read = 0
    false: list[str] = []
    for match in _CHAIN.finditer(text):
        before, after = text[max(0, match.start() - 40) : match.start()], text[match.end() : match.end() + 20]
        if (_BEFORE.search(before) and not _BULLET.search(before)) or _AFTER.search(after):
            continue
        sides = [_value(side) for side in match.group().split("=")]
        if all(side.operators == 0 for side in sides):
            continue
        read += 1
        if any(a.value != b.value and abs(a.value - b.value) >= _slack(a, b) for a, b in pairwise(sides)):
            false.append(match.group())
    return Equations(read, len(false), false[0] if false else "")


def numbers(text: str) -> list[str]:
    """The numbers of `text` in order, without thousands separators and trailing zeros after the point."""
    return [_plain(number) for number in _PLAIN_NUMBER.findall(text)]


def final_number(text: str) -> tuple[int, int] | None:
    """Where the last number of the last "Answer:" line stands in `text`; None without such a line."""
    lines = list(_ANSWER_LINE.finditer(text))
    if not lines:
        return None
    *_, last = _PLAIN_NUMBER.finditer(text, lines[-1].start("answer"), lines[-1].end()) or [None]
    return last.span() if last else None


class _Side(NamedTuple):
    value: Fraction
    operators: int
    decimals: int
    divides: bool


def _value(side: str) -> _Side:
    """Multiplication and division first, then from left to right."""
    terms: list[Fraction] = []
    operator, operators, decimals, divides = "+", 0, 0, False
    for piece in _PIECE.finditer(side):
        if piece["operator"]:
            operator = piece["operator"].strip()
            operators += 1
            continue
        digits = re.sub(r"[^\d.]", "", piece["number"])
        decimals = max(decimals, len(digits.partition(".")[2]))
        number = Fraction(digits)
        if operator in "×*·x":
            terms[-1] *= number
        elif operator in "/÷":
            if not number:
                return _Side(Fraction(0), 0, 0, False)
            terms[-1] /= number
            divides = True
        else:
            terms.append(number if operator == "+" else -number)
    return _Side(sum(terms, Fraction(0)), operators, decimals, divides)


def _slack(a: _Side, b: _Side) -> Fraction:
    if a.operators and b.operators:
        decimals = max(a.decimals, b.decimals)
        return Fraction(1, 10**decimals) if (a.divides or b.divides) and decimals else Fraction(0)
    computed, stated = (a, b) if a.operators else (b, a)
    rounded = computed.divides or computed.decimals > stated.decimals
    return Fraction(1, 10**stated.decimals) if rounded else Fraction(0)


def _plain(number: str) -> str:
    number = number.replace(",", "")
    return number.rstrip("0").rstrip(".") if "." in number else number
