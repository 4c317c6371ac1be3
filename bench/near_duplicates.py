"""Near-duplicates: ours and the ways that people use, side by side in one run, on the same tokens.

    python bench/near_duplicates.py                       Alpaca from ../shared/data where it is, else texts made by seed
    python bench/near_duplicates.py alpaca.jsonl[.gz]     any file with `instruction`, `input` and `output` per line
    python bench/near_duplicates.py --rows 10000 --runs 3 fewer rows, medians of three runs

Two times each: on the clock, and of the processor over all threads. Read the ratios: where other work has a core, seconds on the clock move by several
times, those of the processor less. Ours is run three times (median), a baseline once: at the default size two to four minutes in all on two quiet
cores. Compilation is done before the clock starts, and its time is printed. The baselines
are in the extra `bench`; one that is not installed is named and left out. Sentence embeddings of 52,000 texts take minutes, so that cosines are
measured on vectors made by seed, with the spectrum of sentence embeddings, unless --embed is given, which computes them once and keeps them.
"""

import argparse
import gzip
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Indel, LCSseq

from synth_assets.quality.cosine import cosine_pairs
from synth_assets.quality.embeddings import Embedder
from synth_assets.quality.jaccard import jaccard_pairs, shingles
from synth_assets.quality.near_duplicates import RougePool, rouge_l_survivors
from synth_assets.quality.rouge import rouge_l_exceeds
from synth_assets.quality.words import words

SHARED = Path(__file__).parents[1] / ".." / "shared" / "data" / "alpaca_52k.jsonl.gz"
ROWS = 52_002
SEED = 1

Text = list[str]
Line = tuple[str, float, float, str]
"""Way, seconds on the clock, seconds of the processor, result."""


def read(path: Path | None, rows: int) -> list[tuple[str, str]]:
    """Instruction and whole row of each line, or of rows made by seed in the same lengths."""
    if path is None:
        return made(rows)
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        found = [json.loads(line) for line, _ in zip(lines, range(rows), strict=False)]
    return [(row["instruction"], f"{row['instruction']}\n{row['input']}\n{row['output']}") for row in found]


def made(rows: int) -> list[tuple[str, str]]:
    """Rows of words drawn by Zipf's law: instructions of 10 words, answers of 55; every third row is an edit of an earlier one."""
    source = np.random.default_rng(SEED)
    pairs: list[tuple[Text, Text]] = []
    for row in range(rows):
        if row % 3 == 2:
            prompt, answer = (list(part) for part in pairs[int(source.integers(row))])
            for part in (prompt, answer):
                part[int(source.integers(len(part)))] = f"edit{source.integers(1000)}"
        else:
            lengths = 3 + source.poisson(7), 5 + source.poisson(50)
            prompt, answer = ([f"w{number}" for number in np.minimum(source.zipf(1.3, length), 30_000)] for length in lengths)
        pairs.append((prompt, answer))
    return [(" ".join(prompt), " ".join(prompt + answer)) for prompt, answer in pairs]


def edited(texts: Sequence[Text], count: int) -> list[Text]:
    """`texts` and `count` copies of some of them with none to three words changed: what a near-duplicate search is to find."""
    source = random.Random(SEED)
    copies = [list(source.choice(texts)) for _ in range(count)]
    for copy in copies:
        for _ in range(source.randrange(4)):
            if copy:
                copy[source.randrange(len(copy))] = f"edit{source.randrange(50)}"
    return [*texts, *copies]


def timed(name: str, work: Callable[[], Any], runs: int, say: Callable[[Any], str]) -> Line:
    """Median seconds of `runs` runs, and what the last one found."""
    wall, processor = [], []
    for _ in range(runs):
        start, used = time.perf_counter(), time.process_time()
        found = work()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    return name, statistics.median(wall), statistics.median(processor), say(found)


def show(title: str, rows: list[Line]) -> None:
    """The table, ours first; the ratios say how many times as long as ours."""
    print(f"\n{title}\n  {'way':52} {'seconds':>9} {'x ours':>7} {'CPU s':>9} {'x ours':>7}  result")
    for name, wall, processor, result in rows:
        print(f"  {name:52} {wall:9.3f} {wall / rows[0][1]:7.1f} {processor:9.3f} {processor / rows[0][2]:7.1f}  {result}", flush=True)


