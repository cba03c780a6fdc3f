"""Front of OpenAI's embeddings API, over HTTP."""

from ..front import Front
from .codec import embeddings_codec
from .document import EMBEDDINGS, OPERATIONS
from .endpoints import OpenAI, render_error

FRONT = Front(
    name="OpenAI",
    paths=("POST /v1/embeddings", "GET /v1/models"),
    operations=OPERATIONS,
    routes=lambda served, http: OpenAI(served.service).routes(http),
    render_error=render_error,
    native=dict.fromkeys(EMBEDDINGS, embeddings_codec),
    embedding_methods=[f"POST {path}" for path in EMBEDDINGS],
)
