"""The compiled engine of decontamination: which runs of words rows share with benchmark items, by hashes, and word for word where those agree.

The kernels (`run_kernels`) read every row and tell the few that share a run with an item; only these are looked at in Python, where the words
themselves are compared. So 52,000 rows against 9,000 items take a fraction of a second, and memory is that of the items and of one batch of rows.
Invariant: what is found is what `item_ngrams.PlainEngine` finds, but for masked copies of items that stand in the row word for word anyway.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice

import numpy as np

from synth_assets.quality.folding import folded_words, masked_words
from synth_assets.quality.hashed_words import Blob, kinds, tokenized
from synth_assets.quality.item_ngrams import COVERAGE_NGRAM, Forgotten, RowMatches, Where, Wordings, no_matches
from synth_assets.quality.item_rows import Row
from synth_assets.quality.item_tables import Numbers, Tables, item_tables
from synth_assets.quality.pairs import exact

__all__ = ["CompiledEngine"]

_TEXTS = 20_000
"""Real texts that are counted together."""

_CHUNK = 4_000
"""Rows that one thread takes at a time."""


class CompiledEngine:
    """Items in hash tables.

    Args:
        wordings: The items' texts and words; items are told to `add`.
        ngram: Words of the long n-grams.
        share: Of an item's words; a masked copy that covers no more, and no long n-gram, may be left out.
        is_answer: Whether an item is a benchmark's answer, by its number.
        forgotten: What is boilerplate.
    """

    def __init__(self, wordings: Wordings, ngram: int, share: float, is_answer: Callable[[int], bool], forgotten: Forgotten) -> None:
        self._wordings, self._ngram, self._share, self._is_answer, self._forgotten = wordings, ngram, share, is_answer, forgotten
        self._limit = exact(share)
        self._count = 0
        self._tables: Tables | None = None

    def add(self, items: Sequence[int]) -> None:
        """Index items by number, which go on from those before."""
        self._count += len(items)
        self._tables = None

    def forget_common(self, texts: Iterable[str], common: int) -> Forgotten:
        """Forget what at least `common` of the real `texts` hold, and say what that is."""
        from synth_assets.quality import ngram_kernels as kernels
        from synth_assets.quality.hash_tables import bitmap_of, grams, indexed
        from synth_assets.quality.run_kernels import CONTAINED

        built = self._built(counting=True)
        tiers = {"coverage": (built.plain, COVERAGE_NGRAM), "rare": (built.plain, self._ngram)}
        tiers |= {"masked_coverage": (built.masked, COVERAGE_NGRAM), "masked_rare": (built.masked, self._ngram)}
        hashes, tables, documents = {}, {}, {}
        for name, (tier, n) in tiers.items():
            hashes[name] = grams(tier.tokens, n)
            valid = built.living[name][: len(hashes[name])]
            tables[name] = (n, indexed(hashes[name], valid)[0], bitmap_of(hashes[name], valid))
            documents[name] = (np.full(len(valid), -1, np.int32), np.zeros(len(valid), np.int32))
        contained = np.zeros(self._count, np.int64)
        waiting, first = iter(texts), 0
        while batch := list(islice(waiting, _TEXTS)):
            plain, masked, ends = tokenized(batch)
            for name, (n, table, bitmap) in tables.items():
                is_masked = name.startswith("masked")
                kernels.count_documents(masked if is_masked else plain, ends[:, int(is_masked)].copy(), first, n, table, *documents[name], bitmap)
            records = np.concatenate(list(self._chunks([("", text, "") for text in batch])))
            inside = records[records[:, 1] == CONTAINED]
            # An item that stands twice in a text is in one text.
            contained += np.bincount(np.unique(inside[:, [0, 2]], axis=0)[:, 1], minlength=self._count)
            first += len(batch)
        found: dict[str, set[tuple[int, int]]] = {}
        for name, (tier, _) in tiers.items():
            # Counts are by the first position of an n-gram; all positions of it share them.
            at = np.flatnonzero(kernels.shared_counts(tables[name][1], hashes[name], built.living[name], documents[name][1]) >= common)
            items = tier.item[at]
            found[name] = set(zip(items.tolist(), (at - tier.begin[items]).tolist(), strict=True))
        self._forgotten = Forgotten(**found, contained=set(np.flatnonzero(contained >= common).tolist()))
        self._tables = None
        return self._forgotten

    def scan(self, rows: Sequence[tuple[str, str, str]]) -> Iterator[tuple[int, RowMatches]]:
        """What each row, (id, prompt, response), shares with the items, by the row's place; rows that share nothing are left out."""
        # What is found of one chunk is compared while the kernel reads the next ones: two fifths of the time of many hits.
        for records in self._chunks(rows):
            for place, group in groupby(records.tolist(), key=lambda record: int(record[0])):
                matches = self._matches(*rows[place][1:], list(group))
                if any(matches):
                    yield place, matches

    def _matches(self, prompt_text: str, response: str, records: list[list[int]]) -> RowMatches:
        """The records of one row, compared word for word."""
        from synth_assets.quality import run_kernels as kernels

        found = RowMatches([], no_matches(), no_matches(), no_matches(), no_matches(), no_matches())
        whole: dict[int, Where] = {kernels.WHOLE_PROMPT: "prompt", kernels.WHOLE_ANSWER: "answer", kernels.WHOLE_BOTH: "both"}
        row = Row(folded_words(prompt_text), folded_words(response), self._wordings.plain)
        for _, kind, item, position, start, length in records:
            if kind == kernels.PLAIN_RUN:
                row.add(item, position, start, length)
            elif kind != kernels.MASKED_RUN and row.holds(item, position, start, length):
                if kind == kernels.CONTAINED:
                    found.contained[item].cover(range(length), start, start + length, row.prompt)
                elif length == len(self._wordings.plain(item)):
                    found.whole.append((whole[kind], item))
        tables = self._built()
        row.cover(tables.plain, COVERAGE_NGRAM, tables.plain.living, found.coverage)
        row.cover(tables.plain, self._ngram, tables.plain.living_long, found.rare)
        # Word for word is a hit already: to mask the texts of these rows too would double the time that hits take.
        part, whole_of = self._limit.as_integer_ratio()
        decided = {item for item, match in found.coverage.items() if len(match.joined) * whole_of > part * len(self._wordings.plain(item))}
        decided.update(found.contained, found.rare)
        if masked := [record for record in records if record[1] == kernels.MASKED_RUN and record[2] not in decided]:
            row = Row(masked_words(prompt_text), masked_words(response), self._wordings.masked)
            for _, _, item, position, start, length in masked:
                row.add(item, position, start, length)
            row.cover(tables.masked, COVERAGE_NGRAM, tables.masked.living, found.masked_coverage)
            row.cover(tables.masked, self._ngram, tables.masked.living_long, found.masked_rare)
        return found

    def _chunks(self, rows: Sequence[tuple[str, str, str]]) -> Iterator[Numbers]:
        """What the kernel finds, a chunk of rows at a time, in their order: row, kind, item, position in the item, position in the row, length.

        The kernel runs without the interpreter's lock, so that other threads encode their rows, or run it too.
        """
        self._built()
        starts = range(0, len(rows), _CHUNK)
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for start, records in zip(starts, pool.map(lambda start: self._chunk_records(rows[start : start + _CHUNK]), starts), strict=True):
                records[:, 0] += start
                yield records

    def _chunk_records(self, rows: Sequence[tuple[str, str, str]]) -> Numbers:
        from synth_assets.quality import run_kernels as kernels

        built = self._built()
        arguments = (*Blob.of([text for row in rows for text in row[1:]]), kinds(), built.plain, built.masked, built.whole, built.heads, self._share)
        records = np.empty((len(rows), 6), np.int64)
        if (found := int(kernels.scan(*arguments, records))) > len(records):
            records = np.empty((found, 6), np.int64)
            found = int(kernels.scan(*arguments, records))
        return records[:found]

    def _built(self, *, counting: bool = False) -> Tables:
        """The tables; with `counting` every item is looked for inside texts, whatever its length."""
        if self._tables is None:
            is_answer = np.array([self._is_answer(item) for item in range(self._count)], np.bool_)
            self._tables = item_tables(self._wordings.texts[: self._count], is_answer, self._ngram, self._forgotten, counting=counting)
        return self._tables
