"""The rules over chunks of rows, in this process or in several.

Rules are plain Python over texts and cost about 0.5 ms a row, the most of any gate, and no row depends on another: so they are shared out to
processes, and the answers come back in the order of the rows. Invariant: the number of processes changes nothing but the time.
"""

import multiprocessing
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import lru_cache
from types import TracebackType
from typing import NamedTuple, Self

from synth_assets import config
from synth_assets.quality.findings import Finding
from synth_assets.quality.reward_features import is_chinese
from synth_assets.quality.rules import RULES, TEXT_RULES, check_row
from synth_assets.screening.columns import Texts

__all__ = ["EQUAL_PAIR", "ROW_RULES", "RuleTester", "Tested", "language_of"]

EQUAL_PAIR = "chosen_equals_rejected"

ROW_RULES: dict[str, tuple[str, str]] = {name: (rule.description, rule.source) for name, rule in RULES.items()} | {
    EQUAL_PAIR: ("Both responses of a preference are the same text.", "Constitutional AI (arXiv 2212.08073): a revision that changed nothing")
}
"""Every rule about one row: description and source."""

_WHOLE_SAMPLE = 2_000


class Tested(NamedTuple):
    """What the rules say about a chunk."""

    findings: list[list[Finding]]
    """Per row, at most one per rule."""
    seconds: float


def language_of(texts: Texts, language: str) -> str:
    """The language that a row is held to: `language`, or for auto the one of its prompt, en or zh."""
    if language != "auto":
        return language
    return "zh" if is_chinese(texts.prompt[:_WHOLE_SAMPLE]) else "en"


class RuleTester:
    """Tests chunks in `workers` processes; in this one where that is 1.

    A model that a rule asks is loaded once per process, so that rows with a toxicity model are tested in one.
    """

    def __init__(self, language: str, rules: config.Rules, workers: int) -> None:
        self._language, self._rules = language, rules
        self._pool: ProcessPoolExecutor | None = None
        if workers > 1 and rules.toxicity is None:
            # Not a fork: other libraries have threads by now.
            # Ctrl-C reaches every process of the terminal; this one sends the others home.
            ignore = (signal.SIGINT, signal.SIG_IGN)
            self._pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=signal.signal, initargs=ignore)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Send the processes home; nothing can be tested after."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def begin(self, chunk: Sequence[Texts]) -> Callable[[], Tested]:
        """Start on a chunk; the answer, when it is called for."""
        if self._pool is None:
            return lambda: _test(chunk, self._language, self._rules)
        future: Future[Tested] = self._pool.submit(_test, chunk, self._language, self._rules)
        return future.result


def _test(chunk: Sequence[Texts], language: str, rules: config.Rules) -> Tested:
    started = time.perf_counter()
    return Tested([_test_row(texts, language_of(texts, language), rules) for texts in chunk], time.perf_counter() - started)


def _test_row(texts: Texts, language: str, rules: config.Rules) -> list[Finding]:
    """All rules that a row breaks; of several exchanges the first that breaks a rule is shown."""
    found: dict[str, Finding] = {}
    for finding in _system_findings(texts.system, language, rules):
        found.setdefault(finding.rule, finding)
    for prompt, response in texts.exchanges:
        for finding in check_row(prompt, response, language=language, rules=rules):
            found.setdefault(finding.rule, finding)
    if texts.rejected is not None and texts.rejected.split() == texts.response.split():
        found[EQUAL_PAIR] = Finding(EQUAL_PAIR, None, "the chosen and the rejected response are the same")
    return list(found.values())


@lru_cache(maxsize=256)
def _system_findings(system: str, language: str, rules: config.Rules) -> tuple[Finding, ...]:
    """What is wrong with a system message; a file has few different ones. It is tested as a text, not as a question or an answer."""
    if not system:
        return ()
    only_texts = rules.model_copy(update={"off": (*rules.off, *(name for name in RULES if name not in TEXT_RULES))})
    found = check_row(system, "", language=language, rules=only_texts)
    return tuple(finding._replace(evidence=finding.evidence.replace("prompt", "system", 1)) for finding in found)
