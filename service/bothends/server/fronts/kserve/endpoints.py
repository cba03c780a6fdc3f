"""The Open Inference Protocol over HTTP, and those of Triton's extensions that its clients need."""

from functools import partial
from typing import Any

import orjson
from google.rpc import status_pb2
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ....kserve.v2 import inference_pb2
from ...context import CallContext
from ...dispatch import FAR
from ...http.failure import Blame
from ...http.routes import HttpRoutes
from ...http.values import check_values
from .body import JSON_BYTES, InferBody, respond, split
from .document import CONFIG, INFER, LIVE, MODEL, MODEL_READY, READY, SERVER
from .methods import InferenceService

_VERSION = "/versions/{version}"
_OTHERS = 256
"""Number of JSON values that a request may hold in its parameters and outputs, in addition to its texts."""
_NOT_OFFERED = (
    "this server embeds and does nothing else of the Open Inference Protocol; there are POST /v2/models/{model}/infer, "
    "GET /v2, /v2/models/{model}, /v2/models/{model}/config, /v2/health/live and /v2/health/ready"
)


class InferenceEndpoints:
    """Endpoints of the protocol, over all models."""

    def __init__(self, service: InferenceService) -> None:
        """Answer by `service`."""
        self._service = service

    def routes(self, http: HttpRoutes) -> list[BaseRoute]:
        """Make the routes of all endpoints; those of one model may name its version."""
        return [
            Route(LIVE, _live),
            Route(READY, self.ready),
            http.gets(SERVER, self.server_metadata),
            *(Route(path, self.model_ready) for path in _versioned(MODEL_READY)),
            *(http.posts(path, self.infer, name=INFER) for path in _versioned(INFER)),
            *(http.gets(path, self.model_config, name=CONFIG) for path in _versioned(CONFIG)),
            *(http.gets(path, self.model_metadata, name=MODEL) for path in _versioned(MODEL)),
            http.refuses("/v2/{rest:path}", 404, _NOT_OFFERED),
        ]

    async def ready(self, _: Request) -> Response:
        """Answer whether the server serves."""
        return _readiness(self._service.is_ready())

    async def model_ready(self, request: Request) -> Response:
        """Answer whether a model is served and healthy. It tells nothing more, since no key is needed."""
        name, version = request.path_params["model"], request.path_params.get("version", "")
        return _readiness(self._service.is_ready_for(name, version), name=name)

    def server_metadata(self, _: bytes, context: CallContext) -> None:
        """Describe the server."""
        found = self._service.about_server("binary_tensor_data")
        context.send(orjson.dumps({"name": found.name, "version": found.version, "extensions": [*found.extensions]}))

    def model_metadata(self, _: bytes, context: CallContext) -> None:
        """Describe a model's tensors."""
        found = self._service.about_model(*_asked(context))
        described = {
            "name": found.name,
            "versions": [*found.versions],
            "platform": found.platform,
            "inputs": [_tensor_metadata(each) for each in found.inputs],
            "outputs": [_tensor_metadata(each) for each in found.outputs],
        }
        context.send(orjson.dumps(described))

    def model_config(self, _: bytes, context: CallContext) -> None:
        """Describe a model as Triton's configs do, with how many texts this caller may send at once."""
        found = self._service.config_of(*_asked(context), context)
        described = {
            "name": found.name,
            "platform": found.platform,
            "max_batch_size": found.max_batch_size,
            "input": [_tensor_config(each) for each in found.input],
            "output": [_tensor_config(each) for each in found.output],
            "dynamic_batching": {},
        }
        context.send(orjson.dumps(described))

    def infer(self, content: bytes, context: CallContext) -> None:
        """Embed the request's texts."""
        json, binary = split(content, context.header(JSON_BYTES))
        most = FAR * self._service.max_sentences + _OTHERS
        check_values(json, max_values=most, max_lists=most)
        body = InferBody.of(json, binary)
        message = body.message(*_asked(context))
        read = partial(body.texts, message, max_texts=self._service.max_sentences)
        self._service.infer(message, context, read, partial(respond, context, body.binary_outputs()))


def render_error(_: int, status: status_pb2.Status) -> bytes:
    """Write an error as JSON that the protocol's clients understand."""
    return orjson.dumps({"error": Blame.of(status, sentences="sentences").message})


async def _live(_: Request) -> Response:
    return JSONResponse({"live": True})


def _readiness(ready: bool, **named: str) -> Response:
    return JSONResponse({**named, "ready": ready}, 200 if ready else 503)


def _versioned(path: str) -> tuple[str, str]:
    """Return a model's path, and the same of one version."""
    return path, path.replace(MODEL, MODEL + _VERSION)


def _asked(context: CallContext) -> tuple[str, str]:
    """Return the model and the version that a call's path names, the latter empty if it names none."""
    return context.path_param("model"), context.path_param("version")


def _tensor_metadata(tensor: Any) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": [*tensor.shape]}


def _tensor_config(tensor: Any) -> dict[str, Any]:
    data_type = inference_pb2.DataType.Name(tensor.data_type)
    return {"name": tensor.name, "data_type": data_type, "dims": [*tensor.dims]}
