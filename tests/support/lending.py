"""What a server doesn't lend to C++, as where a model's tokenizer or engine has no native form."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bothends.core.embedder import Embedder
from bothends.core.lent import Lent
from bothends.core.loaded import LoadedModel
from bothends.server.server import Server

from .engines import SERVES


def is_read_natively(server: Server) -> bool:
    """Return whether C++ reads the default model's plain requests by itself."""
    embedder = server.service.embedder
    return server.transport == "native" and embedder.lend(embedder.model).tokenizer is not None


def lend_no_tokenizer(patched: pytest.MonkeyPatch) -> None:
    """Have servers that are started from now on read each request in Python."""
    lend = Embedder.lend

    def without(self: Embedder, model: LoadedModel) -> Lent:
        return replace(lend(self, model), tokenizer=None)

    patched.setattr(Embedder, "lend", without)


def lend_no_engine(patched: pytest.MonkeyPatch) -> None:
    """Have servers that are started from now on run models in Python, too."""
    lend_no_tokenizer(patched)
    patched.setattr(LoadedModel, "share", lambda _: None)


def patch_runs(patched: pytest.MonkeyPatch, before: Callable[[list[list[int]]], None]) -> None:
    """Call `before` with the sentences of each run in Python."""
    run = SERVES.run_flat

    def called(self: Any, token_ids: NDArray[np.int32], offsets: NDArray[np.int64]) -> NDArray[np.float32]:
        before([token_ids[start:end].tolist() for start, end in pairwise(offsets)])
        return run(self, token_ids, offsets)

    patched.setattr(SERVES, "run_flat", called)
