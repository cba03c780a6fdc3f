"""What the OpenAPI document says of Ollama's API."""

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

_ERRORS = (400, 404, 408, 413, 415, 500)
OPERATIONS = (
    Operation(
        "post",
        "/api/embed",
        "Embed texts",
        OllamaEmbedResponse,
        OllamaErrorResponse,
        OllamaEmbedRequest,
        errors=_ERRORS,
    ),
    Operation(
        "post",
        "/api/embeddings",
        "Embed one text",
        EmbeddingsResponse,
        OllamaErrorResponse,
        EmbeddingsRequest,
        errors=_ERRORS,
    ),
    Operation("post", "/api/show", "One model", ShowResponse, OllamaErrorResponse, ShowRequest, errors=_ERRORS),
    Operation("get", "/api/tags", "The model that is served", OllamaModelList, OllamaErrorResponse, errors=(500,)),
    Operation("get", "/api/ps", "The model that is served", OllamaModelList, OllamaErrorResponse, errors=(500,)),
    Operation("get", "/api/version", "Version of the server", Version, OllamaErrorResponse, errors=(500,)),
)
