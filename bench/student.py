"""What the gates are worth to a student: the same small model trained on what they kept, on all that was made, and on random rows of equal number.

    python -m bench.student --home .synth --held-out seed_tasks.jsonl              a home's last release, and all answers behind it
    python -m bench.student --kept kept.jsonl --made made.jsonl --held-out ...     what `synth-assets screen` kept of any file

The student is a small transformer over bytes, trained from nothing: every arm may see the same number of bytes, so that a smaller set is read more
often. Measured is the loss on responses written by people (JSON Lines of instruction, input and output, or of Self-Instruct's seed tasks), in
bits per byte of the response, at the best of ten looks of each run: 53 rows read 180 times over are learnt by heart, and the last look says only that
(11 bits, where guessing costs 8). Differences are between arms of the same seed, with a 95 % t interval over the seeds. A GPU is used where
there is one: then a wider and deeper student, larger steps and more of them say more (--width, --layers, --batch, --steps).
"""

import argparse
import math
import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import nn

from bench.measuring import lines, print_table
from synth_assets.conversations import prompt_of

LENGTH = 384
"""Bytes of a row that are read."""
LOOKS = 10
"""At the held-out responses in the course of a run."""
END, GAP, ROOM = 256, 257, 258
"""After a response, between prompt and response, and how many symbols there are."""

Pair = tuple[str, str]


