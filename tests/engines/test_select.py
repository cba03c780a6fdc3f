"""Choice of the engine: the one asked for, or the best that is there and right; never another in silence."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shlex import quote

import onnx
import pytest

from bothends.core.loaded import LoadedModel
from bothends.engines import native
from bothends.engines.encoder_speeds import EncoderSpeeds
from bothends.engines.native_parts import Speeds, remedy
from bothends.engines.onnx_weights import Weights, read
from bothends.engines.select import candidates, choose_device
from bothends.errors import BundleError, DeviceError, SelfTestError, SettingsError
from bothends.model.bundle import Bundle
from bothends.settings import EmbedderSettings
from tests.support.ran import ran
from tests.support.shapes import SHAPES

needs_native = pytest.mark.skipif(not native.is_built(), reason="bothends-native isn't built (make native)")
COST = Speeds.of_record().computed()
PLAIN = {"lstm", "lstm, one way", "lstm, max", "lstm, attention", "lstm, projected", "lstm, head", "gru"}
"""Encoders of SHAPES of which each shows something else; `slow` has the others."""


def settings(**values: str) -> EmbedderSettings:
    return EmbedderSettings.load({"device": "cpu"} | values, {})


def loaded(bundle: Bundle, **values: str) -> str:
    """Provider of the engine that serves."""
    return LoadedModel.load(bundle, settings(**values)).provider


@pytest.fixture
def wrong_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """A native engine that is given the two directions in the wrong order."""

    def swapped(bundle: Bundle) -> Weights:
        right = read(bundle)
        return replace(right, layers=[{name: array[::-1].copy() for name, array in of.items()} for of in right.layers])

    monkeypatch.setattr(native, "read", swapped)


@pytest.fixture
def not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where the native engine isn't installed."""
    monkeypatch.setattr(native, "find_spec", lambda name: None)


@needs_native
def test_the_native_engine_serves_where_it_is_built(toy_bundle: Bundle) -> None:
    assert loaded(toy_bundle).startswith("native/")
    assert loaded(toy_bundle, engine="onnxruntime") == "CPUExecutionProvider"


@needs_native
@pytest.mark.parametrize("precision", ["float32", "bf16", "int8"])
def test_the_precision_asked_for_is_the_one_used(toy_bundle: Bundle, precision: str) -> None:
    assert loaded(toy_bundle, precision=precision).endswith(f"/{precision}")


@needs_native
def test_the_level_asked_for_is_the_one_used(toy_bundle: Bundle) -> None:
    assert loaded(toy_bundle, engine="native/portable") == "native/portable/float32"


