"""The word n-grams of benchmark items, and where they occur in a row.

A row is one run of words, prompt then answer, so that one pass finds what stands in either and what runs over from one to the other. n-grams that
are common in real data are forgotten before any row is looked at. Invariant: an n-gram matches word for word; nothing is hashed away.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Literal, NamedTuple

from synth_assets.quality.words import ngrams

__all__ = ["ItemNgrams", "Match", "Where", "longest_run", "no_matches"]

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


def no_matches() -> defaultdict[int, Match]:
    """An empty collection of matches by item number."""
    return defaultdict(lambda: Match(set(), set(), set()))


class ItemNgrams:
    """All n-grams of one length."""

    def __init__(self, n: int, is_telling: Callable[[Sequence[str]], bool] = bool) -> None:
        """`is_telling` says whether an n-gram may count as a match at all."""
        self.n = n
        self._is_telling = is_telling
        self._items: defaultdict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
        self._documents: defaultdict[tuple[str, ...], int] = defaultdict(int)

    def add(self, item: int, tokens: Sequence[str]) -> None:
        """Index the words of item number `item`."""
        for start, gram in enumerate(ngrams(tokens, self.n)):
            if self._is_telling(gram):
                self._items[gram].append((item, start))

    def count_document(self, tokens: Sequence[str]) -> None:
        """Note which n-grams of the items a real text holds."""
        for gram in set(ngrams(tokens, self.n)):
            if gram in self._items:
                self._documents[gram] += 1

    def forget_common(self, common: int) -> None:
        """Forget the n-grams that at least `common` real texts hold."""
        for gram, documents in self._documents.items():
            if documents >= common:
                del self._items[gram]
        self._documents.clear()

    def matches(self, prompt: Sequence[str], answer: Sequence[str]) -> dict[int, Match]:
        """What a row covers of each item, by item number."""
        found = no_matches()
        items = self._items
        for start, gram in enumerate(ngrams([*prompt, *answer], self.n)):
            for item, position in items.get(gram, ()):
                found[item].cover(range(position, position + self.n), start, start + self.n, len(prompt))
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
