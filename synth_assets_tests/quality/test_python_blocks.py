"""Code that cannot run is found, and what is no whole program is let be."""

import pytest

from synth_assets.quality.python_blocks import find_unparsable


@pytest.mark.parametrize(
    "code",
    [
        "print(sorted([2, 1])",
        "while True # no colon\n    pass",
        "x = 28979LIMIT",
        "print 'Python 2'",
        "print(f'{name) = {value}')",
        "def f(x):\n    return x\n  print(x)",
        "extends KinematicBody",
        "(" * 19_000,
        "[" * 9_000 + "]" * 9_000,
    ],
)
def test_what_does_not_parse_is_found(code: str) -> None:
    text = f"Here it is:\n```python\n{code}\n```\nDone."
    span = find_unparsable(text)
    assert span is not None
    assert text[slice(*span)] == f"{code}\n"


@pytest.mark.parametrize(
    "code",
    [
        "print(sorted([2, 1]))",
        "    x = 1\n    y = 2",
        "def area(width, height):",
        "else:\n    print(2)",
        ">>> sorted([2, 1])\n[1, 2]",
        "pip install duckdb",
        "$ python main.py",
        "!ls",
        "for x in xs:\n    ...\n",
        "first(\n...\n",
        "f'{row.get('name')}'",
        "f'{row[\"\\n\"]}'",
        """f"{rows["a"]}" """,
        "type Pair = tuple[int, int]",
        "def first[T](xs: list[T]) -> T: return xs[0]",
        "try:\n    f()\nexcept A, B:\n    pass",
        "re.match('\\d', x)",
        "a\x00b(",
        "-" * 19_000 + "1",
        "(" * 30_000,
        "",
    ],
)
def test_what_is_no_program_or_a_good_one_is_let_be(code: str) -> None:
    assert find_unparsable(f"```python\n{code}\n```") is None


@pytest.mark.parametrize("fence", ["", "text", "javascript", "pycon", "python repl"])
def test_only_what_is_called_python_is_judged(fence: str) -> None:
    assert find_unparsable(f"```{fence}\nfor x in\n```") is None


def test_a_block_that_is_never_closed_is_judged_too() -> None:
    assert find_unparsable("```py\nprint(1") is not None
    assert find_unparsable("   ```Python3\n   print(1)") is None
