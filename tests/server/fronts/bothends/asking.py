"""The same asked of Embed, for tests of streams."""

import grpc

from bothends.v1 import embedding_pb2, embedding_pb2_grpc


def embed(channel: grpc.Channel, message: embedding_pb2.EmbedStreamRequest) -> embedding_pb2.EmbedResponse:
    """Ask Embed the same: both messages are the same on the wire."""
    same = embedding_pb2.EmbedRequest.FromString(message.SerializeToString())
    answer: embedding_pb2.EmbedResponse = embedding_pb2_grpc.EmbeddingServiceStub(channel).Embed(same)
    return answer


def embeddings(response: embedding_pb2.EmbedStreamResponse) -> list[bytes]:
    assert all(item.HasField("embedding") for item in response.items)
    return [item.embedding.SerializeToString() for item in response.items]
