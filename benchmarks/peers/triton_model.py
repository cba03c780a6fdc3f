"""The packaged bundle as a model of Triton's Python backend: a batch is sorted by length, and run a few at a time.

As behind mosec, an instance is a process with one engine of one thread. tritonserver.py writes what stands around it.
"""

from typing import Any

import numpy as np
import triton_python_backend_utils as triton

from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.model.bundle import Bundle, default_path
from tokens import tokenizer_of

_RUN_ROWS = 8
"""Sentences in one run of the model, as behind mosec."""


class TritonPythonModel:
    """One instance. Triton finds it by this name."""

    def initialize(self, _: dict[str, str]) -> None:
        """Load the bundle."""
        bundle = Bundle.open(default_path())
        self._tokenizer = tokenizer_of(bundle)
        self._session = OnnxRuntimeEngine(bundle)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Return a response for each request, in their order."""
        texts = [request.inputs()[0].as_numpy().reshape(-1) for request in requests]
        rows = self._embed([text.decode() for request in texts for text in request])
        ends = np.cumsum([len(request) for request in texts])
        parts = np.split(rows, ends[:-1])
        return [triton.InferenceResponse([triton.Tensor("embeddings", part)]) for part in parts]

    def _embed(self, sentences: list[str]) -> np.ndarray:
        ids = [tokens.ids for tokens in self._tokenizer.encode(sentences)]
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        rows = np.empty((len(ids), self._session.dimension), dtype=np.float32)
        for start in range(0, len(order), _RUN_ROWS):
            places = order[start : start + _RUN_ROWS]
            rows[places] = self._session.run([ids[place] for place in places])
        return rows
