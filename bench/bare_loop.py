"""A bare `AsyncAnthropic` loop with a semaphore: what an engine's throughput is compared with.

It keeps nothing, retries nothing and checks nothing, so it is the fastest that the SDK allows. Each run is a process of its own, as the
double that answers it is, so that processor times are of the loop alone; runs of several kinds are taken in turns, first in one order,
then in the other, because a shared machine drifts, and their medians are compared.

    python -m bench.bare_loop --calls 1000 --latency-ms 500 --concurrency 64
"""

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from synth_assets_tests.messages_api.served import Served

HTTP_CLIENTS = ("aiohttp", "httpx")
"""The SDK's two: `DefaultAioHttpClient`, and its default."""


@dataclass(frozen=True)
class Measured:
    """One run; process start and imports are not in it."""

    wall_s: float
    cpu_s: float
    """Of the process, user and system, from the first call to the last answer."""
    calls: int
    steady_per_s: float = 0.0
    """Answers per second from the end of the first round of `concurrency` answers to the end of the last full one."""
    peak_mb: float = 0.0
    """Resident memory of the process at its highest."""

    def ideal_share(self, latency_s: float, concurrency: int) -> float:
        """Share of the throughput that a client without any cost of its own would have."""
        return self.calls * latency_s / concurrency / self.wall_s

    def steady_share(self, latency_s: float, concurrency: int) -> float:
        """The same, without the first round, in which connections are made, and the last, which is not full."""
        return self.steady_per_s * latency_s / concurrency

    @property
    def cpu_s_per_1000(self) -> float:
        return self.cpu_s / self.calls * 1000


def steady(answered_at: Sequence[float], concurrency: int) -> float:
    """`steady_per_s` of the moments (s, ascending) of all answers; 0 with fewer than two rounds."""
    rounds = len(answered_at) // concurrency
    if rounds < 2:
        return 0.0
    return (rounds - 1) * concurrency / (answered_at[rounds * concurrency - 1] - answered_at[concurrency - 1])


async def _loop(url: str, calls: int, concurrency: int, http: str) -> Measured:
    import anthropic

    http_client = anthropic.DefaultAioHttpClient(limits=anthropic.DEFAULT_CONNECTION_LIMITS) if http == "aiohttp" else None
    gate = asyncio.Semaphore(concurrency)
    answered_at: list[float] = []
    async with anthropic.AsyncAnthropic(api_key="sk-bench", base_url=url, max_retries=0, http_client=http_client) as client:

        async def call(number: int) -> None:
            async with gate:
                message = await client.messages.create(model="model-a", max_tokens=256, messages=[{"role": "user", "content": f"Question {number}?"}])
                assert message.content
                answered_at.append(time.perf_counter())

        await call(-1)
        answered_at.clear()
        before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        await asyncio.gather(*(call(number) for number in range(calls)))
        wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(wall, cpu, calls, steady(answered_at, concurrency), after.ru_maxrss / 1024)


def run_bare(url: str, calls: int, concurrency: int, http: str = "aiohttp") -> Measured:
    """One run against the server at `url`, in a fresh process; `http` is one of HTTP_CLIENTS."""
    command = [sys.executable, "-m", "bench.bare_loop", "--run", url, "--calls", str(calls), "--concurrency", str(concurrency), "--http", http]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Measured(**json.loads(done.stdout))


def in_turns(runs: Mapping[str, Callable[[], Measured]], rounds: int = 3) -> dict[str, list[Measured]]:
    """Every run so many times, the order turned round each time."""
    measured: dict[str, list[Measured]] = {name: [] for name in runs}
    for number in range(rounds):
        for name in runs if number % 2 == 0 else reversed(list(runs)):
            measured[name].append(runs[name]())
    return measured


def median(measured: list[Measured]) -> Measured:
    """Of each figure by itself."""
    return Measured(
        statistics.median(m.wall_s for m in measured),
        statistics.median(m.cpu_s for m in measured),
        measured[0].calls,
        statistics.median(m.steady_per_s for m in measured),
        statistics.median(m.peak_mb for m in measured),
    )


def compared(runs: Mapping[str, Callable[[], Measured]], latency_s: float, concurrency: int, rounds: int = 3) -> dict[str, Measured]:
    """Run in turns, print a line for each, and give the medians."""
    measured = in_turns(runs, rounds)
    medians = {name: median(taken) for name, taken in measured.items()}
    for name, m in medians.items():
        walls = " ".join(f"{taken.wall_s:.2f}" for taken in measured[name])
        shares = f"{m.ideal_share(latency_s, concurrency):.3f} of the ideal, {m.steady_share(latency_s, concurrency):.3f} steady"
        print(f"{name:>16}: {m.wall_s:6.2f} s wall (of {walls}), {shares}, {m.cpu_s_per_1000:.2f} s processor time per 1,000 calls, {m.peak_mb:.0f} MB")
    return medians


def main() -> None:
    options = argparse.ArgumentParser(description="A bare AsyncAnthropic loop against the double.")
    options.add_argument("--calls", type=int, default=1000)
    options.add_argument("--latency-ms", type=float, default=50.0)
    options.add_argument("--concurrency", type=int, default=64)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--http", choices=HTTP_CLIENTS, default="aiohttp", help="with --run")
    options.add_argument("--run", metavar="URL", help="one run against this server, told as JSON")
    given = options.parse_args()
    if given.run:
        print(json.dumps(asdict(asyncio.run(_loop(given.run, given.calls, given.concurrency, given.http)))))
        return
    with Served("--latency-ms", str(given.latency_ms)) as server:
        runs = {http: partial(run_bare, server.url, given.calls, given.concurrency, http) for http in HTTP_CLIENTS}
        print(f"{given.calls} calls, {given.latency_ms:g} ms, concurrency {given.concurrency}, medians of {given.rounds}")
        compared(runs, given.latency_ms / 1000, given.concurrency, given.rounds)
        stats = server.stats(keys=False)
        print(f"{'the double':>16}: {stats['cpu_s'] / stats['arrived'] * 1000:.2f} s processor time per 1,000 calls, its start included")


if __name__ == "__main__":
    main()
