"""The banner's word on speed: a server that could answer far more sentences says so, and so does its log."""

import logging

import pytest

from bothends.engines import native
from bothends.engines.native_parts import Speeds, remedy
from bothends.model.bundle import Bundle
from bothends.server.banner import slowness
from bothends.server.server import Server
from tests.support.doors import serving

SPEEDS = Speeds.of_record()


def lines(server: Server) -> dict[str, str]:
    """The banner's lines by their first words."""
    found = (line.split(maxsplit=1) for line in server.banner().splitlines())
    return {words[0]: words[1] for words in found}


@pytest.mark.skipif(not native.is_built(), reason="bothends-native isn't built (make native)")
def test_whoever_asks_for_grpcio_is_told_what_it_costs(toy_bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    """The engine is there; the transport is what is slow, and it was asked for."""
    with caplog.at_level(logging.WARNING, "bothends.server.server"), serving(toy_bundle, transport="grpcio") as server:
        said = lines(server)
        assert said["slow"] == f"grpcio and uvicorn serve {SPEEDS.served('transport')}"
        assert said["faster"] == "leave out --transport grpcio"
        assert caplog.messages == [f"slow: {said['slow']}: {said['faster']}"]
        unasked = server.settings.model_copy(update={"transport": "auto"})
        assert slowness(unasked, server.service.embedder, "grpcio") == (said["slow"], remedy("transport"))


def test_without_the_native_parts_it_says_both_and_what_to_install(
    toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "find_spec", lambda name: None)
    with serving(toy_bundle, transport="grpcio") as server:
        said = lines(server)
    assert said["slow"] == f"onnxruntime and grpcio serve {SPEEDS.served('engine')}"
    assert said["faster"] == remedy("engine")
