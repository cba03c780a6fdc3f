"""The Open Inference Protocol through a real channel to a real server: numbers, options, descriptions."""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from bothends.client.sync import Client
from bothends.core.embedder import Embedder
from bothends.core.loaded import LoadedModel
from bothends.engines import native
from bothends.kserve.v2 import inference_pb2
from bothends.model.bundle import Bundle
from bothends.server.fronts.kserve.methods import SERVICE
from bothends.server.server import Server
from bothends.settings import Settings
from tests.support.doors import connected, serving
from tests.support.infer import Stub, parameters, refused, request, tensors

SENTENCES = [f"{number} dragons will be there" + " and there" * (number % 17) for number in range(60)]
LONG = " ".join(str(number) for number in range(400))
NATIVE = pytest.mark.skipif(not native.is_built(), reason="bothends-native isn't built (make native)")
INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND


@pytest.fixture
def stub(server: Server) -> Iterator[Stub]:
    with connected(server) as channel:
        yield Stub(channel)


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "contents"])
@pytest.mark.parametrize("shape", [[60], [60, 1]], ids=str)
def test_rows_are_our_clients_bit_for_bit(stub: Stub, client: Client, raw: bool, shape: list[int]) -> None:
    """The tokens read come along, and whether a text was cut; the request's id comes back."""
    asked = request(*SENTENCES, raw=raw, id="mine")
    asked.inputs[0].shape[:] = shape
    response = stub.ModelInfer(asked)
    found, expected = tensors(response), client.embed(SENTENCES)
    assert list(found) == ["embedding", "token_count", "truncated"]
    assert (found["embedding"].dtype, found["embedding"].shape) == (np.dtype(np.float32), (60, 512))
    assert found["embedding"].tobytes() == expected.rows.tobytes()
    assert found["token_count"].tolist() == expected.token_counts
    assert found["truncated"].tolist() == [False] * 60
    assert (response.model_name, response.model_version, response.id) == ("english", expected.model_version, "mine")


@pytest.mark.filterwarnings("ignore::bothends.TruncationWarning")
def test_a_long_text_is_cut_where_it_was_asked_and_says_so(stub: Stub, client: Client) -> None:
    rows = {}
    for truncation in ("start", "end"):
        found = tensors(stub.ModelInfer(request(LONG, "short", **parameters(truncation=truncation))))
        assert found["truncated"].tolist() == [True, False]
        assert found["token_count"].tolist() == [256, 1]
        assert found["embedding"].tobytes() == client.encode([LONG, "short"], truncation=truncation).tobytes()
        rows[truncation] = found["embedding"][0]
    assert not np.allclose(rows["start"], rows["end"])
    code, text, field = refused(lambda: stub.ModelInfer(request("short", LONG, **parameters(truncation="error"))))
    assert (code, field) == (INVALID, "sentences[1]")
    assert "more than the 256 tokens" in text


def test_the_outputs_that_were_asked_for_come_in_that_order(stub: Stub) -> None:
    wanted = [{"name": name} for name in ("truncated", "embedding", "truncated")]
    assert list(tensors(stub.ModelInfer(request("a", outputs=wanted)))) == ["truncated", "embedding"]


def test_what_tritons_clients_send_of_their_own_changes_nothing(stub: Stub) -> None:
    """Triton's clients send it to any model; one without sequences, priorities and streams doesn't heed it."""
    asked = request("a", **parameters(sequence_id=7, sequence_start=True, sequence_end=False))
    asked.parameters["priority"].uint64_param = 3
    asked.parameters["triton_enable_empty_final_response"].bool_param = True
    assert stub.ModelInfer(asked) == stub.ModelInfer(request("a"))


