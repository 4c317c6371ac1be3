"""Functions compiled by numba: once per machine and version, and kept on disk.

numba keeps machine code beside the source or, where that cannot be written, under the user's cache folder (NUMBA_CACHE_DIR moves it); where
neither can be written, a process compiles anew. Invariant: a function means the same compiled and as Python.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

__all__ = ["compiled"]

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """`function`, compiled when it is first called with arguments of these types."""
    try:
        fast: F = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # "no locator available": no place for the cache can be written
        fast = numba.njit(nogil=True)(function)
    return fast
