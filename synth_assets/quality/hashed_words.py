"""Texts as the hashes of their words: what the compiled tokenizer is fed with, and what it makes of a list of texts.

ASCII texts go to it as they are; others are folded first, character by character. Invariant: every text's bytes are its own, one after the other,
so that nothing runs from one text into the next.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synth_assets.quality import folding
from synth_assets.quality.words import HAN

if TYPE_CHECKING:
    from synth_assets.quality.hash_tables import Table

__all__ = ["UNICODE", "Blob", "Tokens", "characters", "kinds", "tokenized"]

_ASCII, UNICODE = 0x80, 0x40000
"""Characters that have a class; past the second no letter or digit is assigned."""


class Blob(NamedTuple):
    """Texts as one run of bytes, with the classes of their characters."""

    blob: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    classes: NDArray[np.uint8]
    lower: NDArray[np.uint32]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Blob":
        """`texts`, folded."""
        encoded = [text.encode() if text.isascii() else folding.folded(text).encode("utf-8", "surrogatepass") for text in texts]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)), out=offsets[1:])
        blob = np.frombuffer(b"".join(encoded), np.uint8)
        return cls(blob, offsets, *characters(_ASCII if not len(blob) or blob.max() < _ASCII else UNICODE))


class Tokens(NamedTuple):
    """Words of texts, all in one run."""

    plain: NDArray[np.uint64]
    masked: NDArray[np.uint64]
    ends: NDArray[np.int64]
    """Per text, from a row of zeros: where its words end in `plain` and in `masked`, and its number of Han characters."""


def tokenized(texts: Sequence[str]) -> Tokens:
    """Words of all texts, plain and masked."""
    from synth_assets.quality import word_kernels as kernels

    blob = Blob.of(texts)
    plain, masked = (np.empty(len(blob.blob) + 1, np.uint64) for _ in range(2))
    ends = kernels.tokenize_all(*blob, kinds(), plain, masked)
    return Tokens(plain[: ends[-1, 0]].copy(), masked[: ends[-1, 1]].copy(), ends)


@cache
def characters(count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """Class and lower case of the first `count` characters."""
    from synth_assets.quality import word_kernels as kernels

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
def kinds() -> "Table":
    """Words that mask or are masked, by their hashes: the bits of `word_kernels`."""
    from synth_assets.quality import word_kernels as kernels
    from synth_assets.quality.hash_tables import empty_table, slot_of

    bits = {
        kernels.NUMBER_WORD: folding.NUMBER_WORDS,
        kernels.STOP_WORD: folding.STOP_WORDS,
        kernels.JOINER: folding.JOINERS,
        kernels.UNIT: folding.UNITS,
        kernels.SIGN: folding.SIGNS,
        kernels.POSSESSIVE: {"s"},
    }
    listed = sorted(set().union(*bits.values()))
    blob = Blob.of([" ".join(listed)])
    plain, masked = (np.empty(len(blob.blob) + 1, np.uint64) for _ in range(2))
    kernels.tokenize_all(*blob, empty_table(0), plain, masked)
    table = empty_table(len(listed))
    for token, word in zip(plain, listed, strict=False):
        table.values[slot_of(table, token)] = sum(bit for bit, words in bits.items() if word in words)
    return table
