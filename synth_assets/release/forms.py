"""Rows of a release in the forms of other trainers: Alpaca (instruction, input, output) and ShareGPT (conversations).

Both are JSON Lines as LLaMA-Factory and Axolotl read them. Invariant: every row of the release is in every form, under its id, with the same texts.
"""

from collections.abc import Callable, Mapping
from typing import Any

from synth_assets.accounts import Row

__all__ = ["FORMS"]

_SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt"}


def _alpaca(row: Row) -> dict[str, Any]:
    """The last question as `instruction`, earlier turns as `history`; a pair has `chosen` and `rejected` in the place of `output`."""
    turns = [*(row["prompt"] if "prompt" in row else row["messages"])]
    system = turns.pop(0)["content"] if turns and turns[0]["role"] == "system" else ""
    answer = {"chosen": row["chosen"][-1]["content"], "rejected": row["rejected"][-1]["content"]} if "prompt" in row else {"output": turns.pop()["content"]}
    instruction = turns.pop()["content"]
    history = [[asked["content"], said["content"]] for asked, said in zip(turns[::2], turns[1::2], strict=True)]
    return {"instruction": instruction, "input": "", **answer, "system": system, "history": history}


def _sharegpt(row: Row) -> dict[str, Any]:
    """`conversations` of `from` and `value`; a pair has its answers as `chosen` and `rejected` of the same form."""
    said = {"conversations": row["prompt"] if "prompt" in row else row["messages"], **{name: row[name] for name in ("chosen", "rejected") if name in row}}
    turned = {name: [{"from": _SPEAKERS[turn["role"]], "value": turn["content"]} for turn in turns] for name, turns in said.items()}
    return {**turned, **{name: turns[-1] for name, turns in turned.items() if name != "conversations"}}


FORMS: Mapping[str, Callable[[Row], dict[str, Any]]] = {"alpaca": _alpaca, "sharegpt": _sharegpt}
"""Row of an export to the row of that form, by the form's name: the name of its folder."""
