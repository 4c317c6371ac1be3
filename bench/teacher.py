"""The teacher engine against a bare `AsyncAnthropic` loop on the same double, in turns, medians of three; and what faults, kills, a shared limit and
100,000 calls do to it.

    python -m bench.teacher                    all of it, some ten minutes
    python -m bench.teacher --only throughput  one part
"""

import argparse
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from bench.bare_loop import Measured, compared, run_bare
from synth_assets_tests.messages_api.served import Served

ROOT = Path(__file__).parents[1]
MIX = {"rate_limited": 0.05, "overloaded": 0.02, "server_error": 0.02, "dropped": 0.01, "malformed": 0.01}


def _run(url: str, home: Path, calls: int, concurrency: int, batch: int, name: str) -> dict[str, Any]:
    """Ask `calls` questions in this process; what it took, and what became of each."""
    from synth_assets.teacher.choice import open_teacher
    from synth_assets.teacher.messages import Message, Plan, Reply, Request

    rules: Counter[str] = Counter()
    texts: list[str] = []

    def plan() -> Plan:
        for start in range(0, calls, batch):
            replies: list[Reply] = yield [Request((Message("user", f"{name} {n}?"),), 256) for n in range(start, min(start + batch, calls))]
            rules.update(reply.rule or "answered" for reply in replies)
            if calls <= 10_000:
                texts.extend(reply.text or reply.rule for reply in replies)

    env = {"ANTHROPIC_BASE_URL": url, "SYNTH_TEACHER": "model-a", "ANTHROPIC_API_KEY": "sk-bench-0123456789", "SYNTH_CONCURRENCY": str(concurrency)}
    with open_teacher(home, env) as teacher:

        def warm() -> Plan:
            yield [Request((Message("user", f"{name} warm {time.time_ns()}"),), 256)]

        teacher.run(warm())
        base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        teacher.run(plan())
        wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
        made = teacher.calls_made - 1
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    measured = asdict(Measured(wall, cpu, calls, after.ru_maxrss / 1024))
    return measured | {"rules": rules, "texts": texts, "made": made, "grew_mb": after.ru_maxrss / 1024 - base}


def _start(url: str, home: Path, calls: int, concurrency: int, *, batch: int = 1_000_000, name: str = "Question") -> "subprocess.Popen[str]":
    numbers = ["--calls", str(calls), "--concurrency", str(concurrency), "--batch", str(batch), "--name", name]
    command = [sys.executable, "-m", "bench.teacher", "--run", url, "--home", str(home), *numbers]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def _finish(process: "subprocess.Popen[str]") -> dict[str, Any]:
    out, err = process.communicate()
    if process.returncode:
        raise RuntimeError(err)
    told: dict[str, Any] = json.loads(out)
    return told


def run_engine(url: str, calls: int, concurrency: int) -> Measured:
    """One run with an empty ledger, in a fresh process."""
    with tempfile.TemporaryDirectory() as home:
        told = _finish(_start(url, Path(home), calls, concurrency))
    assert told["rules"] == {"answered": calls}, told["rules"]
    return Measured(told["wall_s"], told["cpu_s"], calls, told["peak_mb"])


def throughput() -> None:
    """Acceptance 1: against the bare loop with the SDK's aiohttp client."""
    for calls, latency_ms, least in ((1_000, 500, 0.97), (10_000, 50, 0.85)):
        print(f"\n{calls} calls of {latency_ms} ms, 64 at once; wanted: {least} of the bare loop's throughput, at most 1.5 s of processor time per 1,000 calls")
        with Served("--latency-ms", str(latency_ms)) as server:
            runs = {"bare aiohttp": partial(run_bare, server.url, calls, 64, "aiohttp"), "engine": partial(run_engine, server.url, calls, 64)}
            medians = compared(runs, latency_ms / 1000, 64)
        print(f"{'ratio':>16}: {medians['bare aiohttp'].wall_s / medians['engine'].wall_s:.3f} of the bare loop's throughput")


@contextmanager
def _faulty(latency_ms: int, mix: dict[str, Any]) -> Iterator[Served]:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(mix, file)
        file.flush()
        with Served("--latency-ms", str(latency_ms), "--faults", file.name) as server:
            yield server


def faults(rows: int = 2_000) -> None:
    """Acceptance 2: a mix of faults; every row is an answer or a rejection with a name."""
    print(f"\n{rows} rows through {', '.join(f'{share:.0%} {name}' for name, share in MIX.items())}; wanted: at most twice the time without faults")
    for latency_ms in (500, 50):
        with tempfile.TemporaryDirectory() as home, Served("--latency-ms", str(latency_ms)) as server:
            clean = _finish(_start(server.url, Path(home), rows, 64))
        for retry_after in ("1", "0"):
            with tempfile.TemporaryDirectory() as home, _faulty(latency_ms, MIX | {"retry_after": retry_after}) as server:
                mixed = _finish(_start(server.url, Path(home), rows, 64))
                stats = server.stats(keys=False)
            print(
                f"{latency_ms} ms, retry-after {retry_after} s: {mixed['wall_s']:.2f} s against {clean['wall_s']:.2f} s, "
                f"{mixed['wall_s'] / clean['wall_s']:.2f} times; "
                f"{mixed['rules']}, {stats['arrived']} calls arrived"
            )
    with tempfile.TemporaryDirectory() as home, _faulty(50, MIX | {"max_tokens": 0.1, "refusal": 0.05}) as server:
        first = _finish(_start(server.url, Path(home), rows, 64))
        again = _finish(_start(server.url, Path(home), rows, 64))
    print(f"with 10 % truncated and 5 % refused: {first['rules']}; asked again in a second run: {again['made']} calls")


