"""The real embedding model, loaded once per session and without a network."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from synth_assets.quality.embeddings import Embedder


@pytest.fixture(scope="session")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedder]:
    def refuse(*_: Any) -> None:
        raise AssertionError("the embedder asked the network")

    embedder = Embedder(tmp_path_factory.mktemp("embeddings") / "embeddings.sqlite")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        embedder.embed(["This text loads the model."])
    yield embedder
