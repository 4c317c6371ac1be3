"""How much of a text repeats itself: the shares of Gopher (Rae et al. 2021, table A1) and the counts of open-instruct.

Gopher's limits are for web pages. In answers of 60 words they flag what is asked for: of 50 Alpaca answers that each share rejected, 48 or more
only named their topic often, were code, or sang a chorus twice. So a share counts from 50 words on (`MIN_WORDS`, Gopher's lower limit of a
document), a top n-gram from twelve occurrences on and not where it is the prompt's own words, a doubled 10-gram only where most of the answer is
doubled, and code that stands without a fence is code. Loops, which the limits are there for, pass none of these: they repeat by the dozen.
The counts hold for every text. Invariant: every share is between 0 and 1.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import NamedTuple

from synth_assets.quality.words import join_words, ngrams, words

__all__ = [
    "DOUBLED",
    "MIN_10GRAM_OCCURRENCES",
    "MIN_TOP_OCCURRENCES",
    "MIN_WORDS",
    "Repeated",
    "duplicate_line_share",
    "duplicate_ngram_share",
    "is_verse",
    "repeated_blocks",
    "top_ngram_share",
    "without_code",
]

MIN_WORDS = 50
"""Words (characters in Chinese) from which the shares are measured: Gopher's lower limit of a document, and a short mathematical answer is below."""

MAX_PARAGRAPHS = 10
MAX_SENTENCES = 40
MAX_IN_A_ROW = 4
"""Occurrences at which open-instruct drops a text: of a paragraph, of a sentence, and of a sentence in a row."""

_MIN_SENTENCE_WORDS = 3
"""Shorter sentences ("No.", "x = 1") are not counted: open-instruct asks for 10 characters."""

MIN_TOP_OCCURRENCES = 12
"""Occurrences from which a top n-gram's share counts. Ours: with 3, 430 Alpaca answers were flagged, nearly all of them lists with a common frame
("How often do you ...?"), which ten items have ten times; the loops of falcon-7b and Qwen1.5-1.8B in AlpacaEval have 40 and more."""

MIN_10GRAM_OCCURRENCES = 3
"""Occurrences from which duplicate 10-grams count by themselves. A sentence that is said twice is emphasis or a conclusion."""

DOUBLED = 0.5
"""Share above which 10-grams that occur only twice count: the answer is written twice."""

_MIN_LINE_WORDS = 4
"""Words from which a repeated line counts: "- Very satisfied", "B. Physics" and "Chorus:" stand under every question of a form."""

_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_CODE_LINE = re.compile(
    r"""
    [ \t]*(?:
      </?[a-zA-Z][^<>\n]*>.*                                         # HTML and XML
    | .*[;{}\\][ \t]* | [)\]}]+[,;]?[ \t]*                           # C and its kin, JSON
    | (?:def|class|for|while|if|elif|with|try|except|else)\b.*:[ \t]*  # Python
    | (?:import|from|return|print|var|let|const|public|private|static|\#include|elif|printf?|echo)\b(?=.*[.;()=<>_]).*
    | [\w.\[\]()'", ]{1,60}[ ]?(?:[-+*/%|&^]|//|\*\*)?=(?!=)[ ]?\S.*     # assignment
    | "[\w $-]+"[ ]?:.* | [\w.]+\([^()\n]*\)[,;:]?[ \t]*               # an entry of JSON, a call
    | (?:\#|//|--)[ ].*                                              # a comment (or a heading, which is no text to repeat either)
    )
    """,
    re.VERBOSE,
)
_VERSE_ASKED = re.compile(
    r"\b(?:song|lyric|rap|chant|poem|verse|chorus|jingle|anthem|hymn|ballad|lullaby|nursery|rhyme|sing|haiku)s?\b|歌|诗|童谣", re.IGNORECASE
)
_CHORUS = re.compile(r"^\W*(?:(?:pre-?|post-?)?chorus|refrain|hook|副歌)\b", re.IGNORECASE | re.MULTILINE)
_PARAGRAPH_END = re.compile(r"\n\s*\n")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")


class Repeated(NamedTuple):
    """The most repeated block of a kind."""

    times: int
    block: str


def without_code(text: str) -> str:
    """`text` without its code, in which lines and runs of words repeat for good reasons: fenced, or lines that look like it where most do."""
    text = _FENCED.sub("\n", text)
    lines = text.split("\n")
    prose = [line for line in lines if not line.strip() or not _CODE_LINE.fullmatch(line)]
    # A line alone may look like code in any text; a program has more of them than of anything else.
    return "\n".join(prose) if len(lines) - len(prose) > len([line for line in prose if line.strip()]) else text


def is_verse(prompt: str, text: str) -> bool:
    """Whether a song or a poem was asked for, or `text` marks its choruses: it then repeats itself on purpose."""
    return _VERSE_ASKED.search(prompt) is not None or len(_CHORUS.findall(text)) > 1


def top_ngram_share(tokens: Sequence[str], n: int, least: int = MIN_TOP_OCCURRENCES, named: Collection[str] = ()) -> tuple[float, str]:
    """Share of the characters of all words that stand in the most frequent n-gram, and that n-gram.

    Of equally frequent n-grams the longest counts. n-grams of words that are all `named` (the prompt's) are the topic and do not count.
    Fewer than `least` occurrences are no repetition: 0.
    """
    counts = Counter(ngrams(tokens, n))
    frequent = [(count, sum(map(len, gram)), gram) for gram, count in counts.items() if count >= least and not all(word in named for word in gram)]
    if not frequent:
        return 0.0, ""
    count, length, top = max(frequent)
    # Occurrences may overlap ("ha ha ha" holds "ha ha" twice), hence the limit.
    return min(1.0, count * length / sum(map(len, tokens))), join_words(top)


def duplicate_ngram_share(tokens: Sequence[str], n: int, least: int = 2) -> tuple[float, str]:
    """Share of the characters of all words that stand in any n-gram that occurs `least` times or more, and the most frequent such n-gram.

    A character in two overlapping n-grams counts once (Rae et al. 2021, appendix A.1.1).
    """
    grams = list(ngrams(tokens, n))
    counts = Counter(grams)
    if len(counts) == len(grams) or max(counts.values()) < least:
        return 0.0, ""
    duplicated = 0
    covered_to = 0
    for start, gram in enumerate(grams):
        if counts[gram] >= least:
            duplicated += sum(map(len, tokens[max(start, covered_to) : start + n]))
            covered_to = start + n
    top = max(counts, key=lambda gram: counts[gram])
    return duplicated / sum(map(len, tokens)), join_words(top)


def duplicate_line_share(text: str) -> tuple[float, str]:
    """Share of the lines of `text` that repeat an earlier one of four words or more, and the most frequent such line.

    Lines without a letter or digit are no lines.
    """
    lines = [line for line in map(str.strip, text.splitlines()) if any(c.isalnum() for c in line)]
    counts = {line: count for line, count in Counter(lines).items() if count > 1 and len(words(line)) >= _MIN_LINE_WORDS}
    if not counts:
        return 0.0, ""
    return (sum(counts.values()) - len(counts)) / len(lines), max(counts, key=lambda line: counts[line])


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
