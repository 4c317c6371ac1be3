"""What a rule says about a text: its name, what it measured, and a piece of text that a reader can check.

Evidence goes into tables and onto pages: one line, at most `EVIDENCE` characters, always encodable as UTF-8. What must not be shown in full
(addresses, keys) is masked before it gets here. Invariant: a function of the gates returns at most one finding per rule.
"""

import re
from typing import NamedTuple

__all__ = ["EVIDENCE", "Finding", "excerpt", "masked", "one_line"]

EVIDENCE = 120
"""Characters of evidence at most."""

_CONTEXT = 30
"""Characters shown on either side of a match."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Finding(NamedTuple):
    """One rule that one text broke."""

    rule: str
    """The rule's name."""
    score: float | None
    """What was measured, in the rule's own unit; None where the rule is yes or no."""
    evidence: str
    """What was found, one line of at most 120 characters."""


def one_line(text: str, limit: int = EVIDENCE) -> str:
    """`text` on one line, control characters and lone surrogates as escapes, cut to `limit` characters."""
    # Four times the limit is enough to fill it, even if most is white space; a long response is not split as a whole.
    flat = " ".join(text[: 4 * limit].split())
    flat = _UNPRINTABLE.sub(lambda m: f"\\u{ord(m.group()):04x}", flat)
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def excerpt(text: str, start: int, end: int) -> str:
    """The match `text[start:end]` with a little of what stands around it."""
    end = min(end, start + EVIDENCE)
    return one_line(text[max(0, start - _CONTEXT) : end + _CONTEXT])


def masked(secret: str) -> str:
    """`secret` with all but its ends replaced by asterisks: enough to recognise it in the row, not enough to use it."""
    shown = 2 if len(secret) < 12 else 4
    ends = min(shown, len(secret) // 4)
    return one_line(f"{secret[:ends]}{'*' * min(12, len(secret) - 2 * ends)}{secret[len(secret) - ends :]}")
