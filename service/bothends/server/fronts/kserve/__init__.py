"""Front of the Open Inference Protocol, for clients of KServe and Triton."""

from ..front import Front
from .methods import SERVICE, InferenceService

FRONT = Front(
    name="KServe",
    services=(SERVICE,),
    rpc_routes=lambda served, rpc: InferenceService(served.service).routes(rpc),
    embedding_methods=("ModelInfer",),
)
