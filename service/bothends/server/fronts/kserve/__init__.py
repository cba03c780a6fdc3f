"""Front of the Open Inference Protocol, for clients of KServe and Triton."""

from ..front import Front
from .codec import infer_json_codec
from .document import INFER, OPERATIONS
from .endpoints import InferenceEndpoints, render_error
from .methods import SERVICE, InferenceService

FRONT = Front(
    name="KServe",
    operations=OPERATIONS,
    routes=lambda served, http: InferenceEndpoints(InferenceService(served.service)).routes(http),
    render_error=render_error,
    native={INFER: infer_json_codec},
    reads_any_type=True,
    services=(SERVICE,),
    rpc_routes=lambda served, rpc: InferenceService(served.service).routes(rpc),
    embedding_methods=("ModelInfer", f"POST {INFER}"),
)
