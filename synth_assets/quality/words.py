"""The one tokenizer of all gates: what a word is decides every length, n-gram and similarity.

Text is NFKC-normalised and lower-cased. A run of letters and digits is a word, as in rouge_score, but letters of every script count and
not only a-z; each Han character is a word of its own, because Chinese is written without spaces. Underscores, punctuation and symbols
separate words. Invariant: on ASCII text the words are exactly those of rouge_score without its stemmer.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise

__all__ = ["HAN", "count_words", "is_han", "is_signs", "join_words", "ngrams", "normalised", "words"]

HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
"""Han characters as the inside of a regular expression's character class."""

_ASCII_WORD = re.compile(r"[a-zA-Z0-9]+")
_WORD = re.compile(rf"[{HAN}]|[^\W_{HAN}]+")
_STROKE, _DOT = re.compile(r"[-–—−_/\\]"), re.compile(r"[.:;·•]")
_HAN_CHARACTER = re.compile(f"[{HAN}]")
# Marks that NFKC could not compose with their letter, such as the dot of a lower-cased Turkish capital I, would split a word in two.
_LOOSE_MARKS = re.compile("[\u0300-\u036f]+")


def normalised(text: str) -> str:
    """`text` in NFKC, without marks that belong to no letter; its case is kept."""
    if text.isascii():
        return text
    return _LOOSE_MARKS.sub("", unicodedata.normalize("NFKC", text))


def words(text: str, *, keep_case: bool = False) -> list[str]:
    """Words of `text` in order; `keep_case` leaves capitals as they are (names are found by them)."""
    if text.isascii():
        return _ASCII_WORD.findall(text if keep_case else text.lower())
    text = normalised(text)
    return _WORD.findall(text if keep_case else _LOOSE_MARKS.sub("", text.lower()))


def count_words(text: str, language: str) -> int:
    """Words as a reader of `language` (a BCP 47 tag) counts them, for limits of length.

    Readers of Chinese count characters, with each run of Latin letters or digits as one. Other readers count what stands between
    spaces, so that "don't" is one word; a lone dash or bullet is none.
    """
    if language.split("-")[0] == "zh":
        return len(words(text))
    chunks = text.split()
    # Most are letters alone, or begin with one.
    return sum(chunk[0].isalnum() or any(map(str.isalnum, chunk)) for chunk in chunks)


def is_signs(text: str) -> bool:
    """Whether a text without words still says something: emoji and other symbols, Morse code, an emoticon; an ellipsis does not."""
    return any(unicodedata.category(c).startswith("S") for c in text) or (_STROKE.search(text) is not None and _DOT.search(text) is not None)


def ngrams(tokens: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    """All runs of `n` tokens, in order, repetitions included; none where there are fewer than `n` tokens."""
    return zip(*(tokens[i:] for i in range(n)), strict=False)


def is_han(token: str) -> bool:
    """Whether a word is a Han character."""
    return len(token) == 1 and _HAN_CHARACTER.match(token) is not None


def join_words(tokens: Sequence[str]) -> str:
    """Words as readable text: a space between two words, none between two Han characters."""
    text = " ".join(tokens)
    if text.isascii():
        return text
    pieces = list(tokens[:1])
    for previous, token in pairwise(tokens):
        pieces.append(token if is_han(previous) and is_han(token) else f" {token}")
    return "".join(pieces)
