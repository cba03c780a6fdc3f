"""Front of text-embeddings-inference's API over HTTP and gRPC."""

from ..front import Front
from .codec import texts_codec
from .document import BASE, EMBED, OPERATIONS
from .endpoints import Tei
from .errors import render_error, status_of
from .methods import SERVICES, TeiServices

FRONT = Front(
    name="text-embeddings-inference",
    paths=("POST /embed", "GET /info"),
    operations=OPERATIONS,
    routes=lambda served, http: Tei(served.service).routes(http),
    render_error=render_error,
    status_of=status_of,
    native=dict.fromkeys((EMBED, BASE), texts_codec),
    services=SERVICES,
    rpc_routes=lambda served, rpc: TeiServices(served.service).routes(rpc),
    embedding_methods=[f"POST {path}" for path in (EMBED, BASE, "/similarity")],
)
