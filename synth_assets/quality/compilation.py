"""Functions compiled by numba: once per machine and version, kept on disk, and said aloud while it lasts.

numba keeps machine code beside the source or, where that cannot be written, under the user's cache folder (NUMBA_CACHE_DIR moves it); where
neither can be written, a process compiles anew. Invariant: a function means the same compiled and as Python.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numba
from numba.core import event

from synth_assets import progress

__all__ = ["compiled"]

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """`function`, compiled when it is first called with arguments of these types."""
    _announced()
    try:
        fast: F = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # "no locator available": no place for the cache can be written
        fast = numba.njit(nogil=True)(function)
    return fast


class _Announcer(event.Listener):  # type: ignore[misc]
    """Says once that functions are being compiled. numba tells of no compilation where machine code was found on disk."""

    def __init__(self) -> None:
        self._said = False

    def on_start(self, event: Any) -> None:
        if not self._said and event.data["dispatcher"].py_func.__module__.startswith("synth_assets."):
            self._said = True
            progress.say("compiling the kernels of the gates for this machine: about 15 seconds, the first time only")

    def on_end(self, event: Any) -> None:
        pass


@cache
def _announced() -> None:
    event.register("numba:compile", _Announcer())
