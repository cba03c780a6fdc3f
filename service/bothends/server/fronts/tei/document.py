"""What the OpenAPI document says of text-embeddings-inference's API."""

from ...http.openapi import Operation
from .requests import (
    DecodeRequest,
    DecodeResponse,
    Info,
    SimilarityRequest,
    SimilarityResponse,
    TeiEmbedRequest,
    TeiEmbedResponse,
    TeiErrorResponse,
    TokenizeRequest,
    TokenizeResponse,
)

_ERRORS = (400, 408, 413, 415, 422, 424, 500)
OPERATIONS = (
    Operation("post", "/embed", "Embed texts", TeiEmbedResponse, TeiErrorResponse, TeiEmbedRequest, errors=_ERRORS),
    Operation(
        "post", "/", "Embed texts, as POST /embed", TeiEmbedResponse, TeiErrorResponse, TeiEmbedRequest, errors=_ERRORS
    ),
    Operation(
        "post",
        "/similarity",
        "Compare a text with others",
        SimilarityResponse,
        TeiErrorResponse,
        SimilarityRequest,
        errors=_ERRORS,
    ),
    Operation(
        "post",
        "/tokenize",
        "Cut texts into tokens",
        TokenizeResponse,
        TeiErrorResponse,
        TokenizeRequest,
        errors=_ERRORS,
    ),
    Operation(
        "post",
        "/decode",
        "Write the texts that tokens stand for",
        DecodeResponse,
        TeiErrorResponse,
        DecodeRequest,
        errors=_ERRORS,
    ),
    Operation("get", "/info", "The model and the server", Info, TeiErrorResponse, errors=(500,)),
)
