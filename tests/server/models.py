"""Servers of two models, and what each model answers alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bothends import Client
from bothends.engines import native
from bothends.server.server import Server
from bothends.settings import Settings

SENTENCES = ["a man plays", "a dog", "the sun shines on a red guitar and a dog", "two men and a woman"]
LIST = SENTENCES * 60
NAMES = ("english", "old")
TRANSPORTS = [
    pytest.param("grpcio", marks=[pytest.mark.slow] * native.is_built()),
    pytest.param("native", marks=pytest.mark.skipif(not native.is_built(), reason="bothends-native isn't built")),
]
Truth = dict[str, NDArray[np.float32]]
"""Rows of SENTENCES by each model."""


@contextmanager
def serving_all(*bundles: str, **settings: Any) -> Iterator[Server]:
    """Run a server of these, each as the command line has it, on free ports; it stops at once."""
    options = Settings(bundle=list(bundles), device="cpu", workers=2, port=0, http_port=0, **settings)
    server = Server(options, lame_duck_s=0)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def client_of(server: Server, name: str | None = None) -> Client:
    """Make a client that asks for the model of this name."""
    return Client(f"127.0.0.1:{server.port}", model=name)