def kills(rows: int = 2_000, times: int = 20) -> None:
    """Acceptance 3: killed at random moments of the calls, then run again."""
    with Served("--latency-ms", "50") as server, tempfile.TemporaryDirectory() as home:
        undisturbed = _finish(_start(server.url, Path(home), rows, 16))
    source = random.Random(3)
    with Served("--latency-ms", "50") as server, tempfile.TemporaryDirectory() as home:
        killed = 0
        for _ in range(times):
            process = _start(server.url, Path(home), rows, 16)
            until = server.stats(keys=False)["arrived"] + source.randint(1, 2 * rows // (times + 4))
            while process.poll() is None and server.stats(keys=False)["arrived"] < until:
                time.sleep(0.005)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                killed += 1
            process.communicate()
        last = _finish(_start(server.url, Path(home), rows, 16))
        stats = server.stats()
        durable, again, lost = _ledger(Path(home))
    print(
        f"\n{killed} kill -9s in {rows} rows: same rows {last['texts'] == undisturbed['texts']}; {durable} replies on disk, {again} of them asked for again; "
        f"{lost} calls in flight at a kill, booked as unknown (at most {killed * 18}); {stats['arrived']} calls arrived, "
        f"{stats['answered_again']} answers that the double had sent never came to be on disk; calls in the last run: {last['made']}"
    )


def _ledger(home: Path) -> tuple[int, int, int]:
    """Replies; how many of their calls were made again afterwards; calls whose outcome is unknown."""
    with closing(sqlite3.connect(home / "ledger.sqlite")) as con:
        (durable,) = con.execute("select count(*) from replies").fetchone()
        later = "select count(*) from replies p where exists (select 1 from {} o where o.key = p.key and o.{} > p.paid_at)"
        again = sum(con.execute(later.format(*other)).fetchone()[0] for other in (("replies", "paid_at"), ("reservations", "opened_at")))
        (lost,) = con.execute("select count(*) from reservations where state = 'unknown'").fetchone()
    return durable, again, lost


def shared_limit(calls: int = 375, processes: int = 8, per_second: int = 50) -> None:
    """Acceptance 4: processes that share one limited endpoint."""
    print(f"\n{processes} processes with {calls} calls each, one endpoint of {per_second} requests a second; wanted: 429s under 2 % of calls, nobody starved")
    with Served("--latency-ms", "50", "--requests-per-second", str(per_second)) as server, tempfile.TemporaryDirectory() as home:
        started = time.perf_counter()
        running = [_start(server.url, Path(home) / str(n), calls, 16, name=f"Process {n}") for n in range(processes)]
        told = [_finish(process) for process in running]
        wall = time.perf_counter() - started
        stats = server.stats(keys=False)
    limited = stats["statuses"].get("429", 0)
    walls = sorted(t["wall_s"] for t in told)
    print(
        f"{stats['arrived']} calls, {limited} of them 429 ({limited / stats['arrived']:.2%}); {processes * calls / wall:.1f} answers a second; "
        f"first process done after {walls[0]:.0f} s, last after {walls[-1]:.0f} s; {sum((Counter(t['rules']) for t in told), Counter())}"
    )


def memory(calls: int = 100_000) -> None:
    """Acceptance 6: memory over many calls, in batches of a thousand and in one."""
    for batch in (1_000, calls):
        with Served() as server, tempfile.TemporaryDirectory() as home:
            told = _finish(_start(server.url, Path(home), calls, 64, batch=batch))
            size = sum(file.stat().st_size for file in Path(home).iterdir()) / 1e6
        print(
            f"\n{calls} calls in batches of {batch}: {told['grew_mb']:.0f} MB above start (peak {told['peak_mb']:.0f} MB), "
            f"{calls / told['wall_s']:.0f} calls a second, "
            f"ledger {size:.0f} MB; wanted: under 300 MB"
        )


PARTS: dict[str, Callable[[], None]] = {"throughput": throughput, "faults": faults, "kills": kills, "limit": shared_limit, "memory": memory}


def main(arguments: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", choices=PARTS, action="append")
    for name in ("--run", "--home", "--name"):
        options.add_argument(name, help=argparse.SUPPRESS)
    for name in ("--calls", "--concurrency", "--batch"):
        options.add_argument(name, type=int, help=argparse.SUPPRESS)
    given = options.parse_args(arguments)
    if given.run:
        print(json.dumps(_run(given.run, Path(given.home), given.calls, given.concurrency, given.batch, given.name)))
        return
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start")
    for name in given.only or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
