"""AsyncClient as threads use Client, so that one test asks both."""

import asyncio
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from bothends import AsyncClient, Embeddings
from bothends.v1 import embedding_pb2


class Awaited:
    """Each call runs a loop of its own until it is answered."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self.client = AsyncClient(*arguments, **options)

    def encode(self, sentences: Sequence[str] | str, **options: Any) -> np.ndarray:
        return self._runner.run(self.client.encode(sentences, **options))

    def embed(self, sentences: Sequence[str], **options: Any) -> Embeddings:
        return self._runner.run(self.client.embed(sentences, **options))

    def model(self, **options: Any) -> embedding_pb2.Model:
        return self._runner.run(self.client.model(**options))

    def close(self) -> None:
        self._runner.run(self.client.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._runner.close()
