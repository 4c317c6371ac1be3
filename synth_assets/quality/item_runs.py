"""The compiled engine of decontamination: which runs of words rows share with benchmark items, by hashes, and word for word where those agree.

The kernels (`item_kernels`) read every row and tell the few that share a run with an item; only these are looked at in Python, where the words
themselves are compared. So 52,000 rows against 9,000 items take a fraction of a second, and memory is that of the items and of one batch of rows.
Invariant: what is found is what `item_ngrams.PlainEngine` finds.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import groupby, islice
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synth_assets.quality import folding
from synth_assets.quality.folding import folded_words, masked_words
from synth_assets.quality.item_ngrams import (
    COVERAGE_NGRAM,
    MAX_REPEATS,
    MIN_ANSWER,
    MIN_CONTAINED,
    MIN_TELLING_SHARE,
    Forgotten,
    RowMatches,
    Where,
    Wordings,
    no_matches,
)
from synth_assets.quality.item_rows import Row
from synth_assets.quality.words import HAN

if TYPE_CHECKING:
    from synth_assets.quality.item_kernels import Heads, Table, Tier, Whole

__all__ = ["CompiledEngine"]

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_TEXTS = 20_000
"""Real texts that are counted together."""

_CHUNK = 4_000
"""Rows that one thread takes at a time."""

_ASCII, _UNICODE = 0x80, 0x40000
"""Characters that have a class; past the second no letter or digit is assigned."""

_STRIDE = 3
"""Words between two n-grams of a row that are looked up: a third of the look-ups, each of a 6-gram where all would be of an 8-gram."""

_BITS_PER_KEY = 16
"""Of the bitmaps: one look-up in about 16 of an n-gram that no item has goes on to the table."""


class _Words(NamedTuple):
    """All items' words of one kind, plain or masked."""

    tokens: NDArray[np.uint64]
    begin: Numbers
    end: Numbers


class _Parts(NamedTuple):
    """What the kernel looks up."""

    plain: "Tier"
    masked: "Tier"
    whole: "Whole"
    heads: "Heads"


