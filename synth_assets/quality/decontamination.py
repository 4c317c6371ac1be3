"""Decontamination: rows that hold a benchmark's test items, whole or in part, in prompt or answer or split over both.

The rules of GPT-3 (any shared 13-gram), of Tulu 3 (more than half of an item's words covered by 8-grams of one row) and exact match, combined:
no n-gram sees an item of five words, and no exact match an item inside a longer text. n-grams that are common in real data are boilerplate and do
not count. A masked tier finds copies with other numbers and names. Invariant: every hit names the item, the rule, the words and the share.

Chinese items are measured in characters where English ones are in words: 13 characters say less than 13 words, so that the limits for short items,
which decide without any share, count two Han characters as one word.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

from synth_assets import config
from synth_assets.quality.folding import NAME, NUMBER, folded_words, masked_words
from synth_assets.quality.item_ngrams import ItemNgrams, Match, Where, longest_run, no_matches
from synth_assets.quality.pairs import exact
from synth_assets.quality.words import is_han, join_words, ngrams

__all__ = ["Hit", "Index", "Item", "RuleName", "Scan"]

RuleName = Literal["exact", "contained", "coverage_8gram", "rare_13gram", "masked"]

COVERAGE_NGRAM = 8
"""Words of the n-grams that coverage is measured by (Tulu 3, arXiv 2411.15124)."""

MIN_CONTAINED = 5
"""Words from which a short item is looked for inside longer texts; a shorter prompt only counts as the whole of a row's prompt."""

MIN_ANSWER = 8
"""Words from which a benchmark's answer is looked for at all: "4" and "Paris" are everywhere."""

MIN_TELLING_SHARE = 0.5
"""Different words that a masked n-gram must have besides numbers and names, as a share of its length; "x <number> x <number> ..." is a form, not a text."""

MAX_NGRAM = 200
"""Characters of the matching words that a hit shows."""


class Item(NamedTuple):
    """One text of a benchmark."""

    benchmark: str
    item_id: str
    part: Literal["prompt", "answer"]
    text: str


class Hit(NamedTuple):
    """One match between a row and an item. An item that is found by several rules has several."""

    row_id: str
    part: Where
    """Where in the row; both means that only prompt and answer together hold the match."""
    benchmark: str
    item_id: str
    item_part: Literal["prompt", "answer"]
    """Which text of the item."""
    rule: RuleName
    ngram: str
    """The longest run of words that match, cut to 200 characters."""
    score: float
    """Share of the item's words that are covered, 0 to 1; for `masked` of its masked words."""


class Scan(NamedTuple):
    """What a scan found."""

    hits: list[Hit]
    """In the order of the rows, then of the items."""
    coverage: list[float]
    """For each row the highest share of any item's words that it covers, hit or not."""


class _Found(NamedTuple):
    """A hit before it is written out."""

    number: int
    rule: RuleName
    where: Where
    positions: set[int]


