"""Fast paths while one model takes over from another: who hangs in the old one's run is found, and by its own name."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from google.rpc import code_pb2

from bothends.observe.metrics import Metrics
from bothends.server.grpc.fast import FastPaths
from tests.support.until import TIMEOUT_S, until

native = pytest.importorskip("bothends_native.front", reason="bothends-native has no front here", exc_type=ImportError)


class HangingPath:
    """A path in whose run each thread hangs until it is over."""

    made: "list[HangingPath]"
    over: threading.Event

    def __init__(self, *_: object, **of: Any) -> None:
        self.version = of["version"]
        self.inside: list[int] = []
        self.made.append(self)

    def take(self, *arguments: Any) -> tuple[tuple[list[object], list[int]], bool]:
        self.inside.append(arguments[-1])
        assert self.over.wait(TIMEOUT_S)
        return ([], []), False

    def overdue(self, seconds: float) -> list[tuple[int, list[int]]]:
        found, self.inside = self.inside, []
        return [(thread, [7]) for thread in found]

    def served(self) -> list[object]:
        return []


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[HangingPath]]:
    HangingPath.made, HangingPath.over = [], threading.Event()
    monkeypatch.setattr(native, "FastPath", HangingPath)
    yield HangingPath.made
    HangingPath.over.set()


def model(version: str) -> Any:
    config = SimpleNamespace(version=version, max_tokens=9)
    return SimpleNamespace(config=config, is_withdrawn=False, lend=lambda: (object(), object()))


def test_who_hangs_in_the_path_of_an_older_model_is_given_up(paths: list[HangingPath]) -> None:
    """The thread and its callers are found after another model took over, and that one isn't blamed."""
    old, new = model("1"), model("2")
    embedder = SimpleNamespace(model=old, limits=SimpleNamespace(sentences=9, sentence_chars=9, tokens=9))
    failed, metrics = list[int](), Metrics()
    metrics.register("Embed")
    front = SimpleNamespace(fail=lambda ids, _: failed.extend(ids))
    fast = FastPaths(front, 0, "Embed", embedder, metrics, None, lambda: False)  # type: ignore[arg-type]  # as much of each as is asked
    threads = []
    for serving in (old, new):
        embedder.model = serving
        threads.append(threading.Thread(target=fast.take, args=(64, 1.0, 0.0, 4096)))
        threads[-1].start()
        until(lambda: sum(len(path.inside) for path in paths) == len(threads))
    assert [path.version for path in paths] == ["1", "2"]
    found = fast.give_up(1.0)
    assert dict(found) == {threads[0].ident: old, threads[1].ident: new}
    assert failed == [7, 7]
    labels = {"method": "Embed", "code": code_pb2.Code.Name(code_pb2.INTERNAL)}
    assert metrics.registry.get_sample_value("bothends_requests_total", labels) == 2
    assert fast.give_up(1.0) == []
    HangingPath.over.set()
    for thread in threads:
        thread.join(TIMEOUT_S)
