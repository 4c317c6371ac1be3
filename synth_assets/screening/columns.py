"""Which columns of somebody's file hold what the gates read, and the texts of one row under that mapping.

Guessed from the names that published data sets use, and overridable role by role. A conversation is tested exchange by exchange, because a rule
about an answer means nothing for three answers in a row. Invariant: the same mapping reads every row of a file; a row that does not fit is bad.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from synth_assets.conversations import with_thinking
from synth_assets.errors import ScreenError
from synth_assets.faults import closest, quoted

__all__ = ["ROLES", "BadRow", "Columns", "Texts", "guess_columns"]

ROLES: dict[str, tuple[str, ...]] = {
    "messages": ("messages", "conversations", "conversation"),
    "prompt": ("instruction", "prompt", "question", "query", "problem", "user"),
    "input": ("input", "context"),
    "response": ("output", "response", "answer", "completion", "solution", "canonical_solution", "generation", "assistant"),
    "thinking": ("thinking", "reasoning", "reasoning_content"),
    "chosen": ("chosen",),
    "rejected": ("rejected",),
    "system": ("system", "system_prompt"),
}
"""Every role that a column can have, and the names that it goes by, the likelier first."""

_TURNS = {"user": "user", "human": "user", "prompter": "user", "assistant": "assistant", "gpt": "assistant", "model": "assistant", "bot": "assistant"}
"""What a turn's role or `from` says to what it is; ShareGPT's names among them. Anything else is a system turn or a tool's."""

_DIALOGUE = re.compile(r"\n\n(Human|Assistant): ?")
"""The form of Anthropic's HH-RLHF (arXiv 2204.05862): a whole dialogue as one text."""


class BadRow(Exception):
    """A row that the mapping does not fit; says why."""


class Texts(NamedTuple):
    """What the gates read of one row."""

    system: str
    exchanges: list[tuple[str, str]]
    """Prompts and responses in order, one pair for a row that is no conversation; of a preference the chosen response."""
    rejected: str | None
    """The rejected response of a preference."""
    about: str = ""
    """The text that the prompt ends with, where the question stands in a column of its own."""

    @property
    def prompt(self) -> str:
        """All that is asked."""
        return "\n\n".join(prompt for prompt, _ in self.exchanges)

    @property
    def response(self) -> str:
        """All that is answered."""
        return "\n\n".join(response for _, response in self.exchanges)


@dataclass(frozen=True)
class Columns:
    """The column of each role; None where there is none."""

    messages: str | None = None
    prompt: str | None = None
    input: str | None = None
    response: str | None = None
    thinking: str | None = None
    chosen: str | None = None
    rejected: str | None = None
    system: str | None = None

    def __str__(self) -> str:
        return ", ".join(f"{role}={name}" for role, name in self.named.items())

    @property
    def named(self) -> dict[str, str]:
        """Columns by role, those that are there."""
        return {role: name for role in ROLES if (name := getattr(self, role)) is not None}

    @property
    def is_preference(self) -> bool:
        """Whether rows are preferences."""
        return self.chosen is not None

    def read(self, row: Mapping[str, Any]) -> Texts:
        """The texts of `row`; raises BadRow."""
        system = self._text(row, "system", optional=True)
        if self.is_preference:
            return self._preference(row, system)
        if self.messages is not None:
            found, exchanges = _exchanges(_value(row, self.messages), self.messages)
            return Texts(system or found, exchanges, None)
        response = with_thinking(self._text(row, "thinking", optional=True), self._text(row, "response"))
        return Texts(system, [(self._prompt(row), response)], None, self._about(row))

    def _prompt(self, row: Mapping[str, Any]) -> str:
        prompt, more = self._text(row, "prompt"), self._about(row)
        return f"{prompt}\n\n{more}" if more else prompt

    def _about(self, row: Mapping[str, Any]) -> str:
        return self._text(row, "input", optional=True)

    def _text(self, row: Mapping[str, Any], role: str, *, optional: bool = False) -> str:
        """The text of a role; conversations of a single turn count (TRL's `prompt` may be a list of messages)."""
        column: str | None = getattr(self, role)
        if column is None or (optional and row.get(column) is None):
            return ""
        return _plain(_value(row, column), column)

    def _preference(self, row: Mapping[str, Any], system: str) -> Texts:
        sides: dict[str, str] = {}
        asked = self._prompt(row) if self.prompt is not None else None
        for role in ("chosen", "rejected"):
            column = getattr(self, role)
            value = _value(row, column)
            if isinstance(value, list):
                found, exchanges = _exchanges(value, column, may_begin_with_answer=asked is not None)
                before, (last, sides[role]) = exchanges[:-1], exchanges[-1]
                whole = "\n\n".join(filter(None, [*(text for pair in before for text in pair), last]))
                system, asked = system or found, asked if asked is not None else whole
            elif isinstance(value, str) and asked is None:
                pieces = _DIALOGUE.split(value)
                if len(pieces) < 5 or pieces[-2] != "Assistant":
                    raise BadRow(f"there is no prompt column, and {quoted(column)} is no dialogue of Human and Assistant")
                asked, sides[role] = "\n\n".join(piece.strip() for piece in pieces[2:-2:2]), pieces[-1].strip()
            elif isinstance(value, str) and self.prompt is None:
                sides[role] = _DIALOGUE.split(value)[-1].strip()
            else:
                sides[role] = _plain(value, column)
        return Texts(system, [(asked or "", sides["chosen"])], sides["rejected"], self._about(row))


