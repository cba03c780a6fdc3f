"""OpenAPI description of OpenAI's embeddings API."""

from ...http.openapi import Operation
from .requests import EmbeddingRequest, EmbeddingResponse, ErrorResponse, Model, ModelList

EMBEDDINGS = ("/v1/embeddings", "/embeddings")
"""Paths of requests for embeddings. text-embeddings-inference has the second one too, and clients whose base URL
lacks /v1 use it."""
_EMBEDDING = (400, 404, 408, 413, 415, 500)
OPERATIONS = (
    *(
        Operation(
            "post", path, "Embed sentences", EmbeddingResponse, ErrorResponse, EmbeddingRequest, errors=_EMBEDDING
        )
        for path in EMBEDDINGS
    ),
    Operation("get", "/v1/models", "The models that are served", ModelList, ErrorResponse, errors=(500,)),
    Operation("get", "/v1/models/{model}", "One model", Model, ErrorResponse, errors=(404, 500), named=("model",)),
)
