"""Models that a user names: a folder, or a name that the local cache of the model hub has. Nothing is ever downloaded.

One place says how they are loaded in silence and how a failure is told, so that toxicity and reward behave alike.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synth_assets.errors import StageFailed

__all__ = ["loading", "named"]


@contextmanager
def loading(key: str, name: str, what: str, otherwise: str) -> Iterator[None]:
    """Load the model `name` in this block: no progress bars, no hub, and a failure is the user's to mend.

    Args:
        key: Of the domain file, where the model is named.
        name: What stands there.
        what: What it should be.
        otherwise: How to do without.

    Raises:
        StageFailed: the block could not load it.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        raise StageFailed(
            f"{key}: {name!r} cannot be loaded as {what} without the network ({_first_line(error)}). Name a folder that "
            f"holds one, or download it first (hf download NAME), or {otherwise}."
        ) from error
    finally:
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def named(name: str) -> str:
    """The name of a model for a row: of a folder its last part alone, because the rest tells of this machine."""
    return Path(name).name if Path(name).is_dir() else name


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:160]
