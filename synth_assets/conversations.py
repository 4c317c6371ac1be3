"""What a model reads of a row: its prompt, its answer with the reasoning inside tags, and both as messages.

One place, so that the text which was tested for contamination is the text that is released.
"""

from typing import TypedDict

from synth_assets.accounts import Row

__all__ = ["Turn", "approximate_tokens", "messages", "prompt_of", "response_of", "user_text", "with_thinking"]


class Turn(TypedDict):
    """One message of a conversation, as the exports have it."""

    role: str
    content: str


def prompt_of(row: Row) -> str:
    """Instruction and input as a teacher and a student are shown them: two paragraphs, or one where there is no input."""
    return f"{row['instruction']}\n\n{row['input']}" if row["input"] else str(row["instruction"])


def with_thinking(thinking: str, response: str) -> str:
    """The text that a student learns: the reasoning inside its tags, then the answer."""
    return f"<think>\n{thinking}\n</think>\n\n{response}" if thinking else response


def response_of(row: Row) -> str:
    """What the gates read, a judge scores and a student learns of a row of teacher_responses, or of a pair: the chosen answer."""
    return str(row["chosen"]) if "chosen" in row else with_thinking(row["thinking"], row["response"])


def messages(*, system: str = "", user: str = "", assistant: str = "") -> list[Turn]:
    """The turns that have a text, in order."""
    turns = (("system", system), ("user", user), ("assistant", assistant))
    return [Turn(role=role, content=content) for role, content in turns if content]


def user_text(turns: list[Turn]) -> str:
    """What the user says in a conversation of one exchange."""
    return next(turn["content"] for turn in turns if turn["role"] == "user")


def approximate_tokens(row: Row) -> int:
    """Tokens of a row of `mixed`, roughly: UTF-8 bytes by 4, which suits both English words and Han characters."""
    said = [*row["messages"], *(row.get("chosen") or ()), *(row.get("rejected") or ())]
    return round(sum(len(message["content"].encode()) for message in said) / 4)
