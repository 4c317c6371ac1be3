"""How much of a text repeats itself: the shares of Gopher (Rae et al. 2021, table A1) and the counts of open-instruct.

The shares only mean something in a text of some length: in "the cat and the dog" one word 2-gram is a large part of everything. Gopher keeps
documents of 50 words and more before it measures repetition, and so do the rules here (`MIN_WORDS`); the counts hold for every text.
Invariant: every share is between 0 and 1.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from synth_assets.quality.words import join_words, ngrams, words

__all__ = ["MIN_WORDS", "Repeated", "duplicate_line_share", "duplicate_ngram_share", "repeated_blocks", "top_ngram_share", "without_code"]

MIN_WORDS = 50
"""Words (characters in Chinese) from which the shares are measured: Gopher's lower limit of a document, and a short mathematical answer is below."""

MAX_PARAGRAPHS = 10
MAX_SENTENCES = 40
MAX_IN_A_ROW = 4
"""Occurrences at which open-instruct drops a text: of a paragraph, of a sentence, and of a sentence in a row."""

_MIN_SENTENCE_WORDS = 3
"""Shorter sentences ("No.", "x = 1") are not counted: open-instruct asks for 10 characters."""

_MIN_OCCURRENCES = 3
"""Occurrences from which an n-gram's share counts (see `top_ngram_share`)."""

_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_PARAGRAPH_END = re.compile(r"\n\s*\n")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")


class Repeated(NamedTuple):
    """The most repeated block of a kind."""

    times: int
    block: str


def without_code(text: str) -> str:
    """`text` without its fenced code, in which lines and runs of words repeat for good reasons."""
    return _FENCED.sub("\n", text)


def top_ngram_share(tokens: Sequence[str], n: int) -> tuple[float, str]:
    """Share of the characters of all words that stand in the most frequent n-gram, and that n-gram.

    Of equally frequent n-grams the longest counts. Fewer than three occurrences are no repetition: 0. Gopher's web pages are long enough not to
    need this limit; in an answer of 50 words, naming "the greatest common divisor" twice would pass the published 0.16.
    """
    counts = Counter(ngrams(tokens, n))
    if not counts:
        return 0.0, ""
    count, length, top = max((count, sum(map(len, gram)), gram) for gram, count in counts.items())
    if count < _MIN_OCCURRENCES:
        return 0.0, ""
    # Occurrences may overlap ("ha ha ha" holds "ha ha" twice), hence the limit.
    return min(1.0, count * length / sum(map(len, tokens))), join_words(top)


def duplicate_ngram_share(tokens: Sequence[str], n: int) -> tuple[float, str]:
    """Share of the characters of all words that stand in any n-gram that occurs more than once, and the most frequent such n-gram.

    A character in two overlapping n-grams counts once (Rae et al. 2021, appendix A.1.1).
    """
    grams = list(ngrams(tokens, n))
    counts = Counter(grams)
    if len(counts) == len(grams):
        return 0.0, ""
    duplicated = 0
    covered_to = 0
    for start, gram in enumerate(grams):
        if counts[gram] > 1:
            duplicated += sum(map(len, tokens[max(start, covered_to) : start + n]))
            covered_to = start + n
    top = max(counts, key=lambda gram: counts[gram])
    return duplicated / sum(map(len, tokens)), join_words(top)


def duplicate_line_share(text: str) -> tuple[float, str]:
    """Share of the lines of `text` that repeat an earlier one, and the most frequent line. Lines without a letter or digit do not count."""
    lines = [line for line in map(str.strip, text.splitlines()) if any(c.isalnum() for c in line)]
    if not lines:
        return 0.0, ""
    counts = Counter(lines)
    if len(counts) == len(lines):
        return 0.0, ""
    return (len(lines) - len(counts)) / len(lines), max(counts, key=lambda line: counts[line])


def repeated_blocks(text: str) -> dict[str, Repeated]:
    """Blocks that reach open-instruct's limits, by kind: `paragraphs` (10), `sentences` (40), `in_a_row` (4 equal sentences on end).

    Blocks are compared as words, so that numbering and punctuation do not tell them apart, and count from three words on.
    """
    paragraphs = _blocks(_PARAGRAPH_END.split(text))
    sentences = _blocks(_SENTENCE_END.split(text))
    runs = [(sum(1 for _ in run), sentence) for sentence, run in groupby(sentences)]
    found: dict[str, Repeated] = {}
    for kind, counts, limit in (
        ("paragraphs", [(count, block) for block, count in Counter(paragraphs).items()], MAX_PARAGRAPHS),
        ("sentences", [(count, block) for block, count in Counter(sentences).items()], MAX_SENTENCES),
        ("in_a_row", runs, MAX_IN_A_ROW),
    ):
        count, block = max(counts, key=lambda pair: pair[0], default=(0, ()))
        if count >= limit:
            found[kind] = Repeated(count, join_words(block))
    return found


def _blocks(pieces: Sequence[str]) -> list[tuple[str, ...]]:
    return [block for block in (tuple(words(piece)) for piece in pieces) if len(block) >= _MIN_SENTENCE_WORDS]
