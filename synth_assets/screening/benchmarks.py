"""Benchmarks that a screened file must not contain: one file each, in any of the shapes that benchmarks have.

A benchmark with a line that cannot be read would leave items unprotected in silence, so any fault stops the run. Invariant: the index has found
every canary that was planted in it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from synth_assets import config
from synth_assets.errors import ScreenError, StageFailed
from synth_assets.faults import quoted
from synth_assets.quality.canaries import missed_canaries, plant_canaries
from synth_assets.quality.decontamination import Index, Item
from synth_assets.screening.columns import BadRow, Columns, guess_columns
from synth_assets.screening.reading import Source

__all__ = ["Benchmark", "benchmark_index", "read_benchmark", "real_texts"]

_IDS = ("id", "item_id", "task_id", "question_id", "uid", "uuid")
_TURNS = ("turns", "messages", "conversations")


class Benchmark(NamedTuple):
    """The items of one file."""

    name: str
    """The file's stem."""
    path: Path
    digest: str
    """SHA-256 of the file."""
    columns: str
    """How its columns were read, in words."""
    items: list[Item]


def read_benchmark(path: Path) -> Benchmark:
    """All items of the file at `path`, prompt and answer apart; raises ScreenError with the line of the first fault."""
    source = Source.of(path)
    name = path.name.split(".")[0]
    items: list[Item] = []
    columns: Columns | None = None
    for line in source.lines():
        if line.row is None:
            raise ScreenError(f"{path}:{line.number}: {line.fault}. Mend the benchmark: an item that cannot be read protects nothing.")
        row = line.row
        turns = row.get("turns")
        try:
            if isinstance(turns, list) and turns and all(isinstance(turn, str) for turn in turns):
                # MT-bench: every turn is a prompt of its own, and so is what they make together.
                prompts, answer = [*turns, "\n".join(turns)] if len(turns) > 1 else turns, ""
            else:
                columns = columns or guess_columns([row], {}, response_optional=True)
                prompts, answer = _prompt_and_answer(columns, row)
        except (BadRow, ScreenError) as error:
            raise ScreenError(
                f"{path}:{line.number}: {error} A benchmark needs a prompt in each row (prompt, question, instruction, problem or turns)."
            ) from error
        identity = next((str(row[key]) for key in _IDS if row.get(key) not in (None, "")), str(line.number))
        items += [Item(name, identity if len(prompts) == 1 else f"{identity}.{n}", "prompt", prompt) for n, prompt in enumerate(prompts, 1)]
        if answer:
            items.append(Item(name, identity, "answer", answer))
    if not items:
        raise ScreenError(f"{path}: a benchmark without items. Leave it out, or name the right file.")
    return Benchmark(name, path, source.digest(), str(columns or "turns"), items)


def _prompt_and_answer(columns: Columns, row: dict[str, Any]) -> tuple[list[str], str]:
    if columns.response is not None and not isinstance(row.get(columns.response), str):
        # A list of accepted answers, a number, nothing: the prompt is what protects.
        row = row | {columns.response: ""}
    texts = columns.read(row)
    if not texts.prompt.strip():
        raise BadRow("the prompt is empty.")
    return [texts.prompt], texts.response


def benchmark_index(benchmarks: Sequence[Benchmark], real: Sequence[str], settings: config.Decontamination) -> Index:
    """The index of all items; what is common in the texts `real` is boilerplate.

    Raises:
        ScreenError: two benchmarks have one name.
        StageFailed: a planted canary was not found.
    """
    names = [benchmark.name for benchmark in benchmarks]
    for name in names:
        if names.count(name) > 1:
            raise ScreenError(f"Two benchmarks are called {quoted(name)}, after their files. Rename one of the files: hits name the benchmark.")
    index = Index.build([item for benchmark in benchmarks for item in benchmark.items], real, settings)
    missed = missed_canaries(index, plant_canaries(index, names))
    if missed:
        kinds = ", ".join(sorted({canary.kind for canary in missed}))
        raise StageFailed(f"decontamination missed {len(missed)} of its own planted canaries ({kinds}): no row can be trusted to be clean. Please report it.")
    return index


def real_texts(path: Path) -> list[str]:
    """One text per row of a file of real rows; raises ScreenError for the first line that is none."""
    columns: Columns | None = None
    texts: list[str] = []
    for line in Source.of(path).lines():
        if line.row is None:
            raise ScreenError(f"{path}:{line.number}: {line.fault}.")
        columns = columns or guess_columns([line.row], {})
        try:
            read = columns.read(line.row)
        except BadRow as error:
            raise ScreenError(f"{path}:{line.number}: {error}.") from error
        texts.append(f"{read.prompt}\n{read.response}")
    return texts
