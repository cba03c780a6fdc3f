"""OpenAPI description of the Open Inference Protocol over HTTP."""

from ...http.openapi import Operation
from .requests import (
    InferErrorResponse,
    InferRequest,
    InferResponse,
    Live,
    ModelConfig,
    ModelMetadata,
    Ready,
    ServerMetadata,
)

SERVER, MODEL = "/v2", "/v2/models/{model}"
INFER, CONFIG = f"{MODEL}/infer", f"{MODEL}/config"
LIVE, READY, MODEL_READY = "/v2/health/live", "/v2/health/ready", f"{MODEL}/ready"
"""Paths of probes, which need no key."""
_NAMED = ("model",)
OPERATIONS = (
    Operation(
        "post",
        INFER,
        "Embed texts",
        InferResponse,
        InferErrorResponse,
        InferRequest,
        errors=(400, 404, 408, 413, 415, 500),
        named=_NAMED,
    ),
    Operation("get", SERVER, "The server", ServerMetadata, InferErrorResponse, errors=(500,)),
    Operation("get", MODEL, "One model", ModelMetadata, InferErrorResponse, errors=(404, 500), named=_NAMED),
    Operation("get", CONFIG, "One model's config", ModelConfig, InferErrorResponse, errors=(404, 500), named=_NAMED),
    Operation("get", LIVE, "Whether the server lives", Live),
    Operation("get", READY, "Whether it serves", Ready, errors=(503,)),
    Operation("get", MODEL_READY, "Whether a model is served", Ready, errors=(503,), named=_NAMED),
)
