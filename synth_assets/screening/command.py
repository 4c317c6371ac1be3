"""`synth-assets screen`: from what the user typed to the output folder and an exit status.

Everything that can be wrong with the command is said before the first row is read. On a terminal progress is drawn in place, elsewhere it is a line
every ten seconds. Invariant: the status is 0 or 3 only where the output folder holds a finished run.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from synth_assets.errors import ScreenError
from synth_assets.faults import quoted
from synth_assets.home import Home
from synth_assets.quality.embeddings import Embedder, supports
from synth_assets.quality.findings import one_line
from synth_assets.quality.similar_items import SimilarItems
from synth_assets.screening.benchmarks import benchmark_index, read_benchmark, real_texts
from synth_assets.screening.columns import BadRow, Columns, guess_columns
from synth_assets.screening.folder import REPORT, OutputFolder
from synth_assets.screening.reading import Source, as_json
from synth_assets.screening.report import report, summary
from synth_assets.screening.screened import Gates, Screened
from synth_assets.screening.screening import screen
from synth_assets.screening.settings import parse_limits, read_gates
from synth_assets.screening.testing import RuleTester, language_of

__all__ = ["EXCEEDED", "Request", "run_screen"]

EXCEEDED = 3
"""Exit status where --fail-on was exceeded."""

_SAMPLE = 100
"""Rows that columns and language are guessed from."""

_FEW = 4_000_000
"""Bytes of a file below which starting further processes costs more than it saves."""

_PLAIN_SECONDS = 10.0


@dataclass(frozen=True)
class Request:
    """What was typed."""

    file: Path
    out: Path
    benchmarks: Sequence[Path] = ()
    real: Path | None = None
    rules_config: Path | None = None
    language: str = "auto"
    columns: Sequence[str] = ()
    near_duplicates: bool = True
    embeddings: bool = True
    reward: bool = False
    fail_on: Sequence[str] = ()
    overwrite: bool = False
    workers: int | None = None


def run_screen(request: Request, say: Callable[[str], None]) -> int:
    """Screen the file; returns 0, or 3 where a limit of --fail-on is exceeded. `say` prints one line.

    Raises:
        SynthError: the file, a benchmark, the settings or the output folder cannot be used.
    """
    started = time.perf_counter()
    limits, settings = parse_limits(request.fail_on), read_gates(request.rules_config)
    source = Source.of(request.file)
    if request.out.resolve() == request.file.resolve().parent:
        raise ScreenError(f"--out {request.out}: the folder of the input. Name a folder of its own for the output.")
    sample = [line.row for line in islice(source.lines(), _SAMPLE) if line.row is not None]
    if not sample:
        raise ScreenError(f"{request.file}: none of its first {_SAMPLE} lines is a JSON object. Is it JSON Lines?")
    columns = guess_columns(sample, _given(request.columns))
    benchmarks = [read_benchmark(path) for path in request.benchmarks]
    real = real_texts(request.real) if request.real is not None else []
    index = benchmark_index(benchmarks, real, settings.decontamination) if benchmarks else None
    notes = [] if benchmarks else ["Decontamination was off: no --benchmark was named."]
    notes += [] if request.near_duplicates else ["Near-duplicates were not looked for: --no-near-duplicates."]
    similar = None
    if benchmarks and request.embeddings and request.near_duplicates:
        items = [item for benchmark in benchmarks for item in benchmark.items]
        similar = SimilarItems(items, Embedder(Home.from_env().embeddings).embed, settings.decontamination.review_cosine)
    embed, off = _embed(request, columns, sample)
    notes += [off] if off else []
    gates = Gates(settings, request.language, index, similar, request.near_duplicates, embed, _reward(embed) if request.reward else None)
    say(f"Screening {one_line(str(request.file))} with the columns {one_line(str(columns))}.")
    workers = request.workers or (os.cpu_count() or 1 if source.path.stat().st_size > _FEW else 1)
    with (
        OutputFolder(request.out, overwrite=request.overwrite) as folder,
        RuleTester(request.language, settings.rules, workers) as tester,
        _Progress(say) as progress,
    ):
        for note in notes:
            say(one_line(note, 300))
        screened: Screened = screen(source, columns, gates, tester, folder, progress)
        tester.close()
        content = report(source, columns, gates, benchmarks, screened, limits, notes, time.perf_counter() - started)
        folder.write(REPORT, _indented(content))
        folder.publish()
    for line in summary(content):
        say(line)
    say(f"Output: {one_line(str(request.out))}")
    return EXCEEDED if any(limit["exceeded"] for limit in content["fail_on"]) else 0


def _given(texts: Sequence[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for text in texts:
        role, equals, column = text.partition("=")
        if not equals:
            raise ScreenError(f"--column {text}: write ROLE=NAME, such as --column prompt=question.")
        if role in given:
            raise ScreenError(f"--column {text}: the role {quoted(role)} has a column already, {quoted(given[role])}.")
        given[role] = column
    return given


def _embed(request: Request, columns: Columns, sample: Sequence[dict[str, Any]]) -> tuple[Any, str]:
    """The embedder, or why there is none."""
    if not request.near_duplicates and not request.reward:
        return None, ""
    if not request.embeddings:
        return None, "The semantic near-duplicate gate was off: --no-embeddings."
    language = request.language
    if language == "auto":
        languages = [language_of(texts, "auto") for texts in _readable(columns, sample)]
        language = "zh" if "zh" in languages else "en"
    if not supports(language):
        return None, "The semantic near-duplicate gate was off: the embedded sentence model knows English only, and the first rows hold Chinese."
    return Embedder(Home.from_env().embeddings).embed, ""


def _readable(columns: Columns, sample: Sequence[dict[str, Any]]) -> list[Any]:
    found = []
    for row in sample:
        try:
            found.append(columns.read(row))
        except BadRow:
            continue
    return found


def _reward(embed: Any) -> Callable[[Sequence[str], Sequence[str]], Sequence[float]]:
    from synth_assets.quality.reward import published

    model = published()
    return lambda prompts, responses: [float(score) for score in model.score(prompts, responses, embed)] if prompts else []


def _indented(content: dict[str, Any]) -> bytes:
    """The report for people who open it: `as_json` makes it plain, this makes it readable."""
    import json

    return json.dumps(json.loads(as_json(content)), indent=1, ensure_ascii=False).encode()


class _Progress:
    """How far it is, in one line."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._drawn = sys.stderr.isatty()
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def step(self, name: str, done: float, rows: int, rejected: int) -> None:
        """Show it, at most every tenth of a second on a terminal and every ten seconds elsewhere."""
        now = time.monotonic()
        if now - self._last < (0.1 if self._drawn else _PLAIN_SECONDS):
            return
        self._last = now
        text = f"  {name}: {done:.0%}, {rows} rows, {rejected} rejected"
        if self._drawn:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        else:
            self._say(text)