class Student(nn.Module):
    """A decoder over bytes."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.symbols, self.places = nn.Embedding(ROOM, width), nn.Embedding(LENGTH, width)
        layer = nn.TransformerEncoderLayer(width, width // 32, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, ROOM)

    def forward(self, symbols: torch.Tensor) -> torch.Tensor:
        size = symbols.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(size, device=symbols.device)
        hidden = self.symbols(symbols) + self.places(torch.arange(size, device=symbols.device))
        out: torch.Tensor = self.out(self.norm(self.layers(hidden, mask=mask, is_causal=True)))
        return out


def encoded(rows: Sequence[Pair], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Symbols of every row and whether each is to be learnt: the response and its end. Long rows are cut, the prompt first."""
    symbols, wanted = np.full((len(rows), LENGTH + 1), END), np.zeros((len(rows), LENGTH + 1), bool)
    for place, (prompt, response) in enumerate(rows):
        answer = [*response.encode()[: LENGTH // 2 + 1], END]
        asked = [*prompt.encode()[-(LENGTH - len(answer)) :], GAP]
        whole = (asked + answer)[: LENGTH + 1]
        symbols[place, : len(whole)] = whole
        wanted[place, len(asked) : len(whole)] = True
    return torch.from_numpy(symbols).to(device), torch.from_numpy(wanted).to(device)


def loss_of(student: Student, symbols: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Nats per wanted symbol."""
    with torch.autocast(symbols.device.type, torch.bfloat16, enabled=symbols.is_cuda):
        scores = student(symbols[:, :-1])
    return nn.functional.cross_entropy(scores[wanted[:, 1:]].float(), symbols[:, 1:][wanted[:, 1:]])


def train(rows: Sequence[Pair], held_out: tuple[torch.Tensor, torch.Tensor], seed: int, options: argparse.Namespace, device: torch.device) -> float:
    """Bits per byte of the held-out responses, at the best look in `options.steps` steps over `rows`."""
    torch.manual_seed(seed)
    student = Student(options.width, options.layers).to(device)
    optimizer = torch.optim.AdamW(student.parameters(), lr=options.rate, weight_decay=0.01)
    symbols, wanted = encoded(rows, device)
    source = random.Random(seed)
    order: list[int] = []
    seen: list[float] = []
    for step in range(options.steps):
        while len(order) < options.batch:
            order += source.sample(range(len(rows)), len(rows))
        chosen, order = torch.tensor(order[: options.batch], device=device), order[options.batch :]
        for group in optimizer.param_groups:
            group["lr"] = options.rate * min(1.0, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * step / options.steps))
        optimizer.zero_grad(set_to_none=True)
        loss_of(student, symbols[chosen], wanted[chosen]).backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % max(1, options.steps // LOOKS) == 0:
            seen.append(bits(student, held_out, options.batch))
    return min(seen)


@torch.no_grad()
def bits(student: Student, held_out: tuple[torch.Tensor, torch.Tensor], batch: int) -> float:
    slices = [slice(first, first + batch) for first in range(0, len(held_out[0]), batch)]
    parts = [(loss_of(student, held_out[0][part], held_out[1][part]).item(), int(held_out[1][part].sum())) for part in slices]
    return sum(loss * count for loss, count in parts) / sum(count for _, count in parts) / math.log(2)


def of_home(home: Path) -> tuple[list[Pair], list[Pair]]:
    """Rows of the last release's sft training split; and every answer that the teacher gave, kept or not, with the instruction it was given to."""
    from synth_assets.release import export
    from synth_assets.warehouse import Warehouse

    folder = home / "release" / str(export.latest(home / "release"))
    kept = [(m[-2]["content"], m[-1]["content"]) for file in sorted((folder / "sft").glob("train*.jsonl")) for m in (row["messages"] for row in lines(file))]  # type: ignore[index,call-overload]
    warehouse = Warehouse(home / "warehouse.duckdb")
    stood = warehouse.query("select prompt, response from synth.teacher_responses")
    fell = warehouse.query("select row->>'$.prompt' as prompt, row->>'$.response' as response from synth.rejections where stage = 'teacher_responses'")
    return kept, list(dict.fromkeys((row["prompt"] or "", row["response"] or "") for row in [*stood, *fell]))


def pairs(path: Path) -> list[Pair]:
    """Prompt and response of every line, in any of the forms that the gates and Self-Instruct write."""
    found: list[Pair] = []
    for line in lines(path):
        row: dict[str, Any] = dict(line)
        if "row" in row:
            row = row["row"]
        for instance in row.get("instances") or [row]:
            asked = prompt_of({"instruction": row.get("instruction") or row.get("prompt") or "", "input": instance.get("input") or ""})
            found.append((asked, str(instance.get("output") or instance.get("response") or "")))
    return [pair for pair in found if pair[1].strip()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("home", "kept", "made", "held-out"):
        parser.add_argument(f"--{name}", type=Path)
    for name, default in (("seeds", 5), ("steps", 300), ("batch", 16), ("width", 128), ("layers", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rate", type=float, default=2e-3)
    options = parser.parse_args()
    if not (options.held_out and (options.home or (options.kept and options.made))):
        print("bench/student.py needs --held-out FILE, and --home FOLDER or --kept FILE --made FILE: nothing measured.")
        return
    kept, made = of_home(options.home) if options.home else (pairs(options.kept), pairs(options.made))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    held_out = encoded(pairs(options.held_out), device)
    scores: dict[str, list[float]] = {"kept by the gates": [], "all that was made": [], "random, as many": []}
    started = time.perf_counter()
    for seed in range(options.seeds):
        arms = (kept, made, random.Random(seed).sample(made, min(len(kept), len(made))))
        for name, rows in zip(scores, arms, strict=True):
            scores[name].append(train(rows, held_out, seed, options, device))
            print(f"seed {seed}, {name}: {scores[name][-1]:.4f} after {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    first = scores["kept by the gates"]
    table = []
    for (name, found), size in zip(scores.items(), (len(kept), len(made), min(len(kept), len(made))), strict=True):
        apart = [a - b for a, b in zip(found, first, strict=True)]
        spread = float(stats.t.ppf(0.975, options.seeds - 1)) * statistics.stdev(apart) / math.sqrt(len(apart)) if any(apart) else 0.0
        table.append((name, size, f"{statistics.fmean(found):.4f}", f"{statistics.fmean(apart):+.4f} ± {spread:.4f}" if any(apart) else ""))
    parameters = sum(p.numel() for p in Student(options.width, options.layers).parameters())
    what = f"{parameters / 1e6:.1f} M parameters on {device.type}, {options.steps} steps of {options.batch} rows, {options.seeds} seeds"
    print_table(
        f"{what}, {len(held_out[0])} held-out responses, {time.perf_counter() - started:.0f} s",
        ("trained on", "rows", "bits per byte", "worse than kept, 95 %"),
        table,
    )


if __name__ == "__main__":
    main()
