"""The passes over a file: every gate on every row, near-duplicates among those that pass, then kept and rejected rows written out.

The first pass streams: rules and decontamination see a thousand rows at a time, and what they find goes to a file. In memory stay nine bytes a row,
and where near-duplicates are looked for, four bytes a word (and 1.5 kB of embedding) of each row that passed. The second pass reads the file again
and sorts its rows. Invariant: every good line ends in kept or rejected, once, with its bytes unchanged.
"""

import json
import time
from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Protocol

import numpy as np

from synth_assets import config
from synth_assets.errors import ScreenError
from synth_assets.identity import digest
from synth_assets.quality.decontamination import Hit, Index
from synth_assets.quality.embeddings import Embed
from synth_assets.quality.findings import EVIDENCE, Finding, one_line
from synth_assets.quality.gates import contamination_findings
from synth_assets.quality.near_duplicates import cosine_pairs, jaccard_pairs, rouge_l_pairs, survivors
from synth_assets.quality.words import join_words, words
from synth_assets.screening.columns import BadRow, Columns, Texts
from synth_assets.screening.folder import BAD, FINDINGS, KEPT, REJECTED, OutputFolder
from synth_assets.screening.reading import Line, Source, as_json
from synth_assets.screening.testing import RuleTester
from synth_assets.screening.word_columns import Vocabulary, WordColumn

__all__ = ["DIVERSITY_ROWS", "Gates", "Screened", "Watch", "screen"]

CHUNK = 1_000
"""Rows that are tested at once."""

DIVERSITY_ROWS = 50_000
"""Kept prompts that diversity is measured on at most, chosen by content."""

_SHOWN = 500
"""Characters of a bad line that are kept."""


class Watch(Protocol):
    """Somebody who wants to know how far it is."""

    def step(self, name: str, done: float, rows: int, rejected: int) -> None:
        """Part `name` is `done` (0 to 1) through, with so many rows seen and so many of them rejected."""


Reward = Callable[[Sequence[str], Sequence[str]], Sequence[float]]


@dataclass(frozen=True)
class Gates:
    """What rows are put through."""

    settings: config.Gates
    language: str
    """en, zh, or auto: by the row's prompt."""
    index: Index | None
    """Benchmarks, canaries planted; None where there are none."""
    near_duplicates: bool
    embed: Embed | None
    """Prompts to vectors; None where the semantic gate is off."""
    reward: Reward | None
    """Prompts and responses to scores, by which the survivor of near-duplicates is chosen; None: the earlier row survives."""


@dataclass
class Screened:
    """What became of a file, in numbers."""

    rows: int = 0
    bad_lines: int = 0
    bad_reasons: Counter[str] = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)
    """Rules that fired, in the order of their bits."""
    broken: "array[int]" = field(default_factory=lambda: array("Q"))
    """Per row, a bit for each rule that it breaks."""
    hits: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rows by benchmark and contamination rule."""
    items: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Items found in any row, by benchmark."""
    rewards: "array[float]" = field(default_factory=lambda: array("d"))
    diversity: dict[str, float] = field(default_factory=dict)
    diversity_rows: int = 0
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Wall time per part; of the rules that of all processes together."""

    @property
    def rejected(self) -> int:
        """Rows that break a rule."""
        return int(np.count_nonzero(np.frombuffer(self.broken, np.uint64))) if self.rows else 0

    def reject(self, row: int, rule: str) -> None:
        """Note that row number `row` breaks `rule`."""
        if rule not in self.names:
            self.names.append(rule)
        self.broken[row] |= 1 << self.names.index(rule)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time of what is inside to `part`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += time.perf_counter() - started


def screen(source: Source, columns: Columns, gates: Gates, tester: RuleTester, folder: OutputFolder, watch: Watch) -> Screened:
    """Put every row of `source` through `gates`, and write kept, rejected and bad lines into `folder` (not yet published).

    Raises:
        ScreenError: the file cannot be read, changes meanwhile, or has no row.
    """
    screened = Screened()
    passing = _Passing(gates)
    for file in (KEPT, REJECTED, BAD):
        folder.file(file)
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


def _test(
    source: Source, columns: Columns, gates: Gates, tester: RuleTester, folder: OutputFolder, watch: Watch, screened: Screened, passing: "_Passing"
) -> None:
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


def _note(first: int, findings: Sequence[list[Finding]], contaminated: dict[str, list[Finding]], folder: OutputFolder, screened: Screened) -> None:
    """Mark the broken rows of a chunk and keep what was found for the second pass."""
    for place, found in enumerate(findings):
        every = [*found, *contaminated.get(str(place), ())]
        if every:
            for finding in every:
                screened.reject(first + place, finding.rule)
            folder.write(FINDINGS, json.dumps([first + place, every]).encode())


class _Passing:
    """The rows that pass so far, as near-duplicates need them."""

    def __init__(self, gates: Gates) -> None:
        self._gates = gates
        vocabulary = Vocabulary()
        self._prompts, self._texts = WordColumn(vocabulary), WordColumn(vocabulary)
        self._rows, self._lines = array("Q"), array("Q")
        self._vectors: list[Any] = []

    def add(self, first: int, lines: Sequence[int], texts: Sequence[Texts], screened: Screened) -> None:
        """Take those of a tested chunk that pass."""
        places = [place for place in range(len(texts)) if not screened.broken[first + place]]
        prompts = [texts[place].prompt for place in places]
        if self._gates.reward is not None:
            with screened.timed("reward"):
                screened.rewards.extend(self._gates.reward(prompts, [texts[place].response for place in places]))
        if not self._gates.near_duplicates:
            return
        with screened.timed("words"):
            for place, prompt in zip(places, prompts, strict=True):
                self._prompts.append(words(prompt))
                self._texts.append(words(f"{prompt}\n{texts[place].response}"))
                self._rows.append(first + place)
                self._lines.append(lines[place])
        if self._gates.embed is not None:
            with screened.timed("embeddings"):
                self._vectors.append(self._gates.embed(prompts))

    def duplicates(self, settings: config.NearDuplicates, screened: Screened) -> dict[int, list[Finding]]:
        """What is wrong with every row that is a near-duplicate, by its number."""
        pairs = []
        with screened.timed("near-duplicates: ROUGE-L"):
            pairs.append(rouge_l_pairs(self._prompts, settings.rouge_l))
        with screened.timed("near-duplicates: Jaccard"):
            pairs.append(jaccard_pairs(self._texts, settings.jaccard))
        if self._vectors:
            with screened.timed("near-duplicates: cosine"):
                pairs.append(cosine_pairs(np.concatenate(self._vectors), settings.cosine))
        scores = screened.rewards if self._gates.reward is not None else [0.0] * len(self._rows)
        found: dict[int, list[Finding]] = {}
        for duplicate in survivors(pairs, scores).dropped:
            survivor = one_line(f"line {self._lines[duplicate.survivor]}: {join_words(self._prompts[duplicate.survivor][:EVIDENCE])}")
            finding = Finding(f"near_duplicate_{duplicate.measure}", duplicate.similarity, survivor)
            found.setdefault(self._rows[duplicate.row], []).append(finding)
        return found


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
