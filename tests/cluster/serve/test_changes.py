"""Replicas die and are replaced while callers go on: none that tries again has a failure."""

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from bothends import Client
from bothends.model.bundle import Bundle
from bothends.v1 import embedding_pb2 as pb
from bothends.wire.messages import SERVICE
from tests.support.until import until

from .cluster import Cluster, replicas

pytestmark = pytest.mark.ray

SENTENCES = ["there will be dragons", "a man plays the guitar"]
CALLERS = 4
LONG = pb.EmbedRequest(sentences=["a " * 255] * 500).SerializeToString()
"""A request of seconds of work, in which a replica can be lost."""


class Calls:
    """Outcomes of all calls, by model version."""

    def __init__(self) -> None:
        self.answered: dict[str, int] = {}
        self.failed: list[str] = []
        self.over = threading.Event()

    def make(self, target: str, key: str) -> None:
        with Client(target, api_key=key, timeout_s=60) as client:
            while not self.over.is_set():
                try:
                    version = client.embed(SENTENCES).model_version
                except Exception as error:
                    self.failed.append(repr(error))
                else:
                    self.answered[version] = self.answered.get(version, 0) + 1

    def many_more(self) -> None:
        """Wait until many more have been answered."""
        enough = sum(self.answered.values()) + 200
        until(lambda: sum(self.answered.values()) > enough)


@contextmanager
def calling(cluster: Cluster, key: str) -> Iterator[Calls]:
    """Run several callers that try again, as bothends.Client does by itself."""
    calls = Calls()
    threads = [threading.Thread(target=calls.make, args=(cluster.target, key)) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        calls.many_more()
        yield calls
        calls.many_more()
    finally:
        calls.over.set()
        for thread in threads:
            thread.join()


def names(cluster: Cluster) -> set[str]:
    return {target["labels"]["replica"] for target in cluster.targets()}


def test_a_killed_replica_is_replaced_and_no_caller_sees_it(cluster: Cluster, key: tuple[str, Path]) -> None:
    """A new replica has passed its self-test before it answers."""
    until(lambda: len(names(cluster)) == 2)
    before = names(cluster)
    with calling(cluster, key[0]) as calls, grpc.insecure_channel(cluster.target) as channel:
        embed: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{SERVICE}/Embed")
        metadata = (("authorization", f"Bearer {key[0]}"),)
        long = [embed.future(LONG, metadata=metadata) for _ in range(8)]
        until(lambda: min(cluster.counted("bothends_queue_sentences").values()) > 0)
        os.kill(replicas()[0], signal.SIGKILL)
        lost: list[Any] = [error for call in long if isinstance(error := call.exception(), grpc.Call)]
        assert grpc.StatusCode.UNAVAILABLE in [error.code() for error in lost]  # which is tried again
        assert grpc.StatusCode.INTERNAL not in [error.code() for error in lost]
        calls.many_more()
        until(lambda: len(names(cluster) - before) == 1)
        new = (names(cluster) - before).pop()
        until(lambda: cluster.counted("bothends_requests_total", code="OK").get(new, 0) > 0)
        assert cluster.counted("bothends_selftest_success")[new] == 1
    assert calls.failed == []
    assert len(replicas()) == 2


def test_another_bundle_takes_over_and_no_caller_sees_more(
    cluster: Cluster, key: tuple[str, Path], newer: list[Bundle], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Another bundle comes by another run of the application, and by a newer version in a folder."""
    folder = tmp_path_factory.mktemp("versions")
    first, second = newer[0].config.version, newer[1].config.version
    shutil.copytree(newer[0].path, folder / first)
    with calling(cluster, key[0]) as calls:
        english = set(calls.answered)
        cluster.deploy(bundle=folder)
        until(lambda: cluster.status()[0] == "RUNNING" and first in calls.answered)
        assert set(calls.answered) == english | {first}
        shutil.copytree(newer[1].path, folder / f".{second}")
        (folder / f".{second}").rename(folder / second)
        until(lambda: second in calls.answered)
    assert calls.failed == []
    assert len(replicas()) == 2
