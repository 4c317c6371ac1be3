"""Compiled tokenizer: the words of a text in UTF-8 as 64-bit hashes, in lower case, and a second time with numbers and names masked.

A text is read once, byte by byte, and its words are hashed as they end. Invariant: texts that `folding` reads as the same words, plain or masked,
have the same hashes; another word may have them too, so that the words themselves are compared wherever a match counts.
"""

from typing import Any

import numpy as np

from synth_assets.quality.compilation import compiled
from synth_assets.quality.hash_tables import find, mix

__all__ = ["DIGIT", "HAN", "JOINER", "LOWER", "NAME_HASH", "NUMBER_HASH", "NUMBER_WORD", "POSSESSIVE", "SIGN", "STOP_WORD", "UNIT", "UPPER", "WORD"]
__all__ += ["tokenize", "tokenize_all"]

WORD, HAN, DIGIT, UPPER, LOWER = 1, 2, 4, 8, 16
"""Bits of a character's class."""

NUMBER_WORD, STOP_WORD, JOINER, UNIT, SIGN, POSSESSIVE = 1, 2, 4, 8, 16, 32
"""Bits of a word's kind, for masking."""

NUMBER_HASH, NAME_HASH = np.uint64(0x1F3D5B79A8C6E401), np.uint64(0x5A17C3E98B2D4F60)
_SEED, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


@compiled
def _decoded(blob: Any, i: Any) -> Any:
    """The character that begins with the non-ASCII byte i, and its length in bytes."""
    c = np.int64(blob[i])
    if c < 0xE0:
        return (c & 0x1F) << 6 | np.int64(blob[i + 1]) & 0x3F, 2
    if c < 0xF0:
        return (c & 0x0F) << 12 | (np.int64(blob[i + 1]) & 0x3F) << 6 | np.int64(blob[i + 2]) & 0x3F, 3
    return (c & 0x07) << 18 | (np.int64(blob[i + 1]) & 0x3F) << 12 | (np.int64(blob[i + 2]) & 0x3F) << 6 | np.int64(blob[i + 3]) & 0x3F, 4


@compiled
def tokenize(blob: Any, start: Any, stop: Any, classes: Any, lower: Any, kinds: Any, plain: Any, at: Any, masked: Any, at_masked: Any) -> Any:
    """Hash the words of blob[start:stop], UTF-8 as `folding.folded` leaves it, into `plain` from `at` and, masked, into `masked` from `at_masked`.

    Returns both ends and the number of Han characters.
    """
    first_masked = at_masked
    known_characters = len(classes)
    keys, values = kinds.keys, kinds.values
    last_slot = np.uint64(len(keys) - 1)
    hans = 0
    i = start
    while i < stop:
        c: Any = np.int64(blob[i])
        width: Any = 1
        if c >= 0x80:
            c, width = _decoded(blob, i)
        kind: Any = np.int64(classes[c]) if c < known_characters else np.int64(0)
        i += width
        if kind == 0:
            continue
        first, bits, length = kind, kind, 1
        h = (_SEED ^ np.uint64(lower[c])) * _PRIME
        if kind & HAN:
            hans += 1
        else:
            while i < stop:
                c = np.int64(blob[i])
                width = 1
                if c >= 0x80:
                    c, width = _decoded(blob, i)
                kind = np.int64(classes[c]) if c < known_characters else np.int64(0)
                # A Han character ends the word before it and is one itself.
                if not kind & WORD:
                    break
                h = (h ^ np.uint64(lower[c])) * _PRIME
                bits |= kind
                length += 1
                i += width
        token = mix(h)
        plain[at] = token
        at += 1
        # As `find`, in place: a call per word, which counts references to the arrays, made all of this a fifth slower.
        slot = token & last_slot
        while keys[slot] != token and keys[slot] != np.uint64(0):
            slot = (slot + np.uint64(1)) & last_slot
        known = values[slot] if keys[slot] == token else np.int32(0)
        last = masked[at_masked - 1] if at_masked > first_masked else np.uint64(0)
        if bits & DIGIT or known & NUMBER_WORD:
            before = find(kinds, last)
            if before > 0 and (before & SIGN or (before & JOINER and at_masked - 1 > first_masked and masked[at_masked - 2] == NUMBER_HASH)):
                at_masked -= 1
            if at_masked == first_masked or masked[at_masked - 1] != NUMBER_HASH:
                masked[at_masked] = NUMBER_HASH
                at_masked += 1
        elif first & UPPER and (length == 1 or bits & LOWER) and not known & STOP_WORD:
            if last != NAME_HASH:
                masked[at_masked] = NAME_HASH
                at_masked += 1
        elif not (known & UNIT and last == NUMBER_HASH) and not (known & POSSESSIVE and last == NAME_HASH):
            masked[at_masked] = token
            at_masked += 1
    return at, at_masked, hans


@compiled
def tokenize_all(blob: Any, offsets: Any, classes: Any, lower: Any, kinds: Any, plain: Any, masked: Any) -> Any:
    """All texts one after the other: per text, from 0, the ends in `plain` and in `masked`, and the Han characters."""
    ends = np.zeros((len(offsets), 3), np.int64)
    for text in range(len(offsets) - 1):
        at, at_masked, hans = tokenize(blob, offsets[text], offsets[text + 1], classes, lower, kinds, plain, ends[text, 0], masked, ends[text, 1])
        ends[text + 1] = (at, at_masked, hans)
    return ends
