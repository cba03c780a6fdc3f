"""Methods of the Open Inference Protocol (KServe, version 2), and those that Triton's clients also need.

They raise errors, which dispatch.py turns into statuses. Probes need no key and are answered before all other calls, as
health checks are, so that neither a full queue nor a long batch makes a server look dead.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import TypeAlias

from ....core.loaded import LoadedModel
from ....core.query import Query
from ....embeddings import Embeddings, Write
from ....errors import UnknownModelError
from ....kserve.v2 import inference_pb2
from ....text import printable
from ...context import CallContext
from ...dispatch import protobuf
from ...grpc.calls.rpc_routes import RpcRoutes
from ...grpc.calls.source import Route
from ...model_service import ModelService
from ...responder import Responder
from .bounds import check
from .codec import infer_codec
from .tensors import INPUT, OUTPUTS, options, outputs, response, texts

SERVICE: str = inference_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name
_PLATFORMS = {"native": "bothends_native"}
"""Words of the protocol for engine and format, by the provider that serves; _OF_ONNX for all others."""
_OF_ONNX = "onnxruntime_onnx"
_EXTENSIONS = ("model_configuration", "parameters")
"""Names of Triton's extensions that are offered. "statistics" isn't: those are counted by integer versions, which
this project's aren't, and perf_analyzer, which asks for them if they are offered, would show zeros or fail."""
Respond: TypeAlias = Callable[..., bytes]
"""Function that writes a response, with the arguments of `tensors.response`."""
_parse = protobuf(inference_pb2.ModelInferRequest)


class InferenceService:
    """Methods of the protocol, over all models."""

    def __init__(self, service: ModelService) -> None:
        """Answer by `service`."""
        self._responders = service.responders
        self.is_ready = service.is_ready
        self._is_ready_for = service.is_ready_for
        self.max_sentences = self._responders.default.embedder.limits.sentences

    def routes(self, rpc: RpcRoutes) -> list[Route]:
        """Make the routes of all methods."""
        route, probe = partial(rpc.route, SERVICE), partial(rpc.probe, SERVICE)
        live = inference_pb2.ServerLiveResponse(live=True).SerializeToString()
        return [
            route("ServerMetadata", protobuf(inference_pb2.ServerMetadataRequest), self.server_metadata),
            route("ModelMetadata", protobuf(inference_pb2.ModelMetadataRequest), self.model_metadata),
            route("ModelConfig", protobuf(inference_pb2.ModelConfigRequest), self.model_config),
            route("ModelInfer", self._parse_infer, self.model_infer, create_codec=infer_codec),
            probe("ServerLive", lambda _: live),
            probe(
                "ServerReady", lambda _: inference_pb2.ServerReadyResponse(ready=self.is_ready()).SerializeToString()
            ),
            probe("ModelReady", self.model_ready),
        ]

    def model_ready(self, content: bytes) -> bytes:
        """Answer True if the named model is served and healthy. It tells nothing more, since no key is needed."""
        asked = inference_pb2.ModelReadyRequest.FromString(content)
        return inference_pb2.ModelReadyResponse(ready=self.is_ready_for(asked.name, asked.version)).SerializeToString()

    def is_ready_for(self, name: str, asked_version: str) -> bool:
        """Return True if the model `name` is served and healthy, in this version if it isn't empty."""
        try:
            return self._is_ready_for(self._find(name, asked_version).name)
        except UnknownModelError:
            return False

    def server_metadata(self, _: inference_pb2.ServerMetadataRequest, context: CallContext) -> None:
        """Describe the server."""
        context.send(self.about_server().SerializeToString())

    def about_server(self, *more: str) -> inference_pb2.ServerMetadataResponse:
        """Return what the server is; `more` are extensions that the protocol's transport adds."""
        extensions = (*_EXTENSIONS, *more)
        return inference_pb2.ServerMetadataResponse(name="bothends", version=version("bothends"), extensions=extensions)

    def model_metadata(self, request: inference_pb2.ModelMetadataRequest, context: CallContext) -> None:
        """Describe the model's tensors."""
        context.send(self.about_model(request.name, request.version).SerializeToString())

    def about_model(self, name: str, asked_version: str) -> inference_pb2.ModelMetadataResponse:
        """Return what a model's tensors are. Raises UnknownModelError."""
        responder = self._find(name, asked_version)
        model = responder.embedder.model
        metadata = inference_pb2.ModelMetadataResponse(
            name=responder.name, versions=[model.config.version], platform=_platform(model)
        )
        metadata.inputs.add(name=INPUT, datatype="BYTES", shape=(-1, 1))
        for output, dims in _dims(model).items():
            metadata.outputs.add(name=output, datatype=OUTPUTS[output].datatype, shape=(-1, *dims))
        return metadata

    def model_config(self, request: inference_pb2.ModelConfigRequest, context: CallContext) -> None:
        """Describe the model's tensors, and how many texts this caller may send at once."""
        config = self.config_of(request.name, request.version, context)
        context.send(inference_pb2.ModelConfigResponse(config=config).SerializeToString())

    def config_of(self, name: str, asked_version: str, context: CallContext) -> inference_pb2.ModelConfig:
        """Return a model's config as Triton has it, for the caller of `context`. Raises UnknownModelError."""
        responder = self._find(name, asked_version)
        model = responder.embedder.model
        config = inference_pb2.ModelConfig(
            name=responder.name,
            platform=_platform(model),
            max_batch_size=responder.max_sentences(context),
            dynamic_batching=inference_pb2.ModelDynamicBatching(),
        )
        config.input.add(name=INPUT, data_type=inference_pb2.TYPE_STRING, dims=(1,))
        for output, dims in _dims(model).items():
            config.output.add(name=output, data_type=OUTPUTS[output].data_type, dims=dims)
        return config

    def model_infer(self, request: inference_pb2.ModelInferRequest, context: CallContext) -> None:
        """Embed the request's texts."""
        self.infer(request, context, partial(texts, request, max_texts=self.max_sentences), response)

    def infer(
        self,
        request: inference_pb2.ModelInferRequest,
        context: CallContext,
        read: Callable[[], Sequence[str]],
        respond: Respond,
    ) -> None:
        """Embed the texts that `read` returns, as the request's other fields ask; answer what `respond` writes."""
        responder = self._find(request.model_name, request.model_version)
        wanted, (asked, timeout_s) = outputs(request), options(request)
        sentences = read()
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        written = partial(respond, wanted=wanted, model=request.model_name, request_id=request.id)
        write = partial(self._write, request.model_name, request.model_version, written)
        responder.embed(Query(sentences, asked, deadline), context, write)

    def _parse_infer(self, content: bytes) -> inference_pb2.ModelInferRequest:
        check(content, max_texts=self.max_sentences)
        return _parse(content)

    def _write(self, model: str, asked_version: str, written: Write, found: Embeddings) -> bytes:
        if asked_version not in ("", found.model_version):  # another model took over since we looked
            raise UnknownModelError(f"version {asked_version!r} of model {model!r} is no longer served here")
        return written(found)

    def _find(self, name: str, asked_version: str) -> Responder:
        """Return the responder of the model that is named. Raises UnknownModelError."""
        responder = self._responders.named(name)
        served = responder.embedder.model.config.version
        if asked_version not in ("", served):
            raise UnknownModelError(
                f"version {printable(asked_version)!r} of model {name!r} isn't served here; {served!r} is"
            )
        return responder


def _platform(model: LoadedModel) -> str:
    return _PLATFORMS.get(model.provider.partition("/")[0], _OF_ONNX)


def _dims(model: LoadedModel) -> dict[str, tuple[int, ...]]:
    """Map each output to its shape for one text."""
    return {name: (model.config.dimension,) if name == "embedding" else () for name in OUTPUTS}