def rapidfuzz_filter(texts: Sequence[Text]) -> list[int]:
    """The Self-Instruct filter by brute force: blocks of 512 rows against all kept ones, on all cores.

    The normalised Indel similarity of texts with a character for each word is ROUGE-L's F; rapidfuzz leaves a pair as soon as 0.7 is out of reach.
    What is left is few, and decided in integers.
    """
    limit = Fraction(7, 10)
    codes: dict[str, str] = {}
    encoded = ["".join([codes.setdefault(w, chr(len(codes) + (0x800 if len(codes) >= 0xD800 else 0))) for w in text]) for text in texts]
    lengths = np.array([len(text) for text in encoded])
    kept: list[int] = []
    for start in range(0, len(encoded), 512):
        stop = min(start + 512, len(encoded))
        others = np.array([*kept, *range(start, stop)])
        columns = [encoded[o] for o in others]
        similarity = process.cdist(encoded[start:stop], columns, scorer=Indel.normalized_similarity, score_cutoff=0.7, dtype=np.float32, workers=-1)
        near = similarity > 0
        for row, place in np.argwhere(near & (similarity < 0.701)).tolist():
            lcs = LCSseq.similarity(encoded[start + row], columns[place])
            near[row, place] = rouge_l_exceeds(lcs, int(lengths[start + row]), int(lengths[others[place]]), limit)
        near &= (lengths[start:stop, None] > 0) & (lengths[others] > 0)[None, :]
        alive = ~near[:, : len(kept)].any(axis=1)
        inside = near[:, len(kept) :]
        for row in range(stop - start):
            alive[row] &= not (inside[row, :row] & alive[:row]).any()
        kept.extend((start + np.flatnonzero(alive)).tolist())
    return kept


def pooled(texts: Sequence[Text]) -> list[int]:
    """The same filter one instruction at a time, as they come from a teacher."""
    pool, kept = RougePool(), []
    for row, text in enumerate(texts):
        if pool.exceeds(text, 0.7) is None:
            pool.add(text)
            kept.append(row)
    return kept


def rouge_table(texts: Sequence[Text], runs: int, name: str) -> None:
    rows: list[Line] = []
    ours = rouge_l_survivors(texts, 0.7).kept

    def same(kept: list[int]) -> str:
        return f"{len(kept)} kept, {'the same rows' if kept == ours else 'OTHER ROWS'}"

    rows.append(timed("ours: prefix index, signatures, bit-parallel LCS", lambda: rouge_l_survivors(texts, 0.7).kept, runs, same))
    rows.append(timed("ours, one at a time on a growing pool", lambda: pooled(texts), runs, same))
    rows.append(timed("rapidfuzz cdist, all cores", lambda: rapidfuzz_filter(texts), 1, same))
    show(f"ROUGE-L > 0.7, {len(texts):,} instructions ({name})", rows)


def jaccard_table(texts: Sequence[Text], runs: int, name: str) -> None:
    pairs = jaccard_pairs(texts, 0.8)
    truth = set(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))
    first: dict[tuple[str, ...], int] = {}
    origin = [first.setdefault(tuple(text), row) for row, text in enumerate(texts)]

    def against(found: set[tuple[int, int]]) -> str:
        # Pairs of equal rows are named once, with the first of their kind.
        named = {(min(a, b), max(a, b)) for a, b in ((origin[i], j if origin[i] == origin[j] else origin[j]) for i, j in found) if a != b}
        return f"{len(named)} pairs, recall {len(named & truth) / max(1, len(truth)):.3f}, precision {len(named & truth) / max(1, len(named)):.3f}"

    rows = [timed("ours: exact prefix join", lambda: jaccard_pairs(texts, 0.8), runs, lambda p: f"{len(p.left)} pairs, exact")]
    try:
        rows.append(timed("datasketch MinHash 128 + LSH 0.8", lambda: datasketch_pairs(texts), 1, against))
    except ImportError:
        print("datasketch is not installed: pip install 'synth-assets[bench]'")
    try:
        rows.append(timed("rensa RMinHash 128, 16 bands of 8", lambda: rensa_pairs(texts), 1, against))
    except ImportError:
        print("rensa is not installed: pip install 'synth-assets[bench]'")
    show(f"Jaccard >= 0.8 on word 5-grams, {len(texts):,} rows ({name})", rows)


def shingle_bytes(text: Text) -> list[bytes]:
    return [" ".join(shingle).encode("utf-8", "surrogatepass") for shingle in shingles(text)]


def datasketch_pairs(texts: Sequence[Text]) -> set[tuple[int, int]]:
    from datasketch import MinHash, MinHashLSH

    lsh = MinHashLSH(threshold=0.8, num_perm=128)
    found: set[tuple[int, int]] = set()
    for row, hashed in enumerate(MinHash.bulk([shingle_bytes(text) for text in texts], num_perm=128, seed=SEED)):
        if texts[row]:
            found.update((other, row) for other in lsh.query(hashed))
            lsh.insert(row, hashed)
    return found


def rensa_pairs(texts: Sequence[Text]) -> set[tuple[int, int]]:
    from rensa import RMinHash

    filled = [row for row, text in enumerate(texts) if text]
    digests = np.array(RMinHash.digest_matrix_from_token_byte_sets([shingle_bytes(texts[row]) for row in filled], 128, SEED).to_rows(), np.uint32)
    found: set[tuple[int, int]] = set()
    for band in range(16):
        buckets: dict[bytes, list[int]] = {}
        for row, key in zip(filled, np.ascontiguousarray(digests[:, 8 * band : 8 * band + 8]), strict=True):
            bucket = buckets.setdefault(key.tobytes(), [])
            found.update((other, row) for other in bucket)
            bucket.append(row)
    return found


