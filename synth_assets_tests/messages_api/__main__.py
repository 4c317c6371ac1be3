"""The double as a process: `python -m synth_assets_tests.messages_api --port 0 --latency-ms 50 --faults mix.json`.

Its first line is its address; GET /_stats tells what it counted; SIGTERM ends it.
"""

import argparse
import importlib
import signal
from pathlib import Path

from synth_assets_tests.messages_api.batches import BatchTerms
from synth_assets_tests.messages_api.behaviours import Script
from synth_assets_tests.messages_api.checks import Terms
from synth_assets_tests.messages_api.faults import Mix, plain_answer
from synth_assets_tests.messages_api.limits import RateLimit
from synth_assets_tests.messages_api.server import MessagesApi


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m synth_assets_tests.messages_api", description="A double of the Messages API on a loopback port.")
    options.add_argument("--port", type=int, default=0, help="0: a free one")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--latency-ms", type=float, default=0.0)
    options.add_argument("--latency-spread", type=float, default=0.0, help="share by which latencies differ by content")
    options.add_argument("--pace-ms", type=float, default=0.0, help="between the events of a stream; whole answers take as long")
    options.add_argument("--idle-limit-s", type=float, help="drop a connection on which nothing comes for so long, as a proxy does")
    options.add_argument("--faults", type=Path, help="JSON of shares, such as {'rate_limited': 0.05}")
    options.add_argument("--script", help="module:function that answers in place of a plain text; faults come on top")
    options.add_argument("--requests-per-second", type=float)
    options.add_argument("--tokens-per-second", type=float, help="input tokens")
    options.add_argument("--burst-s", type=float, default=1.0, help="seconds' worth that may come at once")
    options.add_argument("--api-key")
    options.add_argument("--model", action="append", help="a model that exists; any if not given")
    options.add_argument("--no-sampling", action="store_true", help="refuse temperature, top_p and top_k")
    options.add_argument("--no-prefill", action="store_true")
    options.add_argument("--raw-prompts", action="store_true", help="llama.cpp's routes too")
    options.add_argument("--batch-max-requests", type=int, default=BatchTerms.max_requests)
    options.add_argument("--batch-max-bytes", type=int, default=BatchTerms.max_bytes)
    options.add_argument("--batch-polls", type=int, help="polls after which a batch ends; without it POST /_finish ends it")
    options.add_argument("--min-cache-tokens", type=int, default=1024)
    options.add_argument("--ignored-field", action="append", default=["stream"], help="a field that does not count as a call's content")
    return options


def main() -> None:
    given = parser().parse_args()
    answer: Script = plain_answer
    if given.script:
        module, _, name = given.script.partition(":")
        answer = getattr(importlib.import_module(module), name)
    limited = given.requests_per_second or given.tokens_per_second
    api = MessagesApi(
        Mix.load(given.faults, given.seed, answer) if given.faults else answer,
        raw_prompts=given.raw_prompts,
        latency_s=given.latency_ms / 1000,
        latency_spread=given.latency_spread,
        pace_s=given.pace_ms / 1000,
        idle_limit_s=given.idle_limit_s,
        seed=given.seed,
        rate_limit=RateLimit(given.requests_per_second, given.tokens_per_second, given.burst_s) if limited else None,
        terms=Terms(given.api_key, frozenset(given.model) if given.model else None, not given.no_sampling, not given.no_prefill),
        batch_terms=BatchTerms(given.batch_max_requests, given.batch_max_bytes, given.batch_polls),
        min_cache_tokens=given.min_cache_tokens,
        keep_calls=False,
        ignored_fields=given.ignored_field,
        port=given.port,
    )
    ended = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ended)
    with api:
        print(api.url, flush=True)
        signal.sigwait(ended)


if __name__ == "__main__":
    main()