@needs_native
@pytest.mark.parametrize(
    "shape",
    [pytest.param(name, marks=[pytest.mark.slow] * (name not in PLAIN)) for name in SHAPES],
)
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_every_encoder_is_served_natively(
    make_bundle: Callable[..., Bundle], shape: str, precision: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a config describes passes its self-test, and nothing is said of speed."""
    provider = loaded(make_bundle(**SHAPES[shape]), precision=precision)
    assert provider.startswith("native/")
    assert not [line for line in caplog.messages if line.startswith("slow")]


@needs_native
def test_a_wider_encoder_than_it_computes_goes_to_onnxruntime(
    make_bundle: Callable[..., Bundle], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says why another engine serves, and what that costs; asked for by name, the native one is refused."""
    monkeypatch.setattr(native, "MAX_WIDTH", 8)
    bundle = make_bundle(hidden_size=16, embedding_size=7)
    assert loaded(bundle) == "CPUExecutionProvider"
    (line,) = caplog.messages
    assert line.startswith("slow: the native engine doesn't compute tables or layers of 16 numbers")
    assert f"; onnxruntime computes {EncoderSpeeds.of_record().computed(bundle.config)}: it serves " in line
    with pytest.raises(DeviceError, match="; onnxruntime computes all: ") as raised:
        loaded(bundle, engine="native")
    why = "the native engine doesn't compute tables or layers of 16 numbers: "
    assert str(raised.value).startswith(f"{bundle.path}: {why}")  # a server may call the model otherwise


@needs_native
@pytest.mark.usefixtures("wrong_weights")
def test_one_that_fails_its_self_test_serves_nobody(toy_bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    """onnxruntime serves, and the log says so; where the native engine alone will do, nothing starts."""
    assert loaded(toy_bundle) == "CPUExecutionProvider"
    (line,) = caplog.messages
    assert line.startswith("slow: the native engine failed its self-test: ")
    shown = f"`bothends verify {quote(str(toy_bundle.path))} --engine native` shows where"
    assert f"; onnxruntime computes {COST}: {shown}" in line
    for asked in ({"engine": "native"}, {"precision": "bf16"}, {"precision": "int8"}):
        with pytest.raises(SelfTestError, match="off PyTorch's embedding"):
            loaded(toy_bundle, **asked)


@pytest.mark.usefixtures("not_built")
def test_without_it_onnxruntime_serves(toy_bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    """One line says what is missing, what that costs, and what to install; none where onnxruntime was asked for."""
    assert loaded(toy_bundle) == "CPUExecutionProvider"
    assert caplog.messages == [
        f"slow: the native engine isn't installed; onnxruntime computes {COST}: {remedy('engine')}"
    ]
    caplog.clear()
    assert loaded(toy_bundle, engine="onnxruntime") == "CPUExecutionProvider"
    assert not caplog.messages


@pytest.mark.usefixtures("not_built")
@pytest.mark.parametrize("asked", [{"engine": "native"}, {"precision": "int8"}])
def test_asking_for_it_without_it_is_an_error(toy_bundle: Bundle, asked: dict[str, str]) -> None:
    with pytest.raises(DeviceError, match="the native engine isn't installed: "):
        loaded(toy_bundle, **asked)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"precision": "bf16", "engine": "onnxruntime"}, "--precision bf16 needs --engine native"),
        ({"precision": "int8", "device": "cuda"}, "the native engine is for CPUs"),
        ({"engine": "native/avx2", "device": "cuda"}, "the native engine is for CPUs"),
        ({"engine": "fast"}, "--engine fast"),
    ],
)
def test_what_can_not_go_together_is_refused(asked: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings(**asked)


@needs_native
def test_a_level_that_the_processor_lacks_is_named(toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    from bothends_native import engine

    monkeypatch.setattr(engine, "levels", lambda: ["portable"])
    with pytest.raises(DeviceError, match="level avx512: this processor has portable"):
        loaded(toy_bundle, engine="native/avx512")


@needs_native
def test_a_table_shorter_than_the_vocabulary_is_the_bundles_fault(toy_bundle: Bundle) -> None:
    longer = toy_bundle.config.model_copy(update={"vocabulary_size": toy_bundle.config.vocabulary_size + 1})
    with pytest.raises(BundleError, match="its table has fewer rows"):
        native.NativeEngine(replace(toy_bundle, config=longer))


@needs_native
def test_a_graph_that_export_writes_otherwise_goes_to_onnxruntime(
    toy_bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    """What onnxruntime computes right and the native engine can't read is served, and the log says at what cost."""
    model = onnx.load_from_string(toy_bundle.model)
    table = next(tensor for tensor in model.graph.initializer if tensor.name == "embedding.weight")
    gather = next(node for node in model.graph.node if node.op_type == "Gather")
    table.name = gather.input[0] = "table"
    other = replace(toy_bundle, model=model.SerializeToString())
    assert loaded(other) == "CPUExecutionProvider"
    (line,) = caplog.messages
    assert line.startswith(f"slow: the native engine refuses this model: {toy_bundle.path}/model.onnx isn't the graph ")
    assert line.endswith(f"; onnxruntime computes {COST}: export it anew with `bothends export` of this version")
    with pytest.raises(BundleError, match="isn't the graph"):
        loaded(other, engine="native")


@needs_native
def test_weights_that_do_not_fit_are_the_bundles_fault(toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read(toy_bundle)
    broken = replace(whole, layers=[of | {"R": of["R"][:, :-1].copy()} for of in whole.layers])
    monkeypatch.setattr(native, "read", lambda bundle: broken)
    with pytest.raises(BundleError, match=r"model\.onnx can't be loaded: "):
        native.NativeEngine(toy_bundle)


def test_a_gpu_is_chosen_only_where_float32_on_it_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bothends.engines.cuda.is_installed", lambda: True)
    assert choose_device(EmbedderSettings.load({}, {})) == "cuda"
    assert choose_device(EmbedderSettings.load({"precision": "int8"}, {})) == "cpu"
    assert choose_device(EmbedderSettings.load({"engine": "native"}, {})) == "cpu"
    assert choose_device(EmbedderSettings.load({"device": "cpu"}, {})) == "cpu"


def test_the_best_comes_first(toy_bundle: Bundle) -> None:
    """An engine is placed only when the one before wasn't good enough."""
    found = [one.engine.provider.partition("/")[0] for one in candidates(toy_bundle, settings())]
    assert found == ["native"] * native.is_built() + ["CPUExecutionProvider"]


@needs_native
def test_who_serves_natively_never_loads_onnxruntime(toy_bundle: Bundle) -> None:
    code = (
        "import sys; from bothends import Encoder; Encoder.load(sys.argv[1]).encode('a'); "
        "print('onnxruntime' in sys.modules)"
    )
    done = ran(sys.executable, "-c", code, str(Path(toy_bundle.path)))
    assert (done.stdout, done.stderr) == ("False\n", "")
