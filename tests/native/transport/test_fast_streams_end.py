"""Runs that are given up, in which streams' messages are: each is told of by itself, and its stream goes on."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from bothends_native import transport
from numpy.typing import NDArray

from bothends.v1.embedding_pb2 import EmbedStreamResponse
from tests.support.streams import Stream, request
from tests.support.until import TIMEOUT_S, until

from .fast import path_of
from .long import LIMITS, MOST
from .served import ROW, Served
from .test_fast_streams import codec


class Hanging:
    """An encoder of two numbers whose runs take until they may go on."""

    def __init__(self) -> None:
        self.inside, self.goes_on = threading.Event(), threading.Event()

    def share(self) -> object:
        return transport.called_encoder(self, 2)

    def __call__(self, _: object, offsets: NDArray[np.int64], rows: NDArray[np.float32]) -> bool:
        self.inside.set()
        assert self.goes_on.wait(TIMEOUT_S)
        rows[:] = np.diff(offsets)[:, None]
        return True


@pytest.mark.parametrize("sentences", [2, MOST], ids=["short", "long"])
def test_a_message_in_a_run_that_is_given_up_is_told_of(serve: Callable[..., Served], sentences: int) -> None:
    """Whoever gives the run up answers it. Nothing is left of it, and the next one is served."""
    served, hanging = serve(), Hanging()
    path = path_of(served, hanging, codec=codec(), method=1, **LIMITS)
    given_up = threading.Event()

    def work() -> None:
        while not given_up.is_set():
            taken = path.take_messages(9, 0.1, 1 << 20, 1)
            if taken is None or taken.is_given_up:
                given_up.set()

    thread = threading.Thread(target=work)
    thread.start()
    with served.channel() as channel, Stream(channel, path=ROW) as stream:
        stream.send(request(*["a b"] * sentences))
        assert hanging.inside.wait(TIMEOUT_S)
        (run,) = path.overdue(0.0)
        (message,) = run.in_streams
        assert (message.method, message.sentences, run.messages, run.long_messages) == (1, sentences, {}, [])
        served.transport.answer([message.id], [b"failed"])
        assert next(stream.call) == b"failed"
        assert not any(served.figure(name) for name in ("waiting", "taken", "making_bytes"))
        hanging.goes_on.set()
        thread.join(TIMEOUT_S)
        assert given_up.is_set()
        stream.send(request("a b b"))
        until(lambda: served.figure("waiting") == 1)
        path.take_messages(9, 0.0, 1 << 20, 1)
        (item,) = EmbedStreamResponse.FromString(next(stream.call)).items
        assert list(item.embedding.values) == [3, 3]
        assert stream.rest() == []
