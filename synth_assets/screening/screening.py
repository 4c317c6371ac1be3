"""The passes over a file: every gate on every row, near-duplicates among those that pass, then kept and rejected rows written out.

The first pass streams: rules and decontamination see a thousand rows at a time, and what they find goes to a file. In memory stay nine bytes a row,
and where near-duplicates are looked for, four bytes a word (and 1.5 kB of embedding) of each row that passed. The second pass reads the file again
and sorts its rows. Invariant: every good line ends in kept or rejected, once, with its bytes unchanged.
"""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from synth_assets.errors import ScreenError
from synth_assets.identity import digest
from synth_assets.quality.decontamination import Hit, Index
from synth_assets.quality.findings import Finding, one_line
from synth_assets.quality.gates import contamination_findings
from synth_assets.screening.columns import BadRow, Columns, Texts
from synth_assets.screening.folder import BAD, FINDINGS, KEPT, REJECTED, OutputFolder
from synth_assets.screening.passing import Passing
from synth_assets.screening.reading import Line, Source, as_json
from synth_assets.screening.screened import Gates, Screened, Watch
from synth_assets.screening.testing import RuleTester

__all__ = ["screen"]

CHUNK = 1_000
"""Rows that are tested at once."""

DIVERSITY_ROWS = 50_000
"""Kept prompts that diversity is measured on at most, chosen by content."""

_SHOWN = 500
"""Characters of a bad line that are kept."""


def screen(source: Source, columns: Columns, gates: Gates, tester: RuleTester, folder: OutputFolder, watch: Watch) -> Screened:
    """Put every row of `source` through `gates`, and write kept, rejected and bad lines into `folder` (not yet published).

    Raises:
        ScreenError: the file cannot be read, changes meanwhile, or has no row.
    """
    screened = Screened()
    passing = Passing(gates)
    _test(source, columns, gates, tester, folder, watch, screened, passing)
    if not screened.rows:
        reason = f" The commonest reason: {screened.bad_reasons.most_common(1)[0][0]}." if screened.bad_reasons else ""
        raise ScreenError(f"{source.path}: no row could be read in {screened.bad_lines} lines with the columns {columns}.{reason}")
    dropped: dict[int, list[Finding]] = {}
    if gates.near_duplicates:
        watch.step("near-duplicates", 0.0, screened.rows, screened.rejected)
        dropped = passing.duplicates(gates.settings.near_duplicates, screened)
        for row, findings in dropped.items():
            for finding in findings:
                screened.reject(row, finding.rule)
    prompts = _sort(source, columns, folder, watch, screened, dropped)
    with screened.timed("diversity"):
        _measure(prompts, gates, screened)
    return screened


def _rows(source: Source, columns: Columns) -> Iterator[tuple[Line, Texts | None, str]]:
    """Every line with its texts, or why it has none."""
    for line in source.lines():
        if line.row is None:
            yield line, None, line.fault
            continue
        try:
            yield line, columns.read(line.row), ""
        except BadRow as error:
            yield line, None, str(error)


def _test(source: Source, columns: Columns, gates: Gates, tester: RuleTester, folder: OutputFolder, watch: Watch, screened: Screened, passing: Passing) -> None:
    """The first pass."""
    running: deque[Callable[[], None]] = deque()
    chunk: list[tuple[int, Texts]] = []
    done = 0.0

    def begin() -> None:
        texts = [text for _, text in chunk]
        rules = tester.begin(texts)
        first, lines = screened.rows, [number for number, _ in chunk]
        screened.rows += len(chunk)
        screened.broken.extend([0] * len(chunk))
        contaminated = _contaminated(texts, gates.index, screened)

        def finish() -> None:
            tested = rules()
            screened.seconds["rules"] += tested.seconds
            _note(first, tested.findings, contaminated, folder, screened)
            passing.add(first, lines, texts, screened)
            _review(first, lines, texts, gates, screened)
            watch.step("rules and decontamination", done, first + len(texts), screened.rejected)

        running.append(finish)

    started = time.perf_counter()
    for line, texts, fault in _rows(source, columns):
        done = line.done
        if texts is None:
            screened.bad_lines += 1
            screened.bad_reasons[one_line(fault)] += 1
            shown = line.raw[: 4 * _SHOWN].decode("utf-8", "replace")[:_SHOWN]
            folder.write(BAD, as_json({"line": line.number, "reason": one_line(fault, 500), "text": shown}))
            continue
        chunk.append((line.number, texts))
        if len(chunk) == CHUNK:
            begin()
            chunk = []
            # A few chunks are on their way, never all of the file.
            while len(running) > 4:
                running.popleft()()
    if chunk:
        begin()
    for finish in running:
        finish()
    screened.seconds["first pass, all of it"] += time.perf_counter() - started


