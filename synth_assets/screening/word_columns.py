"""The words of many texts in four bytes each.

Near-duplicates are a question about all rows at once, and a Python list of words takes eight bytes a word and a string for each occurrence. Here
every different word is kept once, and a text is read back as words when it is asked for. Invariant: what comes out is what went in.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

__all__ = ["Vocabulary", "WordColumn"]


class Vocabulary:
    """Different words by number, shared by several columns."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._numbers: dict[str, int] = {}

    def numbers(self, words: Iterable[str]) -> "array[int]":
        """The numbers of `words`; new words get new ones."""
        known = self._numbers
        found = array("I")
        for word in words:
            number = known.get(word)
            if number is None:
                number = known[word] = len(self.words)
                self.words.append(word)
            found.append(number)
        return found


class WordColumn(Sequence[Sequence[str]]):
    """A column of texts as words; a text is decoded each time it is asked for."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._numbers = array("I")
        self._ends = array("Q", [0])

    def append(self, words: Iterable[str]) -> None:
        """Put a text at the end."""
        self._numbers.extend(self._vocabulary.numbers(words))
        self._ends.append(len(self._numbers))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[Sequence[str]]:
        return (self[place] for place in range(len(self)))

    @overload
    def __getitem__(self, place: int) -> Sequence[str]: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Sequence[str]]: ...
    def __getitem__(self, place: int | slice) -> Sequence[str] | Sequence[Sequence[str]]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        place %= len(self)
        words = self._vocabulary.words
        return [words[number] for number in self._numbers[self._ends[place] : self._ends[place + 1]]]