class CompiledEngine:
    """Items in hash tables.

    Args:
        wordings: The items' texts and words; items are told to `add`.
        ngram: Words of the long n-grams.
        share: Of an item's masked words; what covers no more, and no long n-gram, may be left out.
        is_answer: Whether an item is a benchmark's answer, by its number.
        forgotten: What is boilerplate.
    """

    def __init__(self, wordings: Wordings, ngram: int, share: float, is_answer: Callable[[int], bool], forgotten: Forgotten) -> None:
        self._wordings, self._ngram, self._share, self._is_answer, self._forgotten = wordings, ngram, share, is_answer, forgotten
        self._count = 0
        self._parts: _Parts | None = None
        self._living: dict[str, Flags] = {}

    def add(self, items: Sequence[int]) -> None:
        """Index items by number, which go on from those before."""
        self._count += len(items)
        self._parts = None

    def forget_common(self, texts: Iterable[str], common: int) -> Forgotten:
        """Forget what at least `common` of the real `texts` hold, and say what that is."""
        from synth_assets.quality import item_kernels as kernels

        parts, living = self._built(counting=True), self._living
        tiers = {"coverage": (parts.plain, COVERAGE_NGRAM), "rare": (parts.plain, self._ngram)}
        tiers |= {"masked_coverage": (parts.masked, COVERAGE_NGRAM), "masked_rare": (parts.masked, self._ngram)}
        hashes, tables, documents = {}, {}, {}
        for name, (tier, n) in tiers.items():
            hashes[name] = kernels.grams(tier.tokens, n)
            valid = living[name][: len(hashes[name])]
            tables[name] = (n, _indexed(hashes[name], valid)[0], _bitmap(hashes[name], valid))
            documents[name] = (np.full(len(valid), -1, np.int32), np.zeros(len(valid), np.int32))
        contained = np.zeros(self._count, np.int64)
        waiting, first = iter(texts), 0
        while batch := list(islice(waiting, _TEXTS)):
            words, masked, ends = _tokenized(batch)
            for name, (n, table, bitmap) in tables.items():
                is_masked = name.startswith("masked")
                kernels.count_documents(masked if is_masked else words, ends[:, int(is_masked)].copy(), first, n, table, *documents[name], bitmap)
            records = self._records([("", text, "") for text in batch])
            inside = records[records[:, 1] == kernels.CONTAINED]
            # An item that stands twice in a text is in one text.
            contained += np.bincount(np.unique(inside[:, [0, 2]], axis=0)[:, 1], minlength=self._count)
            first += len(batch)
        found: dict[str, set[tuple[int, int]]] = {}
        for name, (tier, _) in tiers.items():
            # Counts are by the first position of an n-gram; all positions of it share them.
            at = np.flatnonzero(kernels.shared_counts(tables[name][1], hashes[name], living[name], documents[name][1]) >= common)
            items = tier.item[at]
            found[name] = set(zip(items.tolist(), (at - tier.begin[items]).tolist(), strict=True))
        self._forgotten = Forgotten(**found, contained=set(np.flatnonzero(contained >= common).tolist()))
        self._parts = None
        return self._forgotten

    def scan(self, rows: Sequence[tuple[str, str, str]]) -> Iterator[tuple[int, RowMatches]]:
        """What each row, (id, prompt, response), shares with the items, by the row's place; rows that share nothing are left out."""
        records = self._records(rows)
        for place, group in groupby(records.tolist(), key=lambda record: int(record[0])):
            matches = self._matches(*rows[place][1:], list(group))
            if any(matches):
                yield place, matches

    def _matches(self, prompt_text: str, response: str, records: list[list[int]]) -> RowMatches:
        """The records of one row, compared word for word."""
        from synth_assets.quality import item_kernels as kernels

        found = RowMatches([], no_matches(), no_matches(), no_matches(), no_matches(), no_matches())
        whole: dict[int, Where] = {kernels.WHOLE_PROMPT: "prompt", kernels.WHOLE_ANSWER: "answer", kernels.WHOLE_BOTH: "both"}
        row = Row(folded_words(prompt_text), folded_words(response), self._wordings.plain)
        masked = None
        for _, kind, item, position, start, length in records:
            if kind == kernels.MASKED_RUN:
                masked = masked or Row(masked_words(prompt_text), masked_words(response), self._wordings.masked)
                masked.add(item, position, start, length)
            elif kind == kernels.PLAIN_RUN:
                row.add(item, position, start, length)
            elif row.holds(item, position, start, length):
                if kind == kernels.CONTAINED:
                    found.contained[item].cover(range(length), start, start + length, row.prompt)
                elif length == len(self._wordings.plain(item)):
                    found.whole.append((whole[kind], item))
        parts = self._built()
        row.cover(parts.plain, COVERAGE_NGRAM, parts.plain.living, found.coverage)
        row.cover(parts.plain, self._ngram, parts.plain.living_long, found.rare)
        if masked is not None:
            masked.cover(parts.masked, COVERAGE_NGRAM, parts.masked.living, found.masked_coverage)
            masked.cover(parts.masked, self._ngram, parts.masked.living_long, found.masked_rare)
        return found

    def _records(self, rows: Sequence[tuple[str, str, str]]) -> Numbers:
        """What the kernel finds, in the order of the rows: row, kind, item, position in the item, position in the row, length.

        The kernel runs without the interpreter's lock, so that other threads encode their rows, or run it too.
        """
        self._built()
        starts = range(0, len(rows), _CHUNK)
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            found = list(pool.map(lambda start: self._chunk_records(rows[start : start + _CHUNK]), starts))
        for start, records in zip(starts, found, strict=True):
            records[:, 0] += start
        return np.concatenate(found) if found else np.empty((0, 6), np.int64)

    def _chunk_records(self, rows: Sequence[tuple[str, str, str]]) -> Numbers:
        from synth_assets.quality import item_kernels as kernels

        parts = self._built()
        arguments = (*_Blob.of([text for row in rows for text in row[1:]]), _kinds(), parts.plain, parts.masked, parts.whole, parts.heads, self._share)
        records = np.empty((len(rows), 6), np.int64)
        if (found := int(kernels.scan(*arguments, records))) > len(records):
            records = np.empty((found, 6), np.int64)
            found = int(kernels.scan(*arguments, records))
        return records[:found]

    def _built(self, *, counting: bool = False) -> _Parts:
        """The tables; with `counting` every item is looked for inside texts, whatever its length."""
        from synth_assets.quality import item_kernels as kernels

        if self._parts is not None:
            return self._parts
        tokens, masked_tokens, ends = _tokenized(self._wordings.texts[: self._count])
        plain, masked = (_Words(t, ends[:-1, k].copy(), ends[1:, k].copy()) for k, t in enumerate((tokens, masked_tokens)))
        lengths = plain.end - plain.begin
        sizes = lengths - ends[1:, 2] / 2
        is_answer = np.array([self._is_answer(item) for item in range(self._count)], np.bool_)
        used = (lengths > 0) & ~(is_answer & (sizes < MIN_ANSWER))
        long = used & (lengths >= self._ngram)
        sizes_n = (COVERAGE_NGRAM, self._ngram)
        flags = [kernels.telling(*plain, n, 0, MAX_REPEATS) for n in sizes_n]
        is_repetitive = np.logical_or(*(_left_out(plain, n, f) for n, f in zip(sizes_n, flags, strict=True)))
        flags += [kernels.telling(*masked, n, ceil(MIN_TELLING_SHARE * n), MAX_REPEATS) for n in sizes_n]
        parts = ((plain, used), (plain, used), (masked, long), (masked, long))
        boilerplate = (self._forgotten.coverage, self._forgotten.rare, self._forgotten.masked_coverage, self._forgotten.masked_rare)
        named = zip(self._forgotten._fields, parts, flags, boilerplate, strict=False)
        self._living = {name: _counted(*part, f, forgotten) for name, part, f, forgotten in named}
        looked_for = used & (sizes >= MIN_CONTAINED)
        if not counting:
            is_kept = lengths < self._ngram
            is_kept |= is_repetitive
            is_kept[sorted(self._forgotten.lost)] = True
            is_kept[sorted(self._forgotten.contained)] = False
            looked_for &= is_kept
        self._parts = _Parts(
            self._tier(plain, "coverage", "rare"),
            self._tier(masked, "masked_coverage", "masked_rare"),
            _whole(plain, used),
            _heads(plain, looked_for),
        )
        return self._parts

    def _tier(self, words: _Words, short: str, long: str) -> "Tier":
        from synth_assets.quality import item_kernels as kernels

        shortest = min(COVERAGE_NGRAM, self._ngram)
        stride = _STRIDE if shortest == COVERAGE_NGRAM else 1
        n = shortest - stride + 1
        living = [np.concatenate([[0], np.cumsum(self._living[name])]).astype(np.int64) for name in (short, long)]
        hashes = kernels.grams(words.tokens, n)
        at = np.arange(len(hashes))
        # Within an n-gram that counts, which begins here or before.
        spans = zip(living, (COVERAGE_NGRAM, self._ngram), strict=True)
        within = [sums[at + 1] - sums[np.maximum(0, at + n - size)] > 0 for sums, size in spans]
        valid: Flags = within[0] | within[1]
        table, following = _indexed(hashes, valid)
        items = np.repeat(np.arange(len(words.begin), dtype=np.int32), words.end - words.begin)
        return kernels.Tier(n, stride, self._ngram, words.tokens, items, words.begin, words.end, valid, table, following, _bitmap(hashes, valid), *living)


