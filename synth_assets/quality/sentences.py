"""Sentences of a text, English or Chinese, as pieces that can be counted, left out or put in another order.

A line end ends a sentence, because lists and formulas have no full stops. Invariant: nothing but white space is lost.
"""

import re

__all__ = ["sentences"]

_END = re.compile(r"(?<=[.!?])[ \t]+|(?<=[。！？])")
_NO_END = re.compile(r"(?:^|.*\s)(?:Mr|Ms|Mrs|Dr|St|vs|e\.g|i\.e|approx|No|[A-Z])\.|(?:\d{1,3}|[a-zA-Z])[.)]")
"""A piece that goes on after its full stop: it ends in a title, an abbreviation or an initial, or is nothing but a list number."""


def sentences(text: str) -> list[str]:
    """Sentences and lines of `text`, in order, without surrounding white space; a list number stays with its item."""
    pieces: list[str] = []
    for line in text.splitlines():
        open_piece = ""
        for raw in _END.split(line):
            piece = f"{open_piece} {raw.strip()}".strip()
            if _NO_END.fullmatch(piece):
                open_piece = piece
                continue
            open_piece = ""
            if piece:
                pieces.append(piece)
        if open_piece:
            pieces.append(open_piece)
    return pieces
