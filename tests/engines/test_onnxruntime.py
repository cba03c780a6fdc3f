"""onnxruntime behind the Engine's contract, with the packaged model."""

import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.errors import BundleError, DeviceError
from bothends.model.bundle import Bundle


@pytest.fixture(scope="module")
def session(english: Bundle) -> OnnxRuntimeEngine:
    return OnnxRuntimeEngine(english, device="cpu")


@pytest.fixture(scope="module")
def sentences(english: Bundle) -> list[list[int]]:
    """Sentences of 1 to 60 tokens with random ids."""
    random = np.random.default_rng(7)
    return [random.integers(0, english.config.vocabulary_size, n).tolist() for n in random.integers(1, 60, 64)]


def test_alone_is_batched_bit_for_bit(session: OnnxRuntimeEngine, sentences: list[list[int]]) -> None:
    """A sentence's row is the bytes that it is alone, in batches of every size."""
    alone = [session.run([ids]).tobytes() for ids in sentences]
    for size in (2, 3, 5, 8, 13, 32, 64):
        for start in range(0, len(sentences), size):
            rows = session.run(sentences[start : start + size])
            assert [row.tobytes() for row in rows] == alone[start : start + size], size


def test_threads_do_not_change_a_bit(session: OnnxRuntimeEngine, sentences: list[list[int]]) -> None:
    """One session run from several threads at once gives each the bytes that it gives alone."""
    alone = [session.run([ids]).tobytes() for ids in sentences]
    gate = threading.Barrier(4)

    def run(_: int) -> list[bytes]:
        gate.wait()
        return [row.tobytes() for row in session.run(sentences)]

    with ThreadPoolExecutor(4) as pool:
        assert all(found == alone for found in pool.map(run, range(4)))


def test_the_device_asked_for_is_used_or_refused(english: Bundle) -> None:
    """cuda without a CUDA build of onnxruntime is an error that says what to install, never a silent CPU."""
    assert OnnxRuntimeEngine(english, device="cpu").provider == "CPUExecutionProvider"
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(DeviceError, match=r"install bothends\[gpu\]"):
            OnnxRuntimeEngine(english, device="cuda")
    with pytest.raises(DeviceError, match="unknown device 'tpu'"):
        OnnxRuntimeEngine(english, device="tpu")


def test_a_gru_that_resets_first_is_no_gpus(make_bundle: Callable[..., Bundle]) -> None:
    """onnxruntime would leave its cells to the CPU, and its session would fail without a word of why."""
    with pytest.raises(DeviceError, match="toy is a GRU that resets before its recurrent weights, which cuDNN hasn't"):
        OnnxRuntimeEngine(make_bundle(cell="gru", reset_after=False), device="cuda")


def test_a_foreign_model_is_refused(english: Bundle) -> None:
    """An ONNX file that isn't ours is named, with what it has and what was expected."""
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Transpose", ["x"], ["y"])], "foreign", [value], [result])
    foreign = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    foreign.ir_version = 8
    onnx.checker.check_model(foreign)
    with pytest.raises(BundleError, match="no bothends model: it has x tensor"):
        OnnxRuntimeEngine(dataclasses.replace(english, model=foreign.SerializeToString()), device="cpu")


def test_bytes_that_are_no_model_are_refused(english: Bundle) -> None:
    """Garbage is one clear line, as is a graph that onnxruntime won't have."""
    with pytest.raises(BundleError, match=r"model\.onnx is no ONNX model: malformed protobuf"):
        OnnxRuntimeEngine(dataclasses.replace(english, model=b"garbage"), device="cpu")
    model = onnx.load_from_string(english.model)
    model.graph.node[0].input[0] = "nothing"
    with pytest.raises(BundleError, match=r"model\.onnx can't be loaded: .*nothing") as refused:
        OnnxRuntimeEngine(dataclasses.replace(english, model=model.SerializeToString()), device="cpu")
    assert str(refused.value).isprintable()


def test_a_table_shorter_than_the_vocabulary_is_refused(toy_bundle: Bundle) -> None:
    """An id past the table would fail every sentence of its batch; the last id is tried at load."""
    model = onnx.load_from_string(toy_bundle.model)
    table = next(tensor for tensor in model.graph.initializer if tensor.name == "embedding.weight")
    table.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(table)[:-3], table.name))
    with pytest.raises(BundleError, match="its table has fewer rows than config"):
        OnnxRuntimeEngine(dataclasses.replace(toy_bundle, model=model.SerializeToString()))


def test_sizes_that_the_graph_does_not_have_are_refused(toy_bundle: Bundle) -> None:
    """config.json has no hash of its own: what it says of the graph is compared with the graph."""
    config = toy_bundle.config.model_copy(update={"layers": 2})
    with pytest.raises(BundleError, match=r"h_n tensor\(float\) \[2, \*, 16\]; expected .* \[4, \*, 16\]"):
        OnnxRuntimeEngine(dataclasses.replace(toy_bundle, config=config))
