"""What the embedded reward model looks at: measurable, readable properties of one answer to one prompt.

No feature is a judgement: each is a count, a share or a yes/no that a reader can verify in the text. Reasoning inside <think> is not looked at.
A feature that has no meaning for a row (an embedding of Chinese text, coverage of a prompt without content words) is NaN, and a model gives it
no weight there. Invariant: a row's features depend on its own prompt and answer alone.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import log1p, nan

import numpy as np
from numpy.typing import NDArray

from synth_assets.quality.corruptions import sentences
from synth_assets.quality.embeddings import Embed
from synth_assets.quality.equations import check_equations, final_number, numbers
from synth_assets.quality.leaks import find_boilerplate, find_scaffold, split_thinking
from synth_assets.quality.refusals import find_refusal
from synth_assets.quality.repetition import duplicate_ngram_share
from synth_assets.quality.stop_words import stop_words
from synth_assets.quality.words import HAN, ngrams, words

__all__ = ["FEATURES", "Features", "features", "is_chinese"]

Features = NDArray[np.float64]
"""Shape (answers, features), columns in the order of `FEATURES`, NaN where a feature has no meaning."""

LONGEST = 150
"""Words from which more length, and content words from which more content, count no further."""

RELEVANT = 0.7
"""Cosine of prompt and answer from which more counts no further: the nearest answer of all repeats the prompt."""

_HAN = re.compile(f"[{HAN}]")
_TERMINAL = re.compile(r"[.!?…。！？][\"'”’」』)\]）】*_`]*\Z")
_SIGNED_OFF = 5
"""Words of a last line that may stand without a full stop: a signature, a list item, a result."""
_LATE = re.compile(
    r"(?:and|but|or|so|then|however|therefore|thus|hence|also|otherwise|moreover|furthermore|instead|together|it|they|this|that|these|those|both|he|she)\b"
    r"|(?:但是|但|而且|因此|所以|然而|然后|不过|否则|此外|另外|它|它们|这|那|其)",
    re.IGNORECASE,
)
_SMALL_TALK = re.compile(
    r"\b(?:i\s+)?hope\s+(?:this|that|it)\s+helps|let\s+me\s+know\s+if|feel\s+free\s+to|happy\s+to\s+(?:help|answer|assist)|(?:great|good|excellent)\s+question"
    r"|thank(?:s|\s+you)\s+for\s+(?:asking|your\s+question)|^(?:sure|certainly|of\s+course|absolutely)\b[,.!]|important\s+to\s+(?:remember|note)"
    r"|^(?:in\s+conclusion|overall|to\s+sum\s+up)\b|as\s+you\s+can\s+see"
    r"|希望.{0,8}帮助|随时.{0,6}(?:告诉|提问|联系)|很(?:乐意|高兴)|很?好的问题|感谢.{0,4}提问|^(?:好的|当然)[，,！!。]|需要(?:记住|注意)的是|^(?:总而言之|总之|综上)",
    re.IGNORECASE,
)
_LIST_ITEM = re.compile(r"^[ \t]*(?:[-*•]|\d{1,3}[.)、])[ \t]*\S", re.MULTILINE)


@dataclass(frozen=True)
class _Row:
    """One answer, with what several features need."""

    prompt: str
    answer: str
    """Without its reasoning."""
    asked: list[str]
    """Words of the prompt."""
    told: list[str]
    """Words of the answer."""
    stops: frozenset[str]


def is_chinese(text: str) -> bool:
    """Whether at least three in ten words of `text` are Han characters."""
    tokens = words(text)
    return sum(1 for token in tokens if _HAN.match(token)) > 0.3 * len(tokens)


def features(prompts: Sequence[str], responses: Sequence[str], embed: Embed | None) -> Features:
    """Features of each response as an answer to the prompt at the same place.

    Args:
        prompts: What was asked, input included.
        responses: What was answered; a <think> block is left out.
        embed: The sentence embedder; None leaves the columns that need it NaN. It is asked only about rows whose prompt is not Chinese.
    """
    rows = [_row(prompt, response) for prompt, response in zip(prompts, responses, strict=True)]
    table = np.full((len(rows), len(FEATURES)), nan)
    for column, feature in enumerate(_TEXT_FEATURES.values()):
        table[:, column] = [feature(row) for row in rows]
    embeddable = [i for i, row in enumerate(rows) if not is_chinese(row.prompt)]
    if embed is not None and embeddable:
        vectors = embed([rows[i].prompt for i in embeddable] + [rows[i].answer for i in embeddable]).astype(np.float64)
        cosines = (vectors[: len(embeddable)] * vectors[len(embeddable) :]).sum(axis=1)
        table[embeddable, FEATURES.index("relevance")] = np.minimum(cosines, RELEVANT)
    return table


def _row(prompt: str, response: str) -> _Row:
    answer = split_thinking(response).answer.strip()
    return _Row(prompt, answer, words(prompt), words(answer), stop_words("zh" if is_chinese(prompt) else "en"))


def _length(row: _Row) -> float:
    return min(log1p(len(row.told)), log1p(LONGEST))


def _content(row: _Row) -> float:
    new = set(row.told) - set(row.asked) - row.stops
    return min(log1p(len(new)), log1p(LONGEST))


def _coverage(row: _Row) -> float:
    content = set(row.asked) - row.stops
    return len(content & set(row.told)) / len(content) if content else nan


def _echo(row: _Row) -> float:
    grams = list(ngrams(row.told, 4))
    asked = set(ngrams(row.asked, 4))
    return sum(gram in asked for gram in grams) / len(grams) if grams else 0.0


def _unfinished(row: _Row) -> float:
    if not row.answer or row.answer.count("```") % 2 or row.answer[-1] in ",:;，：；、(（":
        return 1.0
    last = row.answer.splitlines()[-1].strip()
    if _TERMINAL.search(last) or last.endswith("```") or last[-1].isdigit():
        return 0.0
    return float("\n" not in row.answer or len(words(last)) > _SIGNED_OFF)


def _late_start(row: _Row) -> float:
    return float(row.answer[:1].islower() or _LATE.match(row.answer) is not None)


def _repetition(row: _Row) -> float:
    return duplicate_ngram_share(row.told, 4)[0]


def _compression(row: _Row) -> float:
    raw = row.answer.encode("utf-8", "surrogatepass")
    return min(10.0, max(0.0, len(raw) / len(zlib.compress(raw, 9)) - 2.0))


def _declines(row: _Row) -> float:
    return float(find_refusal(row.prompt, row.answer) is not None)


def _scaffold(row: _Row) -> float:
    return float(find_scaffold(row.answer) is not None or find_boilerplate(row.answer) is not None)


def _other_script(row: _Row) -> float:
    return float(bool(row.told) and is_chinese(row.answer) != is_chinese(row.prompt))


def _lists(row: _Row) -> float:
    return min(log1p(len(_LIST_ITEM.findall(row.answer))), log1p(10))


def _small_talk(row: _Row) -> float:
    pieces = sentences(row.answer)
    return sum(_SMALL_TALK.search(piece) is not None for piece in pieces) / len(pieces) if pieces else 0.0


def _false_equation(row: _Row) -> float:
    return float(check_equations(row.answer).false > 0)


def _unsupported_answer(row: _Row) -> float:
    span = final_number(row.answer)
    if span is None:
        return 0.0
    final = numbers(row.answer[span[0] : span[1]])
    earlier = numbers(row.answer[: span[0]])
    return float(bool(earlier) and not set(final) & set(earlier))


_TEXT_FEATURES = {
    "length": _length,
    "content": _content,
    "coverage": _coverage,
    "echo": _echo,
    "unfinished": _unfinished,
    "late_start": _late_start,
    "repetition": _repetition,
    "compression": _compression,
    "declines": _declines,
    "scaffold": _scaffold,
    "other_script": _other_script,
    "lists": _lists,
    "small_talk": _small_talk,
    "false_equation": _false_equation,
    "unsupported_answer": _unsupported_answer,
}
FEATURES = (*_TEXT_FEATURES, "relevance")
