"""What all methods share about a candidate: how a reply becomes a row or a rejection."""

import re
from collections.abc import Sequence

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.identity import canonical, row_id, seeded
from synth_assets.quality.findings import EVIDENCE, one_line
from synth_assets.teacher.messages import Reply

_NAME = r"(?:(?:new |rewritten )?(?:task|instruction|question|answer|prompt)|(?:新的?|改[写编]后的?)?(?:任务|指令|问题|回答))"
_LABEL = re.compile(rf"(?:\*\*{_NAME}\s*[:：]\*\*|\*\*{_NAME}\*\*\s*[:：]|{_NAME}\s*[:：])\s*", re.IGNORECASE)
_CLOSING = {'"': '"', "“": "”", "'": "'", "「": "」"}


def unusable(reply: Reply, base: Row, outcome: Outcome) -> bool:
    """Reject `reply` under its own rule where it has one; the row keeps whatever text came."""
    if reply.rule:
        reject_reply(reply, base, reply.rule, outcome, [reply.key])
    return bool(reply.rule)


def reject_reply(reply: Reply, base: Row, rule: str, outcome: Outcome, keys: Sequence[str]) -> None:
    """Reject a reply that made no candidate; `base` is the candidate's position and `keys` are all calls behind it.

    The row's id is made of both position and call, because two positions that ask the same thing share one call.
    """
    identity = row_id(base["domain"], "replies", canonical(base), reply.key)
    outcome.reject({**base, "id": identity, "text": reply.text}, rule, evidence=reply.evidence or one_line(reply.text[-EVIDENCE:]))
    outcome.use(identity, keys)


def drawn_responses(domain: Domain, responses: Sequence[Row], method: str, most: int) -> list[Row]:
    """Rows of teacher_responses that a method makes pairs from, drawn by seed: `most` at most, one per instruction, in the order of `responses`."""
    first: dict[str, Row] = {}
    for row in responses:
        first.setdefault(row["instruction_id"], row)
    rows = list(first.values())
    places = seeded(domain.seed, domain.name, method, "responses").sample(range(len(rows)), min(most, len(rows)))
    return [rows[place] for place in sorted(places)]


INPUT_LABELS = {"en": "Input:", "zh": "输入："}
_INPUT = {language: re.compile(rf"\b{label[:-1]}\s*[:：]") for language, label in INPUT_LABELS.items()}


def with_input(row: Row, language: str) -> str:
    """A task as prompts show it and as replies should look: its input, where it has one, behind a label."""
    return f"{row['instruction']}\n{INPUT_LABELS[language]} {row['input']}" if row["input"] else str(row["instruction"])


def split_input(text: str, language: str) -> tuple[str, str]:
    """Instruction and input of a reply: the input follows its label, where there is one."""
    instruction, *material = _INPUT[language].split(text, maxsplit=1)
    return bare(instruction), "".join(material).strip()


def bare(text: str) -> str:
    """`text` without the label or the quotation marks that models like to put around a task."""
    text = text.strip()
    for _ in range(2):  # a label before the quotation marks, or within them
        label = _LABEL.match(text)
        text = text[label.end() :] if label else text
        closing = _CLOSING.get(text[:1])
        if closing and len(text) > 2 and text.endswith(closing) and closing not in text[1:-1]:
            text = text[1:-1].strip()
    return text


def folded(text: str) -> str:
    """`text` for comparing: case, white space and punctuation at its ends do not count."""
    return " ".join(text.casefold().split()).strip(" .!?。！？\"'")
