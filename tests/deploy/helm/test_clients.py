"""Connections of bounded age, as the chart sets it, under clients that go on."""

import time
from collections.abc import Callable, Iterator

from bothends import Client
from bothends.model.bundle import Bundle
from tests.conftest import WORDS
from tests.support.doors import serving
from tests.support.until import TIMEOUT_S


def test_a_stream_outlives_its_connections(toy_bundle: Bundle) -> None:
    """A stream loses and doubles no sentence though connections are cut under it, whose age and grace are shorter."""
    sent: list[str] = []

    def sentences(goes_on: Callable[[], bool]) -> Iterator[str]:
        end = time.monotonic() + TIMEOUT_S
        while goes_on():
            assert time.monotonic() < end
            sent.append(f"{WORDS[len(sent) % 3]} {len(sent) % 7}")
            yield sent[-1]

    with serving(toy_bundle, age_s=0.25, age_grace_s=0.1) as server, Client(f"127.0.0.1:{server.port}") as client:

        def cut() -> float:
            labels = {"method": "EmbedStream", "code": "CANCELLED"}
            return server.metrics.registry.get_sample_value("bothends_requests_total", labels) or 0

        rows = [bytes(row) for row in client.encode_stream(sentences(lambda: cut() < 2))]
        expected = {text: bytes(row) for text, row in zip(set(sent), client.encode(list(set(sent))), strict=True)}
    assert rows == [expected[text] for text in sent]