def _left_out(words: _Words, n: int, flags: Flags) -> Flags:
    """Items with an n-gram that `flags` leaves out."""
    sums = np.concatenate([[0], flags.cumsum()])
    return np.asarray(sums[words.end] - sums[words.begin] < np.maximum(0, words.end - words.begin - n + 1))


def _counted(words: _Words, used: Flags, flags: Flags, forgotten: set[tuple[int, int]]) -> Flags:
    """Positions where an n-gram begins that counts: of a used item, telling, and no boilerplate."""
    counted: Flags = flags & np.repeat(used, words.end - words.begin)
    if forgotten:
        items, positions = np.array(sorted(forgotten), np.int64).T
        counted[words.begin[items] + positions] = False
    return counted


class _Blob(NamedTuple):
    """Texts as one run of bytes, with the classes of their characters."""

    blob: NDArray[np.uint8]
    offsets: Numbers
    classes: NDArray[np.uint8]
    lower: NDArray[np.uint32]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "_Blob":
        encoded = [text.encode() if text.isascii() else folding.folded(text).encode("utf-8", "surrogatepass") for text in texts]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)), out=offsets[1:])
        blob = np.frombuffer(b"".join(encoded), np.uint8)
        return cls(blob, offsets, *_characters(_ASCII if not len(blob) or blob.max() < _ASCII else _UNICODE))


