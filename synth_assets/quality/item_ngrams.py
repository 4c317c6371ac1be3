"""The word n-grams of benchmark items, and where they occur in a row.

A row is one run of words, prompt then answer, so that one pass finds what stands in either and what runs over from one to the other. n-grams that
are common in real data are forgotten before any row is looked at. This is the plain engine, dictionaries of word tuples: at once ready, and the
reference for the compiled one (`item_runs`). Invariant: an n-gram matches word for word; nothing is hashed away.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from synth_assets.quality.folding import NAME, NUMBER, folded_words, masked_words
from synth_assets.quality.words import is_han, ngrams

__all__ = [
    "COVERAGE_NGRAM",
    "MAX_REPEATS",
    "MIN_ANSWER",
    "MIN_CONTAINED",
    "MIN_TELLING_SHARE",
    "Forgotten",
    "ItemNgrams",
    "Match",
    "Matches",
    "PlainEngine",
    "RowMatches",
    "Where",
    "Wordings",
    "longest_run",
    "no_matches",
    "size",
]

COVERAGE_NGRAM = 8
"""Words of the n-grams that coverage is measured by (Tulu 3, arXiv 2411.15124)."""

MIN_CONTAINED = 4
"""Words from which a short item is looked for inside longer texts; a shorter prompt only counts as the whole of a row's prompt."""

MIN_ANSWER = 8
"""Words from which a benchmark's answer is looked for at all: "4" and "Paris" are everywhere."""

MIN_TELLING_SHARE = 0.5
"""Different words that a masked n-gram must have besides numbers and names, as a share of its length; "x <number> x <number> ..." is a form, not a text."""

MAX_REPEATS = 16
"""An n-gram that stands in one item more often does not count there: a text that repeats itself would match another in as many places as the product
of both. Ours."""

Where = Literal["prompt", "answer", "both"]
"""Where in a row; both means that neither part holds the match alone."""


class Match(NamedTuple):
    """Positions of an item's words that a row covers: by its prompt, by its answer, by the two joined."""

    prompt: set[int]
    answer: set[int]
    joined: set[int]

    def parts(self, holds: Callable[[set[int]], bool]) -> list[tuple[Where, set[int]]]:
        """The parts of the row whose covered positions satisfy `holds`; `both` only where neither part does alone."""
        alone: list[tuple[Where, set[int]]] = [("prompt", self.prompt), ("answer", self.answer)]
        found = [(where, positions) for where, positions in alone if holds(positions)]
        return found or ([("both", self.joined)] if holds(self.joined) else [])

    def cover(self, positions: range, start: int, stop: int, prompt_length: int) -> None:
        """Note that words `start` to `stop` of the row, prompt and answer joined, are `positions` of the item."""
        self.joined.update(positions)
        if stop <= prompt_length:
            self.prompt.update(positions)
        elif start >= prompt_length:
            self.answer.update(positions)


Matches = dict[int, Match]
"""Matches by the item's number."""


class RowMatches(NamedTuple):
    """All that one row shares with the items, before any limit is applied."""

    whole: list[tuple[Where, int]]
    """Items that are the row's prompt, its answer, or both joined."""
    contained: Matches
    """Items that stand in the row word for word."""
    coverage: Matches
    rare: Matches
    masked_coverage: Matches
    masked_rare: Matches


class Forgotten(NamedTuple):
    """What is boilerplate: n-grams of items as (item, position of its first word), and items that are not looked for inside texts."""

    coverage: set[tuple[int, int]]
    rare: set[tuple[int, int]]
    masked_coverage: set[tuple[int, int]]
    masked_rare: set[tuple[int, int]]
    contained: set[int]

    @property
    def lost(self) -> set[int]:
        """Items that a verbatim copy inside another text might no longer be found of by n-grams."""
        return {item for item, _ in self.coverage | self.rare}