def guess_columns(rows: Sequence[Mapping[str, Any]], given: Mapping[str, str], *, response_optional: bool = False) -> Columns:
    """The mapping that fits the first rows of a file.

    Args:
        rows: A few rows.
        given: Columns by role that the user named; the rest is guessed. An empty name means: no column has this role.
        response_optional: A prompt alone will do (benchmarks).

    Raises:
        ScreenError: a role or column does not exist, or the columns say nothing to us.
    """
    have = list(dict.fromkeys(key for row in rows for key in row))
    for role, column in given.items():
        if role not in ROLES:
            near = closest(role, ROLES)
            raise ScreenError(
                f"--column {role}={column}: there is no role {quoted(role)}. Roles: {', '.join(ROLES)}{f' (did you mean {near}?)' if near else ''}."
            )
        if column and column not in have:
            near = closest(column, have)
            meant = f" (did you mean {quoted(near)}?)" if near else ""
            raise ScreenError(f"--column {role}={column}: no row has a column {quoted(column)}{meant}. {_listed(have)}")
    free = [name for name in have if name not in given.values()]
    by_name = {name.casefold(): name for name in reversed(free)}
    guessed: dict[str, str | None] = {role: next((by_name[n] for n in names if n in by_name), None) for role, names in ROLES.items()}
    found = {role: (given[role] or None) if role in given else guessed[role] for role in ROLES}
    # A dataset of inputs and outputs only: the input is all there is to ask.
    if found["prompt"] is None and found["input"] is not None and "input" not in given:
        found["prompt"], found["input"] = found["input"], None
    asked = set(given)
    if found["chosen"] and found["rejected"] and not asked & {"messages", "response"}:
        found |= {"messages": None, "response": None, "thinking": None}
        if "prompt" not in asked and found["prompt"] is None:
            found["input"] = None
    elif found["messages"] and not asked & {"prompt", "response"}:
        found |= {"prompt": None, "input": None, "response": None, "thinking": None, "chosen": None, "rejected": None}
    elif found["prompt"] and (found["response"] or response_optional):
        found |= {"messages": None, "chosen": None, "rejected": None}
    else:
        raise ScreenError(
            f"No columns that are a prompt and a response. {_listed(have)} Say which is which: --column prompt=NAME --column response=NAME "
            "(or messages=NAME, or chosen=NAME and rejected=NAME)."
        )
    return Columns(**found)


def _listed(have: Sequence[str]) -> str:
    more = f" and {len(have) - 20} more" if len(have) > 20 else ""
    return f"Columns: {', '.join(quoted(name) for name in have[:20]) or 'none'}{more}."


def _value(row: Mapping[str, Any], column: str) -> Any:
    if column not in row:
        raise BadRow(f"no column {quoted(column)}")
    return row[column]


def _plain(value: Any, column: str) -> str:
    """A text, or a list of messages as one text."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        return "\n\n".join(text for _, text in _turns(value, column))
    raise BadRow(f"column {quoted(column)} is {_kind(value)}, not a text")


def _exchanges(value: Any, column: str, *, may_begin_with_answer: bool = False) -> tuple[str, list[tuple[str, str]]]:
    """System text and exchanges of a conversation; several turns of one side in a row are one."""
    if not isinstance(value, list) or not value:
        raise BadRow(f"column {quoted(column)} is {_kind(value)}, not a list of messages")
    system: list[str] = []
    asked: list[str] = []
    exchanges: list[tuple[str, str]] = []
    for role, text in _turns(value, column):
        if role == "user":
            asked.append(text)
        elif role != "assistant":
            system.append(text)
        elif asked or not exchanges:
            if not asked and not may_begin_with_answer:
                raise BadRow(f"column {quoted(column)} begins with an answer")
            exchanges.append(("\n\n".join(asked), text))
            asked = []
        else:
            exchanges[-1] = (exchanges[-1][0], f"{exchanges[-1][1]}\n\n{text}")
    if not exchanges:
        raise BadRow(f"column {quoted(column)} has no answer")
    return "\n\n".join(system), exchanges


def _turns(value: Sequence[Any], column: str) -> Iterator[tuple[str, str]]:
    for place, turn in enumerate(value, 1):
        role = turn.get("role", turn.get("from")) if isinstance(turn, dict) else None
        if not isinstance(role, str):
            raise BadRow(f"turn {place} of {quoted(column)} has no role")
        content = turn.get("content", turn.get("value"))
        if isinstance(content, list):
            # The parts of a multimodal message: what is not text is left to other tools.
            content = "\n".join(str(part["text"]) for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
        if content is None and turn.get("tool_calls"):
            content = ""
        if not isinstance(content, str):
            raise BadRow(f"turn {place} of {quoted(column)} is {_kind(content)}, not a text")
        thinking = turn.get("reasoning_content", turn.get("thinking"))
        yield _TURNS.get(role.casefold(), "system"), with_thinking(thinking, content) if isinstance(thinking, str) else content


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "an object"
    return "a text" if isinstance(value, str) else f"of type {type(value).__name__}"