def _tokenized(texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.uint64], Numbers]:
    """Words of all texts, masked words of all, and per text, from 0, where both end and its number of Han characters."""
    from synth_assets.quality import item_kernels as kernels

    texts_ = _Blob.of(texts)
    plain, masked = (np.empty(len(texts_.blob) + 1, np.uint64) for _ in range(2))
    ends: Numbers = kernels.tokenize_all(*texts_, _kinds(), plain, masked)
    return plain[: ends[-1, 0]].copy(), masked[: ends[-1, 1]].copy(), ends


def _table(entries: int) -> "Table":
    from synth_assets.quality import item_kernels as kernels

    slots = 1 << max(4, (2 * entries).bit_length())
    return kernels.Table(np.zeros(slots, np.uint64), np.full(slots, -1, np.int32))


def _indexed(hashes: NDArray[np.uint64], valid: Flags) -> tuple["Table", NDArray[np.int32]]:
    """Hash to the first of its valid positions, and position to the next one."""
    from synth_assets.quality import item_kernels as kernels

    table = _table(int(valid.sum()))
    return table, kernels.chain(table, hashes, valid)


def _bitmap(hashes: NDArray[np.uint64], valid: Flags) -> NDArray[np.uint64]:
    from synth_assets.quality import item_kernels as kernels

    bitmap = np.zeros(max(1, (1 << (_BITS_PER_KEY * int(valid.sum())).bit_length()) // 64), np.uint64)
    kernels.fill(bitmap, hashes, valid)
    return bitmap


def _whole(words: _Words, used: Flags) -> "Whole":
    from synth_assets.quality import item_kernels as kernels

    spans = zip(words.begin.tolist(), words.end.tolist(), strict=True)
    hashes = np.array([kernels.whole_hash(words.tokens[begin:end], end - begin) for begin, end in spans], np.uint64)
    return kernels.Whole(*_indexed(hashes, used))


def _heads(words: _Words, looked_for: Flags) -> "Heads":
    """One n-gram of each item that is looked for inside texts: the one that fewest of these items have, since many items may begin alike."""
    from synth_assets.quality import item_kernels as kernels

    items = np.flatnonzero(looked_for).astype(np.int32)
    grams = [kernels.grams(words.tokens[words.begin[item] : words.end[item]], MIN_CONTAINED) for item in items]
    if not grams:
        grams = [np.zeros(0, np.uint64)]
    _, place, count = np.unique(np.concatenate(grams), return_inverse=True, return_counts=True)
    frequencies = np.split(count[place], np.cumsum([len(g) for g in grams])[:-1])
    offsets = np.array([f.argmin() for f, _ in zip(frequencies, items, strict=False)], np.int64)
    hashes = np.array([g[offset] for g, offset in zip(grams, offsets, strict=False)], np.uint64)
    valid = np.ones(len(items), np.bool_)
    return kernels.Heads(MIN_CONTAINED, *_indexed(hashes, valid), _bitmap(hashes, valid), items, offsets)


@cache
def _characters(count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """Class and lower case of the first `count` characters."""
    import re

    from synth_assets.quality import item_kernels as kernels

    han = re.compile(f"[{HAN}]")
    classes, lower = np.zeros(count, np.uint8), np.arange(count, dtype=np.uint32)
    for code in range(count):
        c = chr(code)
        if han.match(c):
            classes[code] = kernels.HAN
            continue
        if not c.isalnum():
            continue
        classes[code] = kernels.WORD | kernels.DIGIT * c.isdigit() | kernels.UPPER * c.isupper() | kernels.LOWER * c.islower()
        lower[code] = ord(c.lower()[0])
    return classes, lower


@cache
def _kinds() -> "Table":
    """Words that mask or are masked, by their hashes."""
    from synth_assets.quality import item_kernels as kernels

    bits = {
        kernels.NUMBER_WORD: folding.NUMBER_WORDS,
        kernels.STOP_WORD: folding.STOP_WORDS,
        kernels.JOINER: folding.JOINERS,
        kernels.UNIT: folding.UNITS,
        kernels.SIGN: folding.SIGNS,
        kernels.POSSESSIVE: {"s"},
    }
    listed = sorted(set().union(*bits.values()))
    blob = _Blob.of([" ".join(listed)])
    plain, masked = (np.empty(len(blob.blob) + 1, np.uint64) for _ in range(2))
    kernels.tokenize_all(*blob, _table(0), plain, masked)
    table = _table(len(listed))
    for token, word in zip(plain, listed, strict=False):
        table.values[kernels.slot_of(table, token)] = sum(bit for bit, words in bits.items() if word in words)
    return table