def _contaminated(texts: Sequence[Texts], index: Index | None, screened: Screened) -> dict[str, list[Finding]]:
    """Findings by place in the chunk; system messages are read with the prompt, both responses of a preference one by one."""
    if index is None:
        return {}
    with screened.timed("decontamination"):
        rows = [(str(place), f"{text.system}\n{text.prompt}" if text.system else text.prompt, text.response) for place, text in enumerate(texts)]
        rows += [(str(place), text.prompt, text.rejected) for place, text in enumerate(texts) if text.rejected is not None]
        hits: list[Hit] = index.scan(rows).hits
        for benchmark, rule, _ in {(hit.benchmark, hit.rule, hit.row_id) for hit in hits}:
            screened.hits[benchmark, rule] += 1
        for hit in hits:
            screened.items[hit.benchmark].add(hit.item_id)
        return contamination_findings(hits)


def _review(first: int, lines: Sequence[int], texts: Sequence[Texts], gates: Gates, screened: Screened) -> None:
    """What passed, and no word rule could tell from a problem of the same kind, is for people to look at."""
    if gates.similar is None:
        return
    with screened.timed("review"):
        prompts = [(str(line), text.prompt) for place, (line, text) in enumerate(zip(lines, texts, strict=True)) if not screened.broken[first + place]]
        for hit in gates.similar.hits(prompts):
            screened.to_review(int(hit.row_id), hit)


def _note(first: int, findings: Sequence[list[Finding]], contaminated: dict[str, list[Finding]], folder: OutputFolder, screened: Screened) -> None:
    """Mark the broken rows of a chunk and keep what was found for the second pass."""
    for place, found in enumerate(findings):
        every = [*found, *contaminated.get(str(place), ())]
        if every:
            for finding in every:
                screened.reject(first + place, finding.rule)
            folder.write(FINDINGS, json.dumps([first + place, every]).encode())


def _sort(source: Source, columns: Columns, folder: OutputFolder, watch: Watch, screened: Screened, dropped: dict[int, list[Finding]]) -> list[str]:
    """The second pass: rows to their files; returns the kept prompts that diversity is measured on."""
    findings = folder.file(FINDINGS)
    findings.seek(0)
    noted = (json.loads(line) for line in findings)
    next_number, next_findings = next(noted, (-1, []))
    share = DIVERSITY_ROWS / max(screened.rows - screened.rejected, 1)
    prompts: list[str] = []
    number = 0
    with screened.timed("second pass"):
        for line, texts, _ in _rows(source, columns):
            if texts is None:
                continue
            if number >= screened.rows:
                raise ScreenError(f"{source.path}: was changed while it was read. Run the command again when nothing writes to it.")
            if not screened.broken[number]:
                folder.write(KEPT, line.raw)
                if share >= 1 or int(digest(texts.prompt)[:8], 16) < share * 2**32:
                    prompts.append(texts.prompt)
            else:
                found = [*dropped.get(number, ())]
                if number == next_number:
                    found = [Finding(*finding) for finding in chain(next_findings, found)]
                    next_number, next_findings = next(noted, (-1, []))
                head = as_json({"line": line.number, "rules": [f.rule for f in found], "findings": [f._asdict() for f in found]})
                # The row stands as it was written: numbers, escapes and the order of its keys.
                folder.write(REJECTED, head[:-1] + b', "row": ' + line.raw.strip() + b"}")
            number += 1
            if number % CHUNK == 0:
                watch.step("writing", line.done, number, screened.rejected)
    if number != screened.rows:
        raise ScreenError(f"{source.path}: was changed while it was read. Run the command again when nothing writes to it.")
    return prompts


def _measure(prompts: Sequence[str], gates: Gates, screened: Screened) -> None:
    from synth_assets.quality.diversity import measure

    screened.diversity_rows = len(prompts)
    language = gates.language if gates.language != "auto" else "en"
    figures = measure(prompts, [""] * len(prompts), [], language, gates.embed(prompts) if gates.embed is not None and prompts else None)
    # A file has no declared topics to cover.
    screened.diversity = {name: value for name, value in figures.items() if not name.startswith("topic_")}
