"""Front of this project's own gRPC API, bothends.v1, which is defined in proto/bothends/v1."""

from ....wire.messages import SERVICE
from ...grpc.calls.rpc_routes import RpcRoutes
from ...grpc.calls.source import Route
from ..front import Front, Served
from .methods import EmbeddingService
from .stream import EmbedStreams


def _rpc_routes(served: Served, rpc: RpcRoutes) -> list[Route]:
    service = served.service
    max_bytes = service.settings.max_message_bytes
    unary = EmbeddingService(service.responders, max_message_bytes=max_bytes, transport=served.transport)
    return [*unary.routes(rpc), EmbedStreams(service.responders).route(rpc)]


FRONT = Front(name="bothends", services=(SERVICE,), rpc_routes=_rpc_routes, embedding_methods=("Embed",))