def spectral_vectors(rows: int) -> np.ndarray:
    """Unit vectors whose squared lengths along the axes fall like 1 / k, as those of MiniLM roughly do; every tenth is near an earlier one."""
    source = np.random.default_rng(SEED)
    vectors = source.normal(size=(rows, 384)) / np.sqrt(1 + np.arange(384))
    for row in range(9, rows, 10):
        other = vectors[int(source.integers(row))]
        vectors[row] = other + source.uniform(0.1, 0.8) * np.linalg.norm(other) * source.normal(size=384) / np.sqrt(384)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    result: np.ndarray = (vectors @ np.linalg.qr(source.normal(size=(384, 384)))[0]).astype(np.float32)
    return result


def numpy_pairs(vectors: np.ndarray) -> int:
    found = 0
    for start in range(0, len(vectors), 1024):
        row, other = np.nonzero(vectors[start : start + 1024] @ vectors[: start + 1024].T > 0.9)
        found += int((other < row + start).sum())
    return found


def faiss_pairs(vectors: np.ndarray) -> int:
    import faiss

    lists = int(4 * np.sqrt(len(vectors)))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(vectors.shape[1]), vectors.shape[1], lists, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors)
    index.add(vectors)
    index.nprobe = 8
    found = 0
    for start in range(0, len(vectors), 4096):
        limits, _, others = index.range_search(vectors[start : start + 4096], 0.9)
        rows = np.repeat(np.arange(len(limits) - 1), np.diff(limits.astype(np.int64)))
        found += int((others < rows + start).sum())
    return found


def cosine_table(vectors: np.ndarray, runs: int, name: str) -> None:
    total = numpy_pairs(vectors)
    recall = lambda found: f"{found} pairs, recall {found / max(1, total):.4f}"  # noqa: E731 - one line for three ways
    rows = [timed("ours: PCA bound, float64 verification", lambda: cosine_pairs(vectors, 0.9), runs, lambda p: recall(len(p.left)))]
    rows.append(timed("numpy brute force, float32, lower triangle", lambda: numpy_pairs(vectors), 1, recall))
    try:
        rows.append(timed("faiss IVFFlat, 8 probes", lambda: faiss_pairs(vectors), 1, recall))
    except ImportError:
        print("faiss is not installed: pip install 'synth-assets[bench]'")
    show(f"cosine > 0.9, {len(vectors):,} x {vectors.shape[1]} ({name})", rows)


def precision_table(texts: Sequence[str], runs: int) -> None:
    """The model in bfloat16 and in float32, interleaved, on the same rows."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        seconds: dict[str, list[float]] = {"bfloat16": [], "float32": []}
        used: dict[str, list[float]] = {"bfloat16": [], "float32": []}
        vectors = {}
        models = {name: Embedder(Path(folder) / name, precision=name) for name in seconds}
        for model in models.values():
            model.embed(texts[:32])
        for run in range(runs):
            for name, model in models.items():
                model.cache = Path(folder) / f"{name}{run}"
                start, before = time.perf_counter(), time.process_time()
                vectors[name] = model.embed(texts)
                seconds[name].append(time.perf_counter() - start)
                used[name].append(time.process_time() - before)
    cosines = (vectors["bfloat16"] * vectors["float32"]).sum(axis=1)
    speed = f"{len(texts) / statistics.median(seconds['bfloat16']):.0f} texts/s, cosine to float32: mean {cosines.mean():.5f}, least {cosines.min():.5f}"
    has = sorted(name for name, on in torch.cpu.get_capabilities().items() if "bf16" in name and on is True)
    rows = [(name, statistics.median(seconds[name]), statistics.median(used[name]), speed if name == "bfloat16" else "") for name in seconds]
    show(f"embeddings of {len(texts)} instructions; this CPU computes bfloat16 by {', '.join(has) or 'nothing of its own'}", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="?", type=Path, default=SHARED if SHARED.is_file() else None)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--embed", type=Path, metavar="CACHE.sqlite", help="real sentence embeddings, kept here")
    arguments = parser.parse_args()
    name = arguments.path.name if arguments.path else "made by seed"
    rows = read(arguments.path, arguments.rows)
    prompts = [words(prompt) for prompt, _ in rows]
    start = time.perf_counter()
    pooled(prompts[:2000])
    rouge_l_survivors(prompts[:8000], 0.7)
    jaccard_pairs([[*text, str(row)] for row, text in enumerate(prompts[:8000])], 0.8)
    cosine_pairs(spectral_vectors(100), 0.9)
    print(f"loading or compiling the kernels, and a first run: {time.perf_counter() - start:.1f} s")
    rouge_table(prompts, arguments.runs, name)
    jaccard_table(edited([words(whole) for _, whole in rows], len(rows) * 6000 // ROWS), arguments.runs, name)
    if arguments.embed:
        cosine_table(Embedder(arguments.embed).embed([prompt for prompt, _ in rows], lambda d, t: print(f"  embedded {d:,} of {t:,}")), arguments.runs, name)
    else:
        cosine_table(spectral_vectors(len(rows)), arguments.runs, "vectors made by seed")
    precision_table([prompt for prompt, _ in rows[:200]], arguments.runs)


if __name__ == "__main__":
    main()