class Index:
    """The items of all benchmarks, ready to be looked for in rows."""

    def __init__(self, settings: config.Decontamination) -> None:
        self.settings = settings
        self._items: list[Item] = []
        self._words: list[list[str]] = []
        self._masked: list[list[str]] = []
        self._equal: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        self._heads: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        self._coverage, self._rare = ItemNgrams(COVERAGE_NGRAM), ItemNgrams(settings.ngram)
        self._masked_coverage, self._masked_rare = ItemNgrams(COVERAGE_NGRAM, _is_telling), ItemNgrams(settings.ngram, _is_telling)

    @classmethod
    def build(cls, items: Sequence[Item], real_texts: Iterable[str], settings: config.Decontamination) -> "Index":
        """Index of `items`; what stands in `settings.common` or more of `real_texts` (one text per real row) is boilerplate.

        Equality of a whole prompt or answer counts all the same.
        """
        index = cls(settings)
        index.add(items)
        index._forget_common(real_texts)
        return index

    def add(self, items: Iterable[Item]) -> None:
        """Add items that are not compared with the real texts."""
        for item in items:
            tokens, masked = folded_words(item.text), masked_words(item.text)
            size = _size(tokens)
            number = len(self._items)
            self._items.append(item)
            self._words.append(tokens)
            self._masked.append(masked)
            if not tokens or (item.part == "answer" and size < MIN_ANSWER):
                continue
            self._equal[tuple(tokens)].append(number)
            self._coverage.add(number, tokens)
            self._rare.add(number, tokens)
            if len(tokens) >= self.settings.ngram:
                self._masked_coverage.add(number, masked)
                self._masked_rare.add(number, masked)
            elif size >= MIN_CONTAINED:
                self._heads[tuple(tokens[:MIN_CONTAINED])].append(number)

    def scan(self, rows: Sequence[tuple[str, str, str]]) -> Scan:
        """Look for all items in all rows: (row id, prompt, response)."""
        hits: list[Hit] = []
        coverage: list[float] = []
        for row_id, prompt, response in rows:
            found, highest = self._scan_row(prompt, response)
            hits.extend(self._hit(row_id, f) for f in found)
            coverage.append(highest)
        return Scan(hits, coverage)

    def _scan_row(self, prompt_text: str, response: str) -> tuple[list[_Found], float]:
        """Hits by item, and the highest share of an item's words that the row covers."""
        prompt, answer = folded_words(prompt_text), folded_words(response)
        coverage = self._coverage.matches(prompt, answer)
        found = [
            *self._whole_items(prompt, answer),
            *self._by_coverage("coverage_8gram", coverage, self._words),
            *(_Found(n, "rare_13gram", *part) for n, match in self._rare.matches(prompt, answer).items() for part in match.parts(bool)),
        ]
        shares = [len(match.joined) / len(self._words[n]) for n, match in coverage.items()] + [len(f.positions) / len(self._words[f.number]) for f in found]
        plainly = {f.number for f in found}
        found.extend(f for f in self._masked_copies(masked_words(prompt_text), masked_words(response)) if f.number not in plainly)
        return sorted(found, key=lambda f: f.number), max(shares, default=0.0)

    def _whole_items(self, prompt: list[str], answer: list[str]) -> Iterator[_Found]:
        """Items that are the row's prompt, its answer or both joined, then short items that are inside them."""
        equal: set[tuple[int, Where]] = set()
        parts: tuple[tuple[Where, list[str]], ...] = (("prompt", prompt), ("answer", answer), ("both", [*prompt, *answer]))
        for where, tokens in parts:
            for number in self._equal.get(tuple(tokens), ()):
                is_anywhere = _size(tokens) >= MIN_CONTAINED or where == "prompt"
                if is_anywhere and not (where == "both" and {(number, "prompt"), (number, "answer")} & equal):
                    equal.add((number, where))
                    yield _Found(number, "exact", where, set(range(len(tokens))))
        for number, match in self._contained(prompt, answer).items():
            for where, positions in match.parts(bool):
                if (number, where) not in equal:
                    yield _Found(number, "contained", where, positions)

    def _contained(self, prompt: list[str], answer: list[str]) -> dict[int, Match]:
        """Short items that stand in a row word for word."""
        found = no_matches()
        row = [*prompt, *answer]
        for start, head in enumerate(ngrams(row, MIN_CONTAINED)):
            for number in self._heads.get(head, ()):
                words = self._words[number]
                if row[start : start + len(words)] == words:
                    found[number].cover(range(len(words)), start, start + len(words), len(prompt))
        return found

    def _by_coverage(self, rule: RuleName, matches: dict[int, Match], texts: list[list[str]]) -> Iterator[_Found]:
        limit = exact(self.settings.coverage)
        for number, match in matches.items():
            yield from (_Found(number, rule, *part) for part in match.parts(_above(limit * len(texts[number]))))

    def _masked_copies(self, prompt: list[str], answer: list[str]) -> Iterator[_Found]:
        """Items with other numbers and names: by coverage, else by one n-gram."""
        by_coverage = list(self._by_coverage("masked", self._masked_coverage.matches(prompt, answer), self._masked))
        yield from by_coverage
        covered = {f.number for f in by_coverage}
        for number, match in self._masked_rare.matches(prompt, answer).items():
            if number not in covered:
                yield from (_Found(number, "masked", *part) for part in match.parts(bool))

    def _hit(self, row_id: str, found: _Found) -> Hit:
        item = self._items[found.number]
        tokens = (self._masked if found.rule == "masked" else self._words)[found.number]
        ngram = join_words(longest_run(tokens, found.positions))[:MAX_NGRAM]
        return Hit(row_id, found.where, item.benchmark, item.item_id, item.part, found.rule, ngram, len(found.positions) / len(tokens))

    def _forget_common(self, real_texts: Iterable[str]) -> None:
        plain, masked = (self._coverage, self._rare), (self._masked_coverage, self._masked_rare)
        contained: Counter[int] = Counter()
        for text in real_texts:
            tokens = folded_words(text)
            contained.update(self._contained(tokens, []).keys())
            for indexes, document in ((plain, tokens), (masked, masked_words(text))):
                for index in indexes:
                    index.count_document(document)
        for index in (*plain, *masked):
            index.forget_common(self.settings.common)
        for head, numbers in self._heads.items():
            self._heads[head] = [number for number in numbers if contained[number] < self.settings.common]


def _size(tokens: Sequence[str]) -> float:
    """Length of a text in words, two Han characters being one."""
    return len(tokens) - sum(map(is_han, tokens)) / 2


def _above(least: Fraction) -> Callable[[set[int]], bool]:
    return lambda positions: len(positions) > least


def _is_telling(gram: Sequence[str]) -> bool:
    """Whether a masked n-gram says more than where numbers and names stand."""
    return len({*gram} - {NUMBER, NAME}) >= MIN_TELLING_SHARE * len(gram)
