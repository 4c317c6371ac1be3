"""Canaries: items made up for one run, planted in its own index, and copied in every way that the gate must see through.

A decontamination that finds nothing looks the same whether the data are clean or the index is empty. So each run plants a few items of invented
words, scans their copies, and stops if one is missed. Invariant: no canary can match a real row, because its words are not words.
"""

import random
import re
from collections.abc import Iterator
from typing import NamedTuple

from synth_assets.identity import seeded
from synth_assets.quality.decontamination import COVERAGE_NGRAM, MIN_CONTAINED, Index, Item, RuleName

__all__ = ["BENCHMARK", "Canary", "missed_canaries", "plant_canaries"]

BENCHMARK = "canary"
"""The benchmark that planted items belong to."""

_ONSETS = ("b", "br", "d", "dr", "f", "fl", "g", "gl", "k", "kr", "l", "m", "n", "p", "pl", "r", "s", "sk", "t", "tr", "v", "z")
_VOWELS = ("a", "e", "i", "o", "u", "ae", "ou", "ei")
_HAN = "麤龘靐齉爩鱻麣灪龖厵滟爨癵驫麷鸜韊鸙饢韉"
"""Rare characters: a run of them stands in no text."""

_LOOK_ALIKES = str.maketrans("aeiopc", "аеіорс")
"""Latin letters to the Cyrillic ones that look like them."""


class Canary(NamedTuple):
    """A copy of a planted item, and the rule that must find it."""

    kind: str
    """How it was copied, in words."""
    rule: RuleName
    item_id: str
    prompt: str
    response: str


def plant_canaries(index: Index, seed: object) -> list[Canary]:
    """Add items of invented words, drawn by `seed`, to `index`; return copies of them that a scan must find."""
    canaries: list[Canary] = []
    for kind, rule, text, prompt, response in _copies(index, seeded(seed, BENCHMARK)):
        item_id = f"canary-{len(canaries) + 1}"
        index.add([Item(BENCHMARK, item_id, "prompt", text)])
        canaries.append(Canary(kind, rule, item_id, prompt, response))
    return canaries


def missed_canaries(index: Index, canaries: list[Canary]) -> list[Canary]:
    """The copies that a scan does not find by the rule that must find them: none where the gate works."""
    scan = index.scan([(canary.item_id, canary.prompt, canary.response) for canary in canaries])
    found = {(hit.row_id, hit.item_id, hit.rule) for hit in scan.hits if hit.benchmark == BENCHMARK}
    return [canary for canary in canaries if (canary.item_id, canary.item_id, canary.rule) not in found]


def _copies(index: Index, source: random.Random) -> Iterator[tuple[str, RuleName, str, str, str]]:
    """Kind, rule, the item's text, and prompt and response of a row that copies it."""
    n = index.settings.ngram
    length = 3 * max(n, COVERAGE_NGRAM)

    def text(words: int) -> str:
        return " ".join(_word(source) for _ in range(words))

    item = text(length)
    yield "verbatim", "exact", item, item, "Yes."
    item = text(length)
    yield "case, punctuation and white space changed", "exact", item, "¿" + ",\n\t".join(item.upper().split(" ")) + "?!", "Yes."
    item = text(length)
    yield "look-alike letters and invisible characters", "exact", item, item.translate(_LOOK_ALIKES).replace("l", "l\u200b"), "Yes."
    item = text(MIN_CONTAINED)
    yield "a short item inside an answer", "contained", item, text(6), f"{text(20)} {item} {text(20)}"
    item = text(n + 2)
    yield "one long n-gram inside a prompt", "rare_13gram", item, f"{text(20)} {' '.join(item.split()[:n])} {text(20)}", text(5)
    # Nothing covers more than all of an item: at a coverage of 1 that rule is off.
    if index.settings.coverage < 1:
        item = text(length)
        half = length // 2
        yield "split over prompt and answer", "coverage_8gram", item, " ".join(item.split()[:half]), " ".join(item.split()[half:])
    item = "".join(source.choice(_HAN) for _ in range(length))
    yield "Chinese, inside an answer", "rare_13gram", item, "请看", f"答案：{item[: n + 1]}。"
    # A number or name in every fourth place leaves no run of the item's own words that is long enough for the other rules.
    words = text(4 * n).split()
    words[3::4] = [str(source.randint(11, 99)) if i % 2 else _word(source).title() for i in range(n)]
    item = " ".join(words)
    changed = re.sub(r"\d+", lambda m: str(int(m.group()) + 100), re.sub(r"[A-Z]\w+", lambda m: _word(source).title(), item))
    yield "other numbers and names", "masked", item, changed, "Yes."


def _word(source: random.Random) -> str:
    """An invented word of three or four syllables, without a final consonant."""
    return "".join(source.choice(_ONSETS) + source.choice(_VOWELS) for _ in range(source.choice((3, 4))))
