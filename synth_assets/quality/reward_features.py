"""What the embedded reward model looks at: measurable, readable properties of one answer to one prompt.

No feature is a judgement: each is a count, a share or a yes/no that a reader can verify in the text. Reasoning inside <think> is not looked at.
A feature that has no meaning for a row (relevance of a Chinese answer, coverage of a prompt without content words) is NaN, and then counts as
average. Invariant: a row's features depend on its own prompt and answer alone.
"""

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log1p, nan

import numpy as np
from numpy.typing import NDArray

from synth_assets.quality.asked_form import LIST_ITEM, fulfilled
from synth_assets.quality.embeddings import Embed
from synth_assets.quality.equations import check_equations, final_number, numbers
from synth_assets.quality.languages import is_about_languages
from synth_assets.quality.leaks import find_boilerplate, find_scaffold, split_thinking
from synth_assets.quality.refusals import find_refusal
from synth_assets.quality.repetition import duplicate_ngram_share
from synth_assets.quality.sentences import sentences
from synth_assets.quality.specifics import SPECIFIC
from synth_assets.quality.stop_words import stop_words
from synth_assets.quality.words import HAN, ngrams, words

__all__ = ["FEATURES", "FEATURE_SET", "RELEVANCE", "Feature", "Table", "features", "is_chinese"]

FEATURE_SET = 3
"""Raised whenever a feature is added, removed or measured in another way: weights of another set mean nothing here."""

Table = NDArray[np.float64]
"""Shape (answers, features), columns in the order of `FEATURES`, NaN where a feature has no meaning."""

LONGEST = 300
"""Words from which more length, and content words from which more content, count no further: long answers cannot win by length."""

COVERED = 0.4
"""Share of the prompt's content words from which more counts no further: a good answer need not repeat the question, and a restatement of it does."""

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
_HEADING = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+\S.*|\*\*[^*\n]{2,80}\*\*:?|[^\s.!?。！？\n][^.!?。！？\n]{0,60}[:：])[ \t]*$", re.MULTILINE)
_EMPHASIS = re.compile(r"\*\*[^*\n]{2,80}\*\*|`[^`\n]+`")


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
    chinese: bool
    """Whether the prompt is Chinese."""

    @classmethod
    def of(cls, prompt: str, response: str) -> "_Row":
        answer = split_thinking(response).answer.strip()
        return cls(prompt, answer, words(prompt), words(answer), is_chinese(prompt))

    @property
    def stops(self) -> frozenset[str]:
        return stop_words("zh" if self.chinese else "en")


@dataclass(frozen=True)
class Feature:
    """One column: what it means, and which way it may count."""

    name: str
    sign: int
    """1: more is never worse; -1: more is never better; 0: either. A model has no weight of the other sign."""
    meaning: str
    measure: Callable[[_Row], float] | None
    """None where embeddings are needed."""


def is_chinese(text: str) -> bool:
    """Whether more than three in ten words of `text` are Han characters."""
    tokens = words(text)
    return sum(1 for token in tokens if _HAN.match(token)) > 0.3 * len(tokens)


def features(prompts: Sequence[str], responses: Sequence[str], embed: Embed | None) -> Table:
    """Features of each response as an answer to the prompt at the same place.

    Args:
        prompts: What was asked, input included.
        responses: What was answered; a <think> block is left out.
        embed: The sentence embedder, asked only about rows whose prompt is not Chinese; None leaves the columns that need it NaN.
    """
    rows = [_Row.of(prompt, response) for prompt, response in zip(prompts, responses, strict=True)]
    columns = [[nan] * len(rows) if f.measure is None else [f.measure(row) for row in rows] for f in FEATURES]
    table = np.array(columns, np.float64).T.reshape(len(rows), len(FEATURES))
    known = [i for i, row in enumerate(rows) if not row.chinese]
    if embed is not None and known:
        vectors = embed([rows[i].prompt for i in known] + [rows[i].answer for i in known])
        cosines = np.einsum("ij,ij->i", vectors[: len(known)], vectors[len(known) :])
        table[known, RELEVANCE] = np.minimum(cosines, RELEVANT)
    return table


