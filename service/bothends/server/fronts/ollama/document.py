"""OpenAPI description of Ollama's API."""

from functools import partial

from ...http.openapi import Operation
from .requests import (
    EmbeddingsRequest,
    EmbeddingsResponse,
    OllamaEmbedRequest,
    OllamaEmbedResponse,
    OllamaErrorResponse,
    OllamaModelList,
    ShowRequest,
    ShowResponse,
    Version,
)

_post = partial(Operation, "post", error=OllamaErrorResponse, errors=(400, 404, 408, 413, 415, 500))
_get = partial(Operation, "get", error=OllamaErrorResponse, errors=(500,))
OPERATIONS = (
    _post("/api/embed", "Embed texts", OllamaEmbedResponse, request=OllamaEmbedRequest),
    _post("/api/embeddings", "Embed one text", EmbeddingsResponse, request=EmbeddingsRequest),
    _post("/api/show", "One model", ShowResponse, request=ShowRequest),
    _get("/api/tags", "The model that is served", OllamaModelList),
    _get("/api/ps", "The model that is served", OllamaModelList),
    _get("/api/version", "Version of the server", Version),
)
