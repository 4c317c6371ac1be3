"""Columns are guessed from the names that data sets have, and every shape of a row is read or refused with the reason."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_assets.errors import ScreenError
from synth_assets.screening.columns import ROLES, BadRow, guess_columns

TURNS = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}]


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ({"instruction": "a", "input": "b", "output": "c"}, "prompt=instruction, input=input, response=output"),
        ({"prompt": "a", "response": "c"}, "prompt=prompt, response=response"),
        ({"question": "a", "answer": "c", "id": 4}, "prompt=question, response=answer"),
        ({"Question": "a", "Answer": "c"}, "prompt=Question, response=Answer"),
        ({"instruction": "a", "context": "b", "response": "c", "category": "d"}, "prompt=instruction, input=context, response=response"),
        ({"input": "a", "output": "c"}, "prompt=input, response=output"),
        ({"problem": "a", "solution": "c", "answer": "4"}, "prompt=problem, response=answer"),
        ({"messages": TURNS, "prompt": "a", "completion": "b"}, "messages=messages"),
        ({"id": "x", "conversations": TURNS}, "messages=conversations"),
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, "prompt=prompt, chosen=chosen, rejected=rejected"),
        ({"prompt": "a", "chosen": TURNS, "rejected": TURNS, "messages": TURNS}, "prompt=prompt, chosen=chosen, rejected=rejected"),
        ({"system": "s", "prompt": "a", "response": "c", "reasoning": "r"}, "prompt=prompt, response=response, thinking=reasoning, system=system"),
    ],
)
def test_columns_are_guessed(row: dict[str, Any], columns: str) -> None:
    assert str(guess_columns([row], {})) == columns


def test_columns_can_be_named_role_by_role() -> None:
    row = {"instruction": "a", "input": "b", "output": "c", "better_output": "d"}
    assert str(guess_columns([row], {"response": "better_output"})) == "prompt=instruction, input=input, response=better_output"
    assert str(guess_columns([row], {"input": ""})) == "prompt=instruction, response=output"
    assert str(guess_columns([row | {"messages": TURNS}], {"response": "output"})) == "prompt=instruction, input=input, response=output"


@pytest.mark.parametrize(
    ("row", "given_columns", "message"),
    [
        ({"text": "a"}, {}, r"No columns that are a prompt and a response. Columns: 'text'. .*--column prompt=NAME"),
        ({"prompt": "a", "response": "b"}, {"prompt": "promt"}, r"no row has a column 'promt' \(did you mean 'prompt'\?\)"),
        ({"prompt": "a", "response": "b"}, {"answers": "response"}, r"there is no role 'answers'"),
        ({"\x1b[31mred": "a"}, {}, r"'\\x1b\[31mred'"),
    ],
)
def test_what_says_nothing_is_refused_with_a_remedy(row: dict[str, Any], given_columns: dict[str, str], message: str) -> None:
    with pytest.raises(ScreenError, match=message):
        guess_columns([row], given_columns)


@pytest.mark.parametrize(
    ("row", "system", "exchanges", "rejected"),
    [
        ({"instruction": "a", "input": "b", "output": "c"}, "", [("a\n\nb", "c")], None),
        ({"instruction": "a", "input": None, "output": "c"}, "", [("a", "c")], None),
        ({"prompt": "a", "response": "c", "reasoning": "r"}, "", [("a", "<think>\nr\n</think>\n\nc")], None),
        ({"prompt": [{"role": "user", "content": "a"}], "response": "c"}, "", [("a", "c")], None),
        ({"messages": TURNS}, "Be brief.", [("Why?", "Because.")], None),
        ({"messages": [*TURNS, *TURNS[1:]]}, "Be brief.", [("Why?", "Because.")] * 2, None),
        ({"messages": [*TURNS[1:], {"role": "assistant", "content": "Indeed."}]}, "", [("Why?", "Because.\n\nIndeed.")], None),
        ({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}, "", [("a", "b")], None),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}, TURNS[2]]}, "", [("a", "Because.")], None),
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, "", [("a", "b")], "c"),
        ({"chosen": TURNS, "rejected": [*TURNS[:2], {"role": "assistant", "content": "No."}]}, "Be brief.", [("Why?", "Because.")], "No."),
        ({"prompt": "Why?", "chosen": TURNS, "rejected": TURNS}, "Be brief.", [("Why?", "Because.")], "Because."),
        ({"prompt": TURNS[1:2], "chosen": TURNS[2:], "rejected": TURNS[2:]}, "", [("Why?", "Because.")], "Because."),
        ({"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"}, "", [("a", "b")], "c"),
    ],
)
def test_rows_are_read(row: dict[str, Any], system: str, exchanges: list[tuple[str, str]], rejected: str | None) -> None:
    texts = guess_columns([row], {}).read(row)
    assert (texts.system, texts.exchanges, texts.rejected) == (system, exchanges, rejected)


@pytest.mark.parametrize(
    ("first", "row", "reason"),
    [
        ({"prompt": "a", "response": "b"}, {"prompt": "a"}, "no column 'response'"),
        ({"prompt": "a", "response": "b"}, {"prompt": "a", "response": None}, "column 'response' is null, not a text"),
        ({"prompt": "a", "response": "b"}, {"prompt": 4, "response": "b"}, "column 'prompt' is a number, not a text"),
        ({"messages": TURNS}, {"messages": []}, "column 'messages' is an empty list, not a list of messages"),
        ({"messages": TURNS}, {"messages": TURNS[:2]}, "column 'messages' has no answer"),
        ({"messages": TURNS}, {"messages": TURNS[2:]}, "column 'messages' begins with an answer"),
        ({"messages": TURNS}, {"messages": ["hi"]}, "turn 1 of 'messages' has no role"),
        ({"messages": TURNS}, {"messages": [TURNS[1], {"role": "assistant", "content": 4}]}, "turn 2 of 'messages' is a number, not a text"),
        ({"chosen": TURNS, "rejected": TURNS}, {"chosen": "b", "rejected": "c"}, "there is no prompt column, and 'chosen' is no dialogue"),
    ],
)
def test_rows_that_do_not_fit_say_why(first: dict[str, Any], row: dict[str, Any], reason: str) -> None:
    columns = guess_columns([first], {})
    with pytest.raises(BadRow) as error:
        columns.read(row)
    assert str(error.value).startswith(reason)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "from"]), v),
)


@given(
    st.dictionaries(st.sampled_from([name for names in ROLES.values() for name in names]), values, max_size=5),
    st.dictionaries(st.sampled_from(["prompt", "messages"]), values),
)
def test_any_object_is_read_or_refused(first: dict[str, Any], second: dict[str, Any]) -> None:
    try:
        columns = guess_columns([first], {})
    except ScreenError:
        return
    for row in (first, second):
        try:
            texts = columns.read(row)
        except BadRow:
            continue
        assert texts.exchanges and all(isinstance(text, str) for pair in texts.exchanges for text in pair)