def test_a_timeout_is_a_deadline(stub: Stub) -> None:
    """A timeout in microseconds holds beside the call's own; 0 is none."""
    for generous in (0, 60_000_000):
        stub.ModelInfer(request("a", **parameters(timeout=generous)))
    with pytest.raises(grpc.RpcError) as raised:
        stub.ModelInfer(request("a", **parameters(timeout=1)))
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_the_model_is_described_as_tritons_clients_read_it(stub: Stub, english: Bundle) -> None:
    """max_batch_size is there, so metadata's shapes begin with the batch, and the configuration's leave it out."""
    version = english.config.version
    for asked in ("", version):
        metadata = stub.ModelMetadata(inference_pb2.ModelMetadataRequest(name="english", version=asked))
        assert (metadata.name, list(metadata.versions)) == ("english", [version])
        assert [(t.name, t.datatype, list(t.shape)) for t in metadata.inputs] == [("text", "BYTES", [-1, 1])]
        assert [(t.name, t.datatype, list(t.shape)) for t in metadata.outputs] == [
            ("embedding", "FP32", [-1, 512]),
            ("token_count", "INT32", [-1]),
            ("truncated", "BOOL", [-1]),
        ]
        config = stub.ModelConfig(inference_pb2.ModelConfigRequest(name="english", version=asked)).config
        assert (config.name, config.max_batch_size) == ("english", 300)
        for described, configured in ((metadata.inputs, config.input), (metadata.outputs, config.output)):
            assert [(t.name, list(t.shape[1:])) for t in described] == [(t.name, list(t.dims)) for t in configured]
    server = stub.ServerMetadata(inference_pb2.ServerMetadataRequest())
    assert server.name == "bothends"
    assert server.version
    assert "statistics" not in server.extensions


@pytest.mark.parametrize(
    ("engine", "platform"),
    [("onnxruntime", "onnxruntime_onnx"), pytest.param("native", "bothends_native", marks=NATIVE)],
)
def test_the_platform_is_the_engine_that_serves(toy_bundle: Bundle, engine: str, platform: str) -> None:
    with serving(toy_bundle, engine=engine) as server, connected(server) as channel:
        metadata = Stub(channel).ModelMetadata(inference_pb2.ModelMetadataRequest(name="toy"))
        config = Stub(channel).ModelConfig(inference_pb2.ModelConfigRequest(name="toy")).config
    assert (metadata.platform, config.platform) == (platform, platform)


def test_another_model_is_not_found(stub: Stub) -> None:
    """Name and version both count, whichever method; the error says what is served."""
    calls: dict[str, Callable[[str, str], object]] = {
        "infer": lambda name, version: stub.ModelInfer(request("a", model=name, model_version=version)),
        "metadata": lambda *model: stub.ModelMetadata(
            inference_pb2.ModelMetadataRequest(name=model[0], version=model[1])
        ),
        "config": lambda *model: stub.ModelConfig(inference_pb2.ModelConfigRequest(name=model[0], version=model[1])),
    }
    for call in calls.values():
        for name in ("French", "", "x" * 10_000):
            code, text, _ = refused(lambda: call(name, ""))  # noqa: B023  called here
            assert code == NOT_FOUND
            assert "isn't served here; 'english' is" in text
            assert len(text) < 500
        code, text, _ = refused(lambda: call("english", "0.1"))  # noqa: B023  called here
        assert code == NOT_FOUND
        assert "version '0.1' of model 'english' isn't served here" in text


def test_a_version_that_was_asked_for_is_never_another(toy_bundle: Bundle, newer: list[Bundle]) -> None:
    """A newer model takes over between a request's check and its embedding."""
    successor = LoadedModel.load(newer[0], Settings(device="cpu"))
    begin = Embedder.begin

    def takes_over(embedder: Embedder, *args: Any, **kwargs: Any) -> Any:
        embedder.serve(successor)
        return begin(embedder, *args, **kwargs)

    name, version = toy_bundle.config.name, toy_bundle.config.version
    with serving(toy_bundle) as server, connected(server) as channel, pytest.MonkeyPatch.context() as patch:
        stub = Stub(channel)
        assert stub.ModelInfer(request("a man", model=name, model_version=version)).model_version == version
        patch.setattr(Embedder, "begin", takes_over)
        asked = request("a man", model=name, model_version=version, id="é")  # which is read by Python alone
        code, text, _ = refused(lambda: stub.ModelInfer(asked))
        assert code == NOT_FOUND
        assert "served here" in text
        assert stub.ModelInfer(request("a man", model=name)).model_version == newer[0].config.version


def test_what_others_ask_for_is_unimplemented(server: Server) -> None:
    """Triton's statistics, repositories and shared memory: said at once, not left waiting."""
    with connected(server) as channel:
        for method in ("ModelStatistics", "RepositoryIndex", "SystemSharedMemoryStatus"):
            with pytest.raises(grpc.RpcError) as raised:
                channel.unary_unary(f"/{SERVICE}/{method}", bytes, bytes)(b"", timeout=10)
            assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED
