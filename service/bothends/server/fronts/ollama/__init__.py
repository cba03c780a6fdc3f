"""Front of Ollama's API, over HTTP: what its clients ask of a model that embeds."""

from ..front import Front
from .codec import embed_codec, embeddings_codec
from .document import OPERATIONS
from .endpoints import Ollama, render_error

FRONT = Front(
    name="Ollama",
    paths=("POST /api/embed",),
    operations=OPERATIONS,
    routes=lambda served, http: Ollama(served.service).routes(http),
    render_error=render_error,
    native={"/api/embed": embed_codec, "/api/embeddings": embeddings_codec},
    embedding_methods=("POST /api/embed", "POST /api/embeddings"),
)
