"""Decontamination: rows that hold a benchmark's test items, whole or in part, in prompt or answer or split over both.

The rules of GPT-3 (any shared 13-gram), of Tulu 3 (more than half of an item's words covered by 8-grams of one row) and exact match, combined:
no n-gram sees an item of five words, and no exact match an item inside a longer text. n-grams that are common in real data are boilerplate and do
not count. A masked tier finds copies with other numbers and names. What a row shares with the items is found by one of two engines, by the amount
of text: dictionaries that are ready at once, or compiled kernels. Invariant: every hit names the item, the rule, the words and the share, and
both engines find the same.

Chinese items are measured in characters where English ones are in words: 13 characters say less than 13 words, so that the limits for short items,
which decide without any share, count two Han characters as one word.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from typing import Literal, NamedTuple

from synth_assets import config
from synth_assets.quality.item_ngrams import COVERAGE_NGRAM, MIN_CONTAINED, Forgotten, Matches, PlainEngine, RowMatches, Where, Wordings, longest_run, size
from synth_assets.quality.item_runs import CompiledEngine
from synth_assets.quality.pairs import exact
from synth_assets.quality.words import join_words

__all__ = ["COVERAGE_NGRAM", "MIN_CONTAINED", "Hit", "Index", "Item", "RuleName", "Scan"]

SOURCES = (
    *("item_ngrams", "item_rows", "item_runs", "item_tables", "run_kernels", "ngram_kernels", "word_kernels"),
    *("hash_tables", "hashed_words", "folding", "stop_words", "words"),
)
"""The modules beside this one that decide what is a hit: a change in one makes what was filtered stale."""

RuleName = Literal["exact", "contained", "coverage_8gram", "rare_13gram", "masked", "similar"]
"""`similar` is the embedding tier's (`similar_items`): it sends a row to review and rejects none."""

MAX_NGRAM = 200
"""Characters of the matching words that a hit shows."""

_PLAIN_CHARACTERS = 2_000_000
"""Texts up to this size are left to the plain engine, which takes about 2 s for them; the compiled one needs that long to be loaded, or compiled."""

_BATCH_ROWS, _BATCH_CHARACTERS = 20_000, 16_000_000
"""Rows of a stream that are looked at together, whichever limit is reached first."""