def _length(row: _Row) -> float:
    return min(log1p(len(row.told)), log1p(LONGEST))


def _content(row: _Row) -> float:
    new = set(row.told) - set(row.asked) - row.stops
    return min(log1p(len(new)), log1p(LONGEST))


def _coverage(row: _Row) -> float:
    content = set(row.asked) - row.stops
    return min(COVERED, len(content & set(row.told)) / len(content)) if content else nan


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
    return float(bool(row.told) and is_chinese(row.answer) != row.chinese and not is_about_languages(row.prompt))


def _lists(row: _Row) -> float:
    return min(log1p(len(LIST_ITEM.findall(row.answer))), log1p(10))


def _structure(row: _Row) -> float:
    paragraphs = len([part for part in re.split(r"\n\s*\n", row.answer) if part.strip()]) - 1
    marks = len(_HEADING.findall(row.answer)) + len(_EMPHASIS.findall(row.answer)) + row.answer.count("```") // 2
    return min(log1p(max(0, paragraphs) + marks), log1p(10))


def _specific(row: _Row) -> float:
    asked = {found.lower() for found in SPECIFIC.findall(row.prompt)}
    told = {found.lower() for found in SPECIFIC.findall(row.answer)}
    return min(log1p(len(told - asked)), log1p(20))


def _fulfils(row: _Row) -> float:
    share = fulfilled(row.prompt, row.answer)
    return nan if share is None else share


def _small_talk(row: _Row) -> float:
    pieces = sentences(row.answer)
    return sum(_SMALL_TALK.search(piece) is not None for piece in pieces) / len(pieces) if pieces else 0.0


def _false_sum(row: _Row) -> float:
    return float(check_equations(row.answer).false > 0)


def _unsupported_result(row: _Row) -> float:
    span = final_number(row.answer)
    if span is None:
        return 0.0
    earlier = numbers(row.answer[: span[0]])
    return float(bool(earlier) and not set(numbers(row.answer[slice(*span)])) & set(earlier))


FEATURES = (
    Feature("length", 1, f"logarithm of the number of words, constant from {LONGEST} words on", _length),
    Feature("content", 1, f"logarithm of the number of different content words that the prompt has not, constant from {LONGEST} on", _content),
    Feature("coverage", 1, f"share of the prompt's content words that the answer uses, constant from {COVERED} on", _coverage),
    Feature("echo", -1, "share of the answer's word 4-grams that stand in the prompt", _echo),
    Feature("unfinished", -1, "ends in the middle of a sentence, a list or a code block", _unfinished),
    Feature("late_start", -1, "begins in lower case or with a word that refers back", _late_start),
    Feature("repetition", -1, "share of the characters in word 4-grams that occur more than once", _repetition),
    Feature("compression", -1, "compression ratio above 2, at most 10", _compression),
    Feature("declines", -1, "opens with a refusal", _declines),
    Feature("scaffold", -1, "shows a chat template, a prompt's scaffold or canned phrases about the teacher's training", _scaffold),
    Feature("other_script", -1, "Chinese where the prompt is not, or the reverse, though the prompt is not about languages", _other_script),
    Feature("lists", 0, "logarithm of the number of list items, constant from 10 on", _lists),
    Feature("structure", 1, "logarithm of the number of paragraphs, headings, emphases and code blocks, constant from 10 on", _structure),
    Feature(
        "specific",
        1,
        "logarithm of the number of different figures, names, quotations and bits of code that the prompt has not, constant from 20 on",
        _specific,
    ),
    Feature("fulfils", 1, "share of the forms that the prompt asks for (a number of items, a length, a table, code, a letter) that the answer has", _fulfils),
    Feature("small_talk", -1, "share of the sentences that are phrases of politeness without content", _small_talk),
    Feature("false_sum", -1, "states a sum that is false", _false_sum),
    Feature("unsupported_result", -1, "the number on the answer line occurs nowhere before it", _unsupported_result),
    Feature("relevance", 1, f"cosine of the embeddings of prompt and answer, constant from {RELEVANT} on", None),
)
"""All columns, in order."""

RELEVANCE = next(i for i, f in enumerate(FEATURES) if f.measure is None)
"""Number of the column that needs embeddings."""
