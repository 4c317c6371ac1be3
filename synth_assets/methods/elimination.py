"""The four elimination rules of Evol-Instruct (arXiv 2304.12244, section 3.2), each under its own name, and one of ours.

Rule 1 (no information gained) is partly a matter of fact, decided here, and partly of judgement, asked of the teacher. Rules 2
and 3 look at the answer to the evolved instruction, rule 4 at its text. Ours is that an evolution of what asks for something still does: a small
teacher likes to answer the instruction instead (5 of 9 evolutions of one run of the embedded one, which all four rules let pass).
"""

import re

from synth_assets.methods.candidates import bare, folded
from synth_assets.prompts import load
from synth_assets.quality.asking import asks
from synth_assets.quality.findings import one_line
from synth_assets.quality.stop_words import stop_words
from synth_assets.quality.words import count_words, words
from synth_assets.teacher.messages import Reply

SOURCES = ("asking",)
"""The module of quality that decides what asks for something."""

SORRY = {"en": re.compile(r"\bsorry\b", re.IGNORECASE), "zh": re.compile(r"抱歉|对不起")}
SORRY_MAX_WORDS = 80
SCAFFOLD = {
    "en": re.compile(
        r"\b(?:rewritten|evolved|(?<!\ba )given) (?:prompt|task|instruction)s?\b|\bcreated prompts?\b"
        r"|\b(?:new|original) (?:prompt|task|instruction)s?[^\w\n]*(?::|\bis\b)"
        r"|^[^\w\n]*(?:task|instruction|prompt)s?[^\w\n]*:",
        re.IGNORECASE | re.MULTILINE,
    ),
    "zh": re.compile(
        r"(?:给定|所给|改[写编]后?|重写后?)的?(?:提示|任务|指令)|(?:新|原)的?(?:提示|任务|指令)[^\w\n]*(?:[:：]|如下|是)|^[^\w\n]*(?:任务|指令|提示)[^\w\n]*[:：]",
        re.MULTILINE,
    ),
}
"""Words of the prompt that asked for an evolution. "A new task" and "metres per second:" are the business of many instructions, so that only
a label, or a sentence that presents the result, counts as a leak."""
_EQUAL = {"en": r"equal", "zh": r"(?:equal|相同|相等|一样)"}
_NOT_EQUAL = {"en": r"not[ _-]?equal", "zh": r"(?:not[ _-]?equal|不(?:相)?同|不相等|不一样)"}
_BOTH = r"\W*(?:or|或者?|还是)?\W*"


def of_text(child: str, parent: str, operation: str, known: set[str], language: str, material: str = "") -> tuple[str, str]:
    """Rule and evidence that eliminate an evolution by its text alone; two empty strings when none does.

    `material` is its input, which counts when it is compared with `parent` and `known`, both with theirs, but leaks nothing.
    """
    text = folded(f"{child}\n\n{material}" if material else child)
    if text == folded(parent):
        return "no_information_gain", "the parent again"
    if text in known:
        return "no_information_gain", "an instruction of the pool again"
    leaked = SCAFFOLD[language].search(child)
    if leaked:
        return "scaffold_leak", leaked.group()
    if any(text == folded(turn.assistant) for turn in load(f"evolve_{operation}", language).examples):
        return "scaffold_leak", "an example of the prompt"
    if asks(parent, language) and not asks(child, language):
        return "asks_nothing", one_line(child)
    return "", ""


def of_answer(reply: Reply, language: str) -> tuple[str, str]:
    """Rule and evidence that eliminate an evolution by its answer; two empty strings when none does.

    A cut or refused answer is not eliminated here: teacher_responses rejects it under its own name.
    """
    if reply.failure:
        return reply.failure, reply.evidence
    if reply.rule not in {"", "empty"}:
        return "", ""
    sorry = SORRY[language].search(reply.text)
    if sorry and count_words(reply.text, language) < SORRY_MAX_WORDS:
        return "sorry_answer", reply.text.strip()[:120]
    if all(word in stop_words(language) for word in words(reply.text)):
        return "empty_answer", reply.text.strip()[:120]
    return "", ""


def equal_by(verdict: str, language: str) -> bool | None:
    """What a judge's reply says: True for equal, False for not equal, None when it says neither or both."""
    text = folded(bare(verdict.strip().splitlines()[0])).strip("*_`“” ") if verdict.strip() else ""
    equal, unequal = _EQUAL[language], _NOT_EQUAL[language]
    if re.match(rf"{unequal}(?![a-z]|{_BOTH}{equal})", text):
        return False
    if re.match(rf"{equal}(?![a-z]|{_BOTH}{unequal})", text):
        return True
    return None
