"""OpenAPI description of text-embeddings-inference's API."""

from functools import partial

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
    TeiRequest,
    TeiResponse,
    TokenizeRequest,
    TokenizeResponse,
)

EMBED = "/embed"
BASE = "/"
"""Path of requests for embeddings and comparisons: huggingface_hub's clients ask at the base URL itself."""
_ERRORS = (400, 408, 413, 415, 422, 424, 500)
_post = partial(Operation, "post", error=TeiErrorResponse, errors=_ERRORS)
OPERATIONS = (
    _post(EMBED, "Embed texts", TeiEmbedResponse, request=TeiEmbedRequest),
    _post(BASE, "Embed texts, as POST /embed, or compare them, as POST /similarity", TeiResponse, request=TeiRequest),
    _post("/similarity", "Compare a text with others", SimilarityResponse, request=SimilarityRequest),
    _post("/tokenize", "Cut texts into tokens", TokenizeResponse, request=TokenizeRequest),
    _post("/decode", "Write the texts that tokens stand for", DecodeResponse, request=DecodeRequest),
    Operation("get", "/info", "The model and the server", Info, TeiErrorResponse, errors=(500,)),
)
