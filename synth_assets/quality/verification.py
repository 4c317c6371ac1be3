"""Whether a predicted answer equals the reference: math-verify in a process of its own, with a time limit of ours.

math-verify's own limit uses SIGALRM, which fails without a word off the main thread, and a symbolic simplification can run for
minutes. So one worker process answers one pair at a time over pipes; when it is late it is killed and a new one takes the next
pair. It takes 1 s to start, so one that has answered all waits for the next pairs of this process. An error of the verifier is never "wrong".
"""

import atexit
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

from synth_assets.quality.code_tests import is_tests, verify_code

__all__ = ["VERDICTS", "verify_all", "verify_answers"]

VERDICTS = ("correct", "wrong", "unparsable_gold", "unparsable_prediction", "verifier_error", "timeout")
SECONDS = 5.0
"""Time limit per pair. Numbers take under 10 ms; what takes longer is a pathological expression."""
START_SECONDS = 60.0
"""Time limit of the worker's imports (sympy takes 1 s, and much longer on a busy machine)."""
MAX_CHARACTERS = 2000
"""A longer prediction is no final answer, and would only keep the parser busy."""


class _Worker:
    """One process; dead for good after its first fault."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "synth_assets.quality.verification"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self._lines.get(timeout=START_SECONDS)
        except BaseException:
            self.close()
            raise

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def verdict(self, gold: str, prediction: str) -> str:
        """One of VERDICTS; raises queue.Empty when it is late, OSError when it is gone."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([gold, prediction]) + "\n")
        self._process.stdin.flush()
        line = self._lines.get(timeout=SECONDS)
        if not line:
            raise BrokenPipeError
        return str(json.loads(line))

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def verify_answers(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Verdicts for (reference, prediction) pairs, in order. No process is started for an empty sequence."""
    verdicts: list[str] = []
    worker = _waiting_one()
    try:
        for gold, prediction in pairs:
            if not prediction.strip() or len(prediction) > MAX_CHARACTERS:
                verdicts.append("unparsable_prediction")
                continue
            try:
                worker = worker or _Worker()
                verdicts.append(worker.verdict(gold, prediction))
            except (queue.Empty, OSError) as fault:
                verdicts.append("timeout" if isinstance(fault, queue.Empty) else "verifier_error")
                if worker is not None:
                    worker.close()
                worker = None
    except BaseException:
        # It may be in the midst of a pair.
        if worker is not None:
            worker.close()
        raise
    if worker is not None:
        _waiting.append(worker)
    return verdicts


_waiting: list[_Worker] = []
"""Those that have answered."""


def _waiting_one() -> _Worker | None:
    with suppress(IndexError):
        while not (worker := _waiting.pop()).alive:
            worker.close()
        return worker
    return None


@atexit.register
def _close_all() -> None:
    while _waiting:
        _waiting.pop().close()


def verify_all(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Verdicts in order: references that are tests by running them (`code_tests`), all others by math-verify."""
    by_running = [is_tests(gold) for gold, _ in pairs]
    run = iter(verify_code([pair for pair, code in zip(pairs, by_running, strict=True) if code]))
    read = iter(verify_answers([pair for pair, code in zip(pairs, by_running, strict=True) if not code]))
    return [next(run if code else read) for code in by_running]


def _serve() -> None:
    """The worker's side: a line with [gold, prediction] in, a line with the verdict out."""
    from math_verify import parse, verify

    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        gold, prediction = json.loads(line)
        try:
            reference = parse(gold, parsing_timeout=None)
            answer = parse(prediction, parsing_timeout=None)
            if not reference:
                verdict = "unparsable_gold"
            elif not answer:
                verdict = "unparsable_prediction"
            else:
                verdict = "correct" if verify(reference, answer, timeout_seconds=None) else "wrong"
        except Exception:  # noqa: BLE001 - whatever goes wrong inside the verifier must have a name of its own
            verdict = "verifier_error"
        print(json.dumps(verdict), flush=True)


if __name__ == "__main__":
    _serve()
