"""`MtebEncoder`: a model of bothends as MTEB's tasks ask for it, in this process or by a server.

    mteb.evaluate(bothends.mteb.MtebEncoder(), mteb.get_tasks(tasks=["STSBenchmark"]))

`pip install 'bothends[cpu]' mteb`, which brings torch; tasks come from a hub.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from mteb.models import ModelMeta
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(f"bothends.mteb needs {missing.name}: pip install mteb", name=missing.name) from None

from .client.sync import Client
from .embeddings import similarity, similarity_pairwise
from .encoder import Encoder


class MtebEncoder:
    """Encoder by MTEB's EncoderProtocol. It has no prompts, so that queries and documents are embedded alike."""

    def __init__(self, model: Encoder | Client | None = None) -> None:
        """Ask `model`, which the caller closes; without one, the packaged model in this process."""
        self.model = Encoder.load() if model is None else model
        about = self.model if isinstance(self.model, Encoder) else self.model.model()
        size, longest = about.dimension, about.max_tokens
        named = {"name": f"bothends/{about.name}", "revision": about.version, "similarity_fn_name": "cosine"}
        self.mteb_model_meta = ModelMeta.create_empty({**named, "embed_dim": size, "max_tokens": longest})

    def encode(self, inputs: Iterable[dict[str, list[str]]], **_: Any) -> NDArray[np.float32]:
        """Embed the texts of MTEB's batches, in order: float32 [texts, dimension], of length 1."""
        texts = [text for batch in inputs for text in batch["text"]]
        rows: NDArray[np.float32] = self.model.encode(texts, normalize=True)
        return rows

    similarity = staticmethod(similarity)
    similarity_pairwise = staticmethod(similarity_pairwise)
