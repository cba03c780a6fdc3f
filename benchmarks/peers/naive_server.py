"""The packaged bundle behind plain grpcio: each request is one run of the model, padded to its longest sentence.

Most people write this first. It has bothends' own tokenizer, session and contract.

python benchmarks/peers/naive_server.py --threads 8
"""

import argparse
from concurrent.futures import ThreadPoolExecutor

import grpc

from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.model.bundle import Bundle, default_path
from bothends.v1 import embedding_pb2, embedding_pb2_grpc
from tokens import tokenizer_of


class Naive(embedding_pb2_grpc.EmbeddingServiceServicer):
    """A service that tokenises, runs and answers in the request's own thread."""

    def __init__(self) -> None:
        bundle = Bundle.open(default_path())
        self._tokenizer = tokenizer_of(bundle)
        self._session = OnnxRuntimeEngine(bundle)
        self._version = bundle.config.version

    def Embed(  # noqa: N802  gRPC names methods as the contract does
        self,
        request: embedding_pb2.EmbedRequest,
        context: grpc.ServicerContext,  # noqa: ARG002  gRPC passes it by position
    ) -> embedding_pb2.EmbedResponse:
        """Return the contract's answer, without any of its errors."""
        tokens = self._tokenizer.encode(request.sentences)
        rows = self._session.run([sentence.ids for sentence in tokens])
        embeddings = [
            embedding_pb2.Embedding(values=row.tolist(), token_count=len(sentence.ids), truncated=sentence.truncated)
            for row, sentence in zip(rows, tokens, strict=True)
        ]
        return embedding_pb2.EmbedResponse(embeddings=embeddings, model_version=self._version)


def main() -> None:
    """Serve on a free port of 127.0.0.1 until it is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=8)
    server = grpc.server(ThreadPoolExecutor(parser.parse_args().threads))
    embedding_pb2_grpc.add_EmbeddingServiceServicer_to_server(Naive(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
