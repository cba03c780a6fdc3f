"""Front of Ollama's HTTP API, as far as it concerns models that embed."""

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
    reads_any_type=True,
    native={"/api/embed": embed_codec, "/api/embeddings": embeddings_codec},
    embedding_methods=("POST /api/embed", "POST /api/embeddings"),
)
