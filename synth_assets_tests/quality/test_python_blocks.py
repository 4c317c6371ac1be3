"""Code that cannot run is found, and what is no whole program is let be."""

import pytest

from synth_assets.quality.python_blocks import find_unparsable


@pytest.mark.parametrize(
    "code",
    [
        "x = [2, 1]\nprint(sorted(x)",
        "while True # no colon\n    pass",
        "x = 28979LIMIT\ny = 1",
        "print 'Python 2'\ny = 1",
        "print(f'{name) = {value}')\ny = 1",
        "def f(x):\n    return x\n  print(x)",
        "extends KinematicBody\ny = 1",
        "x = 1\n" + "(" * 19_000,
        "x = 1\n" + "[" * 9_000 + "]" * 9_000,
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
        "range(start, stop[, step])",
        "def area(width: float) -> float",
        "try:\n    x = 1 / 0",
        'x = 1\nprint(f"{"\\n".join(xs)}")',
        """x = 1\nprint(f'{"it's"}')""",
        'x = 1\nprint(f"Total: {sum(\n    xs\n)}")',
        'name = 1\nprint(t"Hello {name}")',
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


def test_a_block_ends_where_its_own_fence_does() -> None:
    assert find_unparsable("```py\nx = 1\nprint(1") is None
    assert find_unparsable('```python\ndef f():\n    """Example:\n\n    ```\n    f(\n    ```\n    """\n    return 1\n```') is None
    assert find_unparsable("  ```Python3\n  x = 1\n  print(1\n  ```\n") is not None
