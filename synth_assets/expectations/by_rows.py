"""Spreads work on single rows over the processors, for slices that are large enough to pay for the processes.

Workers are spawned, never forked: Dagster's process has threads, and may hold torch. They import the function's module and nothing of the graph.
"""

import os
from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeVar

__all__ = ["FEWEST", "by_rows"]

T = TypeVar("T")

FEWEST = 5_000
"""Rows below which one process is faster: two workers take 1 to 2 s to start."""

CHUNK = 2_000


def by_rows(work: Callable[..., list[T]], columns: Sequence[Sequence[object]], *settings: object) -> list[T]:
    """Results of `work(*columns, *settings)`, one per row in their order.

    Args:
        work: A function at the top level of a module; each result depends on its own row alone.
        columns: Equally long, picklable.
        settings: What all rows share.
    """
    rows = len(columns[0])
    workers = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, rows // FEWEST + 1)
    if workers < 2:
        return work(*columns, *settings)
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    starts = range(0, rows, CHUNK)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        parts = [pool.submit(work, *(column[start : start + CHUNK] for column in columns), *settings) for start in starts]
        return list(chain.from_iterable(part.result() for part in parts))
