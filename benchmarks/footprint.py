"""Figures that a capacity model needs beside docs/performance.json: bytes on the wire, a start, the engine by batch.

Bytes are counted between a real client and a real server; everything else is CPU time, or the least of many rounds,
since other work on the machine comes and goes.
"""

import http.client
import json
import random
import socket
import statistics
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self, get_args
from urllib.parse import urlsplit

import startup
from bothends import Client
from bothends.engines.contract import TokenIds
from bothends.engines.native import NativeEngine
from bothends.model.bundle import Bundle
from bothends.options import Encoding
from costs import Batch
from servers import Server

LISTS = (1, 32)
"""Numbers of sentences in a request."""
_REQUESTS = 40
_ROWS = (1, 1, 1, 2, 2, 3, 4, 6, 8, 12, 16)
_OF_EACH, _ROUNDS = 8, 30


class Counter:
    """A TCP relay that counts bytes: `up` from its client to the server, `down` back. TCP's headers aside."""

    def __init__(self, port: int) -> None:
        self.up = self.down = 0
        self._to = port
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def since(self, up: int, down: int, sentences: int) -> dict[str, float]:
        """Return the bytes a sentence each way, after so many each way."""
        return {"up": (self.up - up) / sentences, "down": (self.down - down) / sentences}

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near = self._listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self._to))
                self._sockets += [near, far]
                threading.Thread(target=self._relay, args=(near, far, "up"), daemon=True).start()
                threading.Thread(target=self._relay, args=(far, near, "down"), daemon=True).start()

    def _relay(self, source: socket.socket, to: socket.socket, way: str) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                setattr(self, way, getattr(self, way) + len(data))
                to.sendall(data)


def wire(server: Server, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Measure bytes a sentence each way, by what is asked, over connections that are open already."""
    found = []
    with Counter(server.port) as counter, Client(f"127.0.0.1:{counter.port}") as client:
        for encoding in get_args(Encoding):
            for size in LISTS:
                lists = [list(texts[at * size : (at + 1) * size]) for at in range(_REQUESTS)]
                client.encode(lists[0], encoding=encoding)  # connected, and headers in their tables
                up, down = counter.up, counter.down
                for sentences in lists:
                    client.encode(sentences, encoding=encoding)
                each = counter.since(up, down, _REQUESTS * size)
                found.append({"protocol": "gRPC", "encoding": encoding, "sentences": size} | each)
        model = client.model().name
    return found + _http(server, model, texts)


def _http(server: Server, model: str, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Measure the same by OpenAI's API, over a connection that is kept."""
    assert server.metrics_url is not None
    found = []
    with Counter(urlsplit(server.metrics_url).port or 0) as counter:
        connection = http.client.HTTPConnection("127.0.0.1", counter.port)
        for encoding in ("float", "base64"):
            for size in LISTS:
                up, down = counter.up, counter.down
                for at in range(_REQUESTS):
                    asked = {"model": model, "input": list(texts[at * size : (at + 1) * size])}
                    body = json.dumps(asked | {"encoding_format": encoding})
                    connection.request("POST", "/v1/embeddings", body, {"Content-Type": "application/json"})
                    answer = connection.getresponse()
                    assert answer.status == 200, answer.read()
                    answer.read()
                each = counter.since(up, down, _REQUESTS * size)
                found.append({"protocol": "HTTP", "encoding": encoding, "sentences": size} | each)
        connection.close()
    return found


def start(runs: int) -> dict[str, float]:
    """Measure a server's start: medians of seconds, CPU-seconds and resident megabytes, and the least seconds."""
    measured = list(zip(*(startup.measure() for _ in range(runs)), strict=True))
    seconds, cpu_s, rss_mb = (statistics.median(each) for each in measured)
    return {"runs": runs, "seconds": seconds, "least_s": min(measured[0]), "cpu_s": cpu_s, "rss_mb": rss_mb}


def engine(bundle: Bundle, ids: Sequence[TokenIds]) -> tuple[list[Batch], list[float]]:
    """Run random batches of some sizes; return them and the least CPU-seconds that each took on one thread."""
    chance = random.Random(0)  # noqa: S311  no secret
    run = NativeEngine(bundle).run
    batches = [chance.sample(list(ids), rows) for rows in _ROWS for _ in range(_OF_EACH)]
    least = [float("inf")] * len(batches)
    for _ in range(_ROUNDS):
        for at, batch in enumerate(batches):
            started = time.thread_time()
            run(batch)
            least[at] = min(least[at], time.thread_time() - started)
    return [(len(batch), max(map(len, batch)), sum(map(len, batch))) for batch in batches], least
