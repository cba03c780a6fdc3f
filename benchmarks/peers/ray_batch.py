"""The packaged bundle behind Ray Serve's own batching: what its guide shows, with bothends' tokenizer and engines.

python benchmarks/peers/ray_batch.py --port 50051 --http-port 8000 --engine onnxruntime --max-batch-size 32
"""

import argparse
import time
from typing import Any

import ray
from ray import serve

import engines
from bothends.model.bundle import Bundle, default_path
from bothends.v1 import embedding_pb2
from tokens import tokenizer_of

_SERVICES = "bothends.v1.embedding_pb2_grpc.add_EmbeddingServiceServicer_to_server"


class Batched:
    """One replica. A batch is the requests that came within the wait, padded to the longest."""

    def __init__(self, engine: str, max_batch_size: int, wait_s: float) -> None:
        bundle = Bundle.open(default_path())
        self._tokenizer = tokenizer_of(bundle)
        self._engine = engines.load(engine, bundle)
        self._version = bundle.config.version
        self._run.set_max_batch_size(max_batch_size)
        self._run.set_batch_wait_timeout_s(wait_s)

    @serve.batch  # type: ignore[untyped-decorator]
    async def _run(self, requests: list[list[str]]) -> list[list[Any]]:
        texts = [text for request in requests for text in request]
        tokens = self._tokenizer.encode(texts)
        rows = zip(tokens, self._engine.run([sentence.ids for sentence in tokens]), strict=True)
        return [[next(rows) for _ in request] for request in requests]

    async def Embed(self, request: embedding_pb2.EmbedRequest) -> embedding_pb2.EmbedResponse:  # noqa: N802
        """Return the contract's answer, without any of its errors."""
        embeddings = [
            embedding_pb2.Embedding(values=row.tolist(), token_count=len(sentence.ids), truncated=sentence.truncated)
            for sentence, row in await self._run(list(request.sentences))
        ]
        return embedding_pb2.EmbedResponse(embeddings=embeddings, model_version=self._version)


def main() -> None:
    """Serve until it is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--max-batch-size", type=int, default=32)
    parser.add_argument("--wait-ms", type=float, default=2.0)
    asked = parser.parse_args()
    ray.init(namespace="serve")
    serve.start(
        http_options={"port": asked.http_port},
        grpc_options={"port": asked.port, "grpc_servicer_functions": [_SERVICES]},
        logging_config={"enable_access_log": False},
    )
    deployment = serve.deployment(
        Batched,
        max_ongoing_requests=1024,
        ray_actor_options={"num_cpus": 1},
        logging_config={"enable_access_log": False},
    )
    serve.run(deployment.bind(asked.engine, asked.max_batch_size, asked.wait_ms / 1000))
    print("the application is ready", flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
