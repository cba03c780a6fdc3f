"""Fast paths while one model takes over from another: who hangs in the old one's run is found, and by its own name."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from google.rpc import code_pb2

from bothends.core.lent import Lent
from bothends.errors import EngineError
from bothends.observe.metrics import Metrics
from bothends.server.fast_path import FastMethod, FastPaths
from bothends.server.fronts.bothends.stream import EmbedStreams
from bothends.v1.embedding_pb2 import EmbedStreamResponse
from bothends.wire.status import from_status
from tests.support.until import TIMEOUT_S, until

native = pytest.importorskip(
    "bothends_native.transport", reason="bothends-native has no transport here", exc_type=ImportError
)


class HangingPath:
    """A path in whose run each thread hangs until it is over; then it has served one sentence of three tokens."""

    made: "list[HangingPath]"
    over: threading.Event

    def __init__(self, _: object, codecs: dict[int, Any], *__: object, **___: object) -> None:
        self.version = codecs[0]
        self.inside: list[int] = []
        self.untold: list[object] = []
        self.in_streams: list[object] = []
        self.forgiven: dict[int, float] = {}
        self.made.append(self)

    def take_messages(self, *arguments: Any, may_answer: bool) -> Any:
        assert may_answer
        self.inside.append(arguments[-1])
        assert self.over.wait(TIMEOUT_S)
        served = {
            "model": 0,
            "tokens": 3,
            "truncated": 0,
            "in_pieces": 0,
            "counts": [3],
            "waited_s": [0.1],
            "seconds": {0: [0.5]},
            "unanswered": [],
        }
        self.untold.append(SimpleNamespace(**served, messages={1: 2}, tokenise_s=0.1, engine_s=0.2, serialise_s=0.1))
        return SimpleNamespace(messages=[], over=[], is_given_up=False, returned=[])

    def forgive(self, thread: int, seconds: float) -> None:
        self.forgiven[thread] = seconds

    def overdue(self, seconds: float) -> list[Any]:
        found, self.inside = self.inside, []
        left = {"messages": {0: [7]}, "long_messages": [8], "in_streams": self.in_streams}
        return [SimpleNamespace(thread=thread, model=0, submitted=[], **left) for thread in found]

    def served(self) -> list[object]:
        found, self.untold = self.untold, []
        return found


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[HangingPath]]:
    HangingPath.made, HangingPath.over = [], threading.Event()
    monkeypatch.setattr(native, "FastPath", HangingPath)
    yield HangingPath.made
    HangingPath.over.set()


def model(version: str) -> Any:
    config = SimpleNamespace(version=version, max_tokens=9)
    return SimpleNamespace(config=config, is_withdrawn=False)


class Takeover:
    """Fast paths of a model and of the one that took over from it, with a thread in the run of each."""

    def __init__(self, paths: list[HangingPath]) -> None:
        self.old, self.new = model("1"), model("2")
        limits = SimpleNamespace(sentences=9, sentence_chars=9, tokens=9)
        lent = Lent(object(), object(), None, 16, 4096, 2)
        self.failed, self.ran, self.answered = list[int](), list[int](), dict[int, bytes]()
        self.metrics = Metrics()
        for name in ("Embed", "EmbedStream"):
            self.metrics.register(name)
        embedder: Any = SimpleNamespace(
            name="toy",
            model=self.old,
            limits=limits,
            lend=lambda _: lent,
            ran=lambda record: self.ran.append(record.tokens),
            metrics=self.metrics.of("toy"),
            terms=None,
        )
        transport: Any = SimpleNamespace(
            fail=lambda ids, _: self.failed.extend(ids),
            answer=lambda ids, contents: self.answered.update(zip(ids, contents, strict=True)),
            set_traced=lambda _: None,
        )
        create: Any = lambda models: models[0].model.config.version  # noqa: E731
        methods = {
            0: FastMethod("Embed", create),
            1: FastMethod("EmbedStream", create, EmbedStreams.write_failed),
        }
        self.fast = FastPaths(transport, methods, [embedder], self.metrics, lambda: False)
        self.threads = []
        for serving in (self.old, self.new):
            embedder.model = serving
            self.threads.append(threading.Thread(target=self._take))
            self.threads[-1].start()
            until(lambda: sum(len(path.inside) for path in paths) == len(self.threads))

    def _take(self) -> None:
        self.fast.take_messages(64, 1.0, 4096)

    def counted(self, code: int) -> float | None:
        labels = {"method": "Embed", "code": code_pb2.Code.Name(code)}
        return self.metrics.registry.get_sample_value("bothends_requests_total", labels)

    def messages(self) -> float | None:
        """Return how many of streams were answered."""
        labels = {"method": "EmbedStream", "path": "native"}
        return self.metrics.registry.get_sample_value("bothends_path_requests_total", labels)

    def end(self) -> None:
        HangingPath.over.set()
        for thread in self.threads:
            thread.join(TIMEOUT_S)


def test_who_hangs_in_the_path_of_an_older_model_is_given_up(paths: list[HangingPath]) -> None:
    """The thread and its callers are found after another model took over, and that one isn't blamed."""
    over = Takeover(paths)
    assert [path.version for path in paths] == ["1", "2"]
    found = over.fast.give_up(1.0, lambda thread: 0.5 if thread == over.threads[0].ident else 0.25)
    assert [path.forgiven for path in paths] == [{over.threads[0].ident: 0.5}, {over.threads[1].ident: 0.25}]
    assert {stuck.thread: stuck.engine for stuck in found} == {
        over.threads[0].ident: over.old,
        over.threads[1].ident: over.new,
    }
    assert over.failed == [7, 8, 7, 8]
    assert over.counted(code_pb2.INTERNAL) == 2
    assert over.fast.give_up(1.0, lambda _: 0.0) == []
    over.end()


def test_a_stream_s_message_in_a_run_that_is_given_up_has_an_error_for_each_sentence(paths: list[HangingPath]) -> None:
    """As Python answers it: the stream goes on. It is counted at its end, and of the message its path alone."""
    over = Takeover(paths)
    paths[1].in_streams = [SimpleNamespace(id=9, method=1, model=0, sentences=2)]
    over.fast.give_up(1.0, lambda _: 0.0)
    response = EmbedStreamResponse.FromString(over.answered[9])
    assert [type(from_status(item.error)) for item in response.items] == [EngineError] * 2
    assert response.model_version == "2"
    assert list(over.answered) == [9]
    assert over.counted(code_pb2.INTERNAL) == 2
    assert over.messages() == 1
    over.end()


def test_what_an_older_model_served_is_counted(paths: list[HangingPath]) -> None:
    """Calls that its path answered are there as soon as their run ends: nobody else asks an older path any more."""
    over = Takeover(paths)
    over.end()
    assert (over.counted(code_pb2.OK), over.ran) == (1, [3])
    over.fast.count()
    assert (over.counted(code_pb2.OK), over.ran, over.messages()) == (2, [3, 3], 4)
