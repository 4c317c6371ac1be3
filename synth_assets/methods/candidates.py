"""What all methods share about a candidate: how a reply becomes a row or a rejection, and how a prompt is put together."""

import re

from synth_assets.accounts import Outcome, Row
from synth_assets.teacher.messages import Reply

_LABEL = re.compile(r"^(?:new |rewritten )?(?:task|instruction|question|answer|prompt|任务|指令|问题|回答)\s*[:：]\s*", re.IGNORECASE)
_CLOSING = {'"': '"', "“": "”", "'": "'", "「": "」"}


def prompt_of(row: Row) -> str:
    """Instruction and input as a teacher and a student are shown them: two paragraphs, or one where there is no input."""
    return f"{row['instruction']}\n\n{row['input']}" if row["input"] else str(row["instruction"])


def unusable(reply: Reply, base: Row, outcome: Outcome) -> bool:
    """Reject `reply` under its own rule where it has one; its row takes the key of the call and keeps whatever text came."""
    if not reply.rule:
        return False
    outcome.reject({**base, "id": reply.key, "text": reply.text}, reply.rule, evidence=reply.evidence or reply.text[-120:])
    outcome.use(reply.key, [reply.key])
    return True


def bare(text: str) -> str:
    """`text` without the label or the quotation marks that models like to put around a task."""
    text = _LABEL.sub("", text.strip()).strip()
    closing = _CLOSING.get(text[:1])
    if closing and len(text) > 2 and text.endswith(closing) and closing not in text[1:-1]:
        text = text[1:-1].strip()
    return text


def folded(text: str) -> str:
    """`text` for comparing: case, white space and punctuation at its ends do not count."""
    return " ".join(text.casefold().split()).strip(" .!?。！？\"'")