class Wordings:
    """The words of the items, plain and masked, worked out when first asked for."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._plain: dict[int, list[str]] = {}
        self._masked: dict[int, list[str]] = {}

    def plain(self, item: int) -> list[str]:
        """Folded words of item number `item`."""
        if item not in self._plain:
            self._plain[item] = folded_words(self.texts[item])
        return self._plain[item]

    def masked(self, item: int) -> list[str]:
        """Its words with numbers and names masked."""
        if item not in self._masked:
            self._masked[item] = masked_words(self.texts[item])
        return self._masked[item]


def no_matches() -> defaultdict[int, Match]:
    """An empty collection of matches by item number."""
    return defaultdict(lambda: Match(set(), set(), set()))


def size(tokens: Sequence[str]) -> float:
    """Length of a text in words, two Han characters being one."""
    return len(tokens) - sum(map(is_han, tokens)) / 2


def is_telling(gram: Sequence[str]) -> bool:
    """Whether a masked n-gram says more than where numbers and names stand."""
    return len({*gram} - {NUMBER, NAME}) >= MIN_TELLING_SHARE * len(gram)


class ItemNgrams:
    """All n-grams of one length."""

    def __init__(self, n: int, is_telling: Callable[[Sequence[str]], bool] = bool) -> None:
        """`is_telling` says whether an n-gram may count as a match at all."""
        self.n = n
        self._is_telling = is_telling
        self._items: defaultdict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
        self._documents: defaultdict[tuple[str, ...], int] = defaultdict(int)

    def add(self, item: int, tokens: Sequence[str]) -> bool:
        """Index the words of item number `item`; returns whether an n-gram was left out because it is repeated."""
        counts = Counter(ngrams(tokens, self.n)) if len(tokens) >= self.n + MAX_REPEATS else {}
        is_repetitive = False
        for start, gram in enumerate(ngrams(tokens, self.n)):
            if counts.get(gram, 0) > MAX_REPEATS:
                is_repetitive = True
            elif self._is_telling(gram):
                self._items[gram].append((item, start))
        return is_repetitive

    def count_document(self, tokens: Sequence[str]) -> None:
        """Note which n-grams of the items a real text holds."""
        for gram in set(ngrams(tokens, self.n)):
            if gram in self._items:
                self._documents[gram] += 1

    def forget_common(self, common: int) -> set[tuple[int, int]]:
        """Forget the n-grams that at least `common` real texts hold; returns them as (item, position of the first word)."""
        forgotten: set[tuple[int, int]] = set()
        for gram, documents in self._documents.items():
            if documents >= common:
                forgotten.update(self._items.pop(gram))
        self._documents.clear()
        return forgotten

    def matches(self, prompt: Sequence[str], answer: Sequence[str]) -> dict[int, Match]:
        """What a row covers of each item, by item number."""
        found = no_matches()
        items = self._items
        for start, gram in enumerate(ngrams([*prompt, *answer], self.n)):
            for item, position in items.get(gram, ()):
                found[item].cover(range(position, position + self.n), start, start + self.n, len(prompt))
        return found


class PlainEngine:
    """Items in dictionaries of word tuples: about 5 s for 9,000 items, and a few thousand rows a second.

    Args:
        wordings: The items' words; items that are added later are told to `add`.
        ngram: Words of the long n-grams.
        is_answer: Whether an item is a benchmark's answer, by its number.
    """

    def __init__(self, wordings: Wordings, ngram: int, is_answer: Callable[[int], bool]) -> None:
        self._wordings, self._ngram, self._is_answer = wordings, ngram, is_answer
        self._equal: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        self._heads: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        self._repetitive: set[int] = set()
        self._coverage, self._rare = ItemNgrams(COVERAGE_NGRAM), ItemNgrams(ngram)
        self._masked_coverage, self._masked_rare = ItemNgrams(COVERAGE_NGRAM, is_telling), ItemNgrams(ngram, is_telling)

    def add(self, items: Iterable[int], *, to_be_counted: bool = False) -> None:
        """Index items by number; `to_be_counted` items are all looked for inside texts until `forget_common`."""
        for item in items:
            tokens = self._wordings.plain(item)
            length = size(tokens)
            if not tokens or (length < MIN_ANSWER and self._is_answer(item)):
                continue
            self._equal[tuple(tokens)].append(item)
            left_out = [index.add(item, tokens) for index in (self._coverage, self._rare)]
            if any(left_out):
                self._repetitive.add(item)
            if len(tokens) >= self._ngram:
                masked = self._wordings.masked(item)
                self._masked_coverage.add(item, masked)
                self._masked_rare.add(item, masked)
            if length >= MIN_CONTAINED and (to_be_counted or self._is_short(item)):
                self._heads[tuple(tokens[:MIN_CONTAINED])].append(item)

    def forget_common(self, texts: Iterable[str], common: int) -> Forgotten:
        """Forget what at least `common` of the real `texts` hold, and say what that is."""
        plain, masked = (self._coverage, self._rare), (self._masked_coverage, self._masked_rare)
        contained: Counter[int] = Counter()
        for text in texts:
            tokens = folded_words(text)
            contained.update(self._contained(tokens, []).keys())
            for indexes, document in ((plain, tokens), (masked, masked_words(text))):
                for index in indexes:
                    index.count_document(document)
        coverage, rare, masked_coverage, masked_rare = (index.forget_common(common) for index in (*plain, *masked))
        forgotten = Forgotten(coverage, rare, masked_coverage, masked_rare, {item for item, documents in contained.items() if documents >= common})
        lost = forgotten.lost
        for head, items in self._heads.items():
            self._heads[head] = [i for i in items if i not in forgotten.contained and (i in lost or self._is_short(i))]
        return forgotten

    def scan(self, rows: Sequence[tuple[str, str, str]]) -> Iterator[tuple[int, RowMatches]]:
        """What each row, (id, prompt, response), shares with the items, by the row's place."""
        for place, (_, prompt_text, response) in enumerate(rows):
            prompt, answer = folded_words(prompt_text), folded_words(response)
            masked = masked_words(prompt_text), masked_words(response)
            parts: tuple[tuple[Where, list[str]], ...] = (("prompt", prompt), ("answer", answer), ("both", [*prompt, *answer]))
            yield (
                place,
                RowMatches(
                    [(where, item) for where, tokens in parts for item in self._equal.get(tuple(tokens), ())],
                    self._contained(prompt, answer),
                    self._coverage.matches(prompt, answer),
                    self._rare.matches(prompt, answer),
                    self._masked_coverage.matches(*masked),
                    self._masked_rare.matches(*masked),
                ),
            )

    def _is_short(self, item: int) -> bool:
        """Whether n-grams might not find a verbatim copy of an item inside another text."""
        return len(self._wordings.plain(item)) < self._ngram or item in self._repetitive

    def _contained(self, prompt: list[str], answer: list[str]) -> Matches:
        """Items that stand in a row word for word."""
        found = no_matches()
        row = [*prompt, *answer]
        seen: set[tuple[int, int]] = set()
        for start, head in enumerate(ngrams(row, MIN_CONTAINED)):
            for item in self._heads.get(head, ()):
                tokens = self._wordings.plain(item)
                place = (item, (start + len(tokens) > len(prompt)) + (start >= len(prompt)))
                if place not in seen and row[start : start + len(tokens)] == tokens:
                    seen.add(place)
                    found[item].cover(range(len(tokens)), start, start + len(tokens), len(prompt))
        return found


def longest_run(tokens: Sequence[str], positions: Collection[int]) -> list[str]:
    """The longest run of `tokens` whose positions are all in `positions`, the first of equals."""
    best = range(0)
    start = end = 0
    for position in sorted(positions):
        if position != end:
            start = position
        end = position + 1
        if end - start > len(best):
            best = range(start, end)
    return [tokens[position] for position in best]
