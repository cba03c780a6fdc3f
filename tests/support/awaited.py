"""AsyncClient in the manner in which threads use Client, so that one test asks both."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Self

import numpy as np

from bothends import AsyncClient, Embeddings
from bothends.v1 import embedding_pb2

_SOME = 50


class Awaited:
    """A client each of whose calls runs a loop of its own until it is answered."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self.client = AsyncClient(*arguments, **options)

    def encode(self, sentences: Sequence[str] | str, **options: Any) -> np.ndarray:
        return self._runner.run(self.client.encode(sentences, **options))

    def embed(self, sentences: Sequence[str], **options: Any) -> Embeddings:
        return self._runner.run(self.client.embed(sentences, **options))

    def encode_stream(self, sentences: Any, **options: Any) -> Iterator[Any]:
        return self._each(self.client.encode_stream(sentences, **options))

    def embed_stream(self, sentences: Any, **options: Any) -> Iterator[Any]:
        return self._each(self.client.embed_stream(sentences, **options))

    def _each(self, results: AsyncIterator[Any]) -> Iterator[Any]:
        """Yield results, fetched some at a time: a loop takes long to begin to run."""

        async def some() -> list[Any]:
            found = []
            async for result in results:
                found.append(result)
                if len(found) == _SOME:
                    break
            return found

        try:
            while found := self._runner.run(some()):
                yield from found
        finally:
            self._runner.run(results.aclose())  # type: ignore[attr-defined]

    def model(self, **options: Any) -> embedding_pb2.Model:
        return self._runner.run(self.client.model(**options))

    def close(self) -> None:
        self._runner.run(self.client.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._runner.close()