Row = tuple[str, str, str]
"""Row id, prompt, response."""


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
    """Share of the item's words that are covered, 0 to 1; for `masked` of its masked words, for `similar` the cosine."""


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
        self._limit = exact(settings.coverage)
        self._items: list[Item] = []
        self._wordings = Wordings()
        self._forgotten = Forgotten(set(), set(), set(), set(), set())
        self._plain: PlainEngine | None = None
        self._compiled: CompiledEngine | None = None

    @classmethod
    def build(cls, items: Sequence[Item], real_texts: Iterable[str], settings: config.Decontamination) -> "Index":
        """Index of `items`; what stands in `settings.common` or more of `real_texts` (one text per real row) is boilerplate.

        Equality of a whole prompt or answer counts all the same, and so does a whole item inside a text unless that is common too.
        """
        index = cls(settings)
        index._append(items)
        beginning, rest, characters = [], iter(real_texts), 0
        for text in rest:
            beginning.append(text)
            characters += len(text)
            if characters > _PLAIN_CHARACTERS:
                break
        if beginning:
            index._forgotten = index._engine(characters, counting=True).forget_common(chain(beginning, rest), settings.common)
        return index

    def add(self, items: Iterable[Item]) -> None:
        """Add items that are not compared with the real texts."""
        first = len(self._items)
        self._append(items)
        if self._plain is not None:
            self._plain.add(range(first, len(self._items)))
        if self._compiled is not None:
            self._compiled.add(range(first, len(self._items)))

    def scan(self, rows: Sequence[Row]) -> Scan:
        """Look for all items in all rows: (row id, prompt, response)."""
        hits: list[Hit] = []
        coverage = [0.0] * len(rows)
        engine = self._engine(sum(len(prompt) + len(response) for _, prompt, response in rows))
        for place, matches in engine.scan(rows):
            found, coverage[place] = self._judge(matches)
            hits.extend(self._hit(rows[place][0], f) for f in found)
        return Scan(hits, coverage)

    def scan_stream(self, rows: Iterable[Row]) -> Iterator[Scan]:
        """As `scan`, over rows that need not fit in memory: one result per batch of at most 20,000 rows, in order."""
        batch: list[Row] = []
        characters = 0
        for row in rows:
            batch.append(row)
            characters += len(row[1]) + len(row[2])
            if len(batch) >= _BATCH_ROWS or characters >= _BATCH_CHARACTERS:
                yield self.scan(batch)
                batch, characters = [], 0
        if batch:
            yield self.scan(batch)

    def scan_answers(self, rows: Sequence[tuple[str, str, Sequence[str]]]) -> Scan:
        """As `scan`, for rows with several answers to one prompt, such as chosen and rejected.

        Each answer is read after the prompt by itself, so that an item which begins in the prompt is found whichever answer goes on with it, and
        no words are next to each other that are not in the row. A hit that several answers share is told once.
        """
        single = [(row_id, prompt, answer) for row_id, prompt, answers in rows for answer in (answers or ("",))]
        scan = self.scan(single)
        coverage = iter(scan.coverage)
        return Scan(list(dict.fromkeys(scan.hits)), [max(next(coverage) for _ in (answers or ("",))) for _, _, answers in rows])

    def _append(self, items: Iterable[Item]) -> None:
        self._items.extend(items)
        self._wordings.texts.extend(item.text for item in self._items[len(self._wordings.texts) :])

    def _engine(self, characters: int, *, counting: bool = False) -> PlainEngine | CompiledEngine:
        """The engine for so many characters of rows; once compiled, always compiled."""
        numbers = range(len(self._items))
        if self._compiled is None and self._plain is None:
            characters += sum(map(len, self._wordings.texts))
        if self._compiled is not None or characters > _PLAIN_CHARACTERS:
            if self._compiled is None:
                self._compiled = CompiledEngine(self._wordings, self.settings.ngram, self.settings.coverage, self._is_answer, self._forgotten)
                self._compiled.add(numbers)
                self._plain = None
            return self._compiled
        if self._plain is None:
            self._plain = PlainEngine(self._wordings, self.settings.ngram, self._is_answer)
            self._plain.add(numbers, to_be_counted=counting)
        return self._plain

    def _is_answer(self, number: int) -> bool:
        return self._items[number].part == "answer"

    def _judge(self, row: RowMatches) -> tuple[list[_Found], float]:
        """Hits by item, and the highest share of an item's words that the row covers."""
        plain, masked = self._wordings.plain, self._wordings.masked
        found = [
            *self._whole_items(row),
            *self._by_coverage("coverage_8gram", row.coverage, plain),
            *(_Found(n, "rare_13gram", *part) for n, match in row.rare.items() for part in match.parts(bool)),
        ]
        shares = [len(match.joined) / len(plain(n)) for n, match in row.coverage.items()] + [len(f.positions) / len(plain(f.number)) for f in found]
        plainly = {f.number for f in found}
        found.extend(f for f in self._masked_copies(row, masked) if f.number not in plainly)
        return sorted(found, key=lambda f: f.number), max(shares, default=0.0)

    def _whole_items(self, row: RowMatches) -> Iterator[_Found]:
        """Items that are the row's prompt, its answer or both joined, then items that are inside them."""
        equal: set[tuple[int, Where]] = set()
        for where, number in row.whole:
            tokens = self._wordings.plain(number)
            is_anywhere = size(tokens) >= MIN_CONTAINED or where == "prompt"
            if is_anywhere and not (where == "both" and {(number, "prompt"), (number, "answer")} & equal):
                equal.add((number, where))
                yield _Found(number, "exact", where, set(range(len(tokens))))
        for number, match in row.contained.items():
            for where, positions in match.parts(bool):
                if (number, where) not in equal:
                    yield _Found(number, "contained", where, positions)

    def _by_coverage(self, rule: RuleName, matches: Matches, texts: Callable[[int], list[str]]) -> Iterator[_Found]:
        for number, match in matches.items():
            yield from (_Found(number, rule, *part) for part in match.parts(_above(self._limit, len(texts(number)))))

    def _masked_copies(self, row: RowMatches, texts: Callable[[int], list[str]]) -> Iterator[_Found]:
        """Items with other numbers and names: by coverage, else by one n-gram."""
        by_coverage = list(self._by_coverage("masked", row.masked_coverage, texts))
        yield from by_coverage
        covered = {f.number for f in by_coverage}
        for number, match in row.masked_rare.items():
            if number not in covered:
                yield from (_Found(number, "masked", *part) for part in match.parts(bool))

    def _hit(self, row_id: str, found: _Found) -> Hit:
        item = self._items[found.number]
        tokens = (self._wordings.masked if found.rule == "masked" else self._wordings.plain)(found.number)
        ngram = join_words(longest_run(tokens, found.positions)[:MAX_NGRAM])[:MAX_NGRAM]
        return Hit(row_id, found.where, item.benchmark, item.item_id, item.part, found.rule, ngram, len(found.positions) / len(tokens))


def _above(share: Fraction, words: int) -> Callable[[set[int]], bool]:
    """Whether positions are more than `share` of so many words; in integers, since a fraction's comparison takes longer than all else here."""
    part, whole = share.as_integer_ratio()
    return lambda positions: len(positions) * whole > part * words
