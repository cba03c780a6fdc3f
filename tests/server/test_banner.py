"""The banner's word on speed: a server that could answer far more sentences says so, and so does its log."""

import json
import logging
from collections.abc import Callable

import pytest

from bothends.engines import native
from bothends.engines.encoder_speeds import EncoderSpeeds
from bothends.engines.native_parts import Speeds, remedy
from bothends.model.bundle import Bundle
from bothends.server.banner import slowness
from bothends.server.server import Server
from tests.support.doors import serving

from .models import serving_all

SPEEDS = Speeds.of_record()


needs_native = pytest.mark.skipif(not native.is_built(), reason="bothends-native isn't built (make native)")
WIDE = "the native engine doesn't compute tables or layers of 40 numbers"
KIND = "it serves every cell, pooling and head, of layers that are less wide"


def said(server: Server) -> list[tuple[str, str]]:
    """What the banner says of speed: why it is slow, and what is faster."""
    lines = [line.split(maxsplit=1) for line in server.banner().splitlines()]
    slow, faster = ([text for word, *rest in lines for text in rest if word == of] for of in ("slow", "faster"))
    return list(zip(slow, faster, strict=True))


@needs_native
def test_a_server_as_fast_as_can_be_says_nothing(toy_bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    """Nor does one whose engine was asked for."""
    for engine in ("auto", "onnxruntime"):
        with serving(toy_bundle, engine=engine) as server:
            assert said(server) == []
    assert not [line for line in caplog.messages if line.startswith("slow")]


@needs_native
def test_whoever_asks_for_grpcio_is_told_what_it_costs(toy_bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    """The engine is there; the transport is what is slow, and it was asked for."""
    with caplog.at_level(logging.WARNING), serving(toy_bundle, transport="grpcio") as server:
        ((why, better),) = said(server)
        assert why == f"grpcio and uvicorn serve {SPEEDS.served('transport')}"
        assert better == "leave out --transport grpcio"
        assert caplog.messages == [f"slow: {why}: {better}"]
        unasked = server.settings.model_copy(update={"transport": "auto"})
        assert slowness(unasked, [server.service.embedder.model], "grpcio") == (why, remedy("transport"))


def costs(bundle: Bundle) -> str:
    """What is said of an encoder of a bundle's size."""
    return f"onnxruntime computes {EncoderSpeeds.of_record().computed(bundle.config)}"


@needs_native
def test_an_encoder_that_the_native_engine_lacks_is_told_with_its_cost(
    make_bundle: Callable[..., Bundle], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The transport is as fast as ever; each is told by itself."""
    monkeypatch.setattr(native, "MAX_WIDTH", 39)
    wide = make_bundle(hidden_size=40)
    by_engine = (f"{WIDE}; {costs(wide)}", KIND)
    with caplog.at_level(logging.WARNING), serving(wide) as server:
        assert said(server) == [by_engine]
    assert caplog.messages == ["slow: {}: {}".format(*by_engine)]
    caplog.clear()
    by_transport = (
        "grpcio and uvicorn pass on far fewer sentences than the native transport does",
        "leave out --transport grpcio",
    )
    with caplog.at_level(logging.WARNING), serving(wide, transport="grpcio") as server:
        assert said(server) == [by_engine, by_transport]
    assert caplog.messages == [f"slow: {why}: {better}" for why, better in (by_engine, by_transport)]


@needs_native
def test_each_of_several_models_is_told_of(
    toy_bundle: Bundle,
    make_bundle: Callable[..., Bundle],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One is computed by the native engine; two others of one cause are one line."""
    monkeypatch.setattr(native, "MAX_WIDTH", 39)
    folders = [toy_bundle.path, *(make_bundle(hidden_size=40, seed=seed).path for seed in (1, 2))]
    named = [f"{name}={folder}" for name, folder in zip(("a", "b", "c"), folders, strict=True)]
    with caplog.at_level(logging.WARNING), serving_all(*named) as server:
        assert said(server) == [(f"{WIDE}; {costs(toy_bundle)}", KIND)]


@needs_native
def test_a_tokenizer_that_is_not_native_is_told_with_its_cost(
    make_bundle: Callable[..., Bundle], toy_tokenizer: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its engine is; where grpcio speaks, all calls are Python's anyway."""
    definition = json.loads(toy_tokenizer) | {"pre_tokenizer": {"type": "Whitespace"}}
    bundle = make_bundle(tokenizer=json.dumps(definition))
    why = "native code can't tokenise for toy, as it doesn't know its pre_tokenizer (Whitespace): "
    why += "a call of one sentence takes 1.8 times the processor time"
    better = "it reads BERT's tokenizers, and whole words split at white space"
    with caplog.at_level(logging.WARNING), serving(bundle) as server:
        if server.transport != "native":
            pytest.skip("bothends-native has no transport here")
        assert said(server) == [(why, better)]
    assert caplog.messages == [f"slow: {why}: {better}"]
    with serving(bundle, transport="grpcio") as server:
        assert (why, better) not in said(server)


def test_without_the_native_parts_it_says_both_and_what_to_install(
    toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One remedy brings both parts, so one line tells of both, also where onnxruntime was asked for."""
    monkeypatch.setattr(native, "find_spec", lambda name: None)
    why = f"the native engine isn't installed; onnxruntime and grpcio serve {SPEEDS.served('engine')}"
    for engine in ("auto", "onnxruntime"):
        with serving(toy_bundle, transport="grpcio", engine=engine) as server:
            assert said(server) == [(why, remedy("engine"))]
