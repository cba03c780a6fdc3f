"""Calls of a server without others: what its metrics say of them."""

from bothends.client.sync import Client
from bothends.model.bundle import Bundle
from bothends.server.server import Server
from tests.support.doors import serving
from tests.support.measured import sample
from tests.support.until import until


def test_requests_are_counted_by_code(english: Bundle) -> None:
    """A call moves the series that it belongs to, of a server that has no other callers."""
    with serving(english) as server, Client(f"127.0.0.1:{server.port}") as client:
        client.encode(["one"])
        assert sample(server, "bothends_requests_total", code="OK", method="Embed") == 1
        assert sample(server, "bothends_request_seconds_count", method="Embed") == 1
        model, config = server.service.embedder.model, english.config
        labels = {
            "model": "english",
            "name": config.name,
            "version": config.version,
            "device": "cpu",
            "provider": model.provider,
        }
        assert sample(server, "bothends_model_info", **labels) == 1


def test_each_phase_of_a_small_call_is_timed(english: Bundle) -> None:
    """Sentences embedded together with other callers' are tokenised, wait, run and are written as all others."""

    def timed(server: Server) -> list[float]:
        phases = ("tokenise", "queue", "engine", "serialise")
        return [sample(server, "bothends_phase_seconds_count", model="english", phase=phase) for phase in phases]

    with serving(english) as server, Client(f"127.0.0.1:{server.port}") as client:
        before = timed(server)
        client.encode(["one"])
        until(lambda: timed(server) == [value + 1 for value in before])
