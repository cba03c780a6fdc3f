"""A fast path of several models of unlike speeds: which is computed first, and how much of a list at once."""

import time
from collections.abc import Callable, Iterator

import grpc
import pytest
from bothends_native import transport

from bothends.v1.embedding_pb2 import EmbedRequest
from tests.support.doors import Channel
from tests.support.until import TIMEOUT_S, until

from .fast import EMPTY, named, path_of
from .long import LIMITS, MOST, TOGETHER
from .raw import ECHO
from .served import Served
from .test_called_encoder import DIMENSION, Called, Ids, Offsets, Rows

SLOW_S = 0.05
"""Seconds of the slow model's every run: hundreds of times as long as the quick one's of a sentence."""


class Noted(Called):
    """A model that takes its time, and writes its name down when it runs."""

    def __init__(self, name: str, ran: list[str], takes_s: float) -> None:
        super().__init__()
        self.name, self.ran, self.takes_s = name, ran, takes_s
        self.ended = 0.0

    def __call__(self, token_ids: Ids, offsets: Offsets, rows: Rows) -> bool:
        self.ran.append(self.name)
        began = time.monotonic()
        until(lambda: time.monotonic() >= began + self.takes_s)
        self.ended = time.monotonic()
        return super().__call__(token_ids, offsets, rows)


class Two:
    """A path of a slow model and a quick one, which takes and serves one step a call."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.ran: list[str] = []
        self.models = [Noted("slow", self.ran, SLOW_S), Noted("quick", self.ran, 0)]
        named_models = [named(model.name, dimension=DIMENSION) for model in self.models]
        codec = transport.Codec.embed(models=named_models, empty=EMPTY)
        self.path = path_of(served, *self.models, codec=codec, **LIMITS)

    def step(self) -> bool:
        taken = self.path.take_messages(0, 0.0, 0, 1)
        assert taken is not None
        return True

    def begin(self, channel: Channel, name: str, *sentences: str) -> "grpc.Future[bytes]":
        """Begin a call, and return once it waits."""
        waiting = self.served.figure("waiting")
        content = EmbedRequest(sentences=sentences, model=name).SerializeToString()
        call = channel.unary_unary(ECHO).future(content, timeout=TIMEOUT_S)
        until(lambda: self.served.figure("waiting") == waiting + 1)
        return call

    def slice(self) -> int:
        """Serve a slice, and return how many sentences it had."""
        self.path.served()
        self.step()
        (run,) = (run for run in self.path.served() if run.waited_s)
        return len(run.waited_s)


@pytest.fixture
def two(serve: Callable[..., Served]) -> Iterator[Two]:
    made = Two(serve())
    yield made
    made.served.transport.stop(0)


def test_who_asks_a_quick_model_waits_for_one_run_of_a_slow_one_at_most(two: Two) -> None:
    """However many calls of the slow one came before, each caller has turns by what their calls take. Who comes is
    ahead by half a millisecond, and pays for the reading of its call, which may take longer where the machine is busy.
    """
    with two.served.channel() as patient, two.served.channel() as hasty:
        for name, channel in (("slow", patient), ("quick", hasty)):
            for _ in range(8):
                call = two.begin(channel, name, "a")
                two.step()
                assert call.result()
        calls = [two.begin(patient, "slow", "a") for _ in range(4)]
        two.step()
        two.ran.clear()
        quick = two.begin(hasty, "quick", "a")
        until(lambda: two.step() and quick.done())
        assert two.ran.index("quick") <= 1  # of the three that had not begun
        until(lambda: two.step() and all(call.done() for call in calls))


def test_slices_are_as_short_as_their_own_model_needs(two: Two) -> None:
    """A quick model's get long, however slow the other is; a slow one's hold as few as are computed faster together."""
    with two.served.channel() as channel:

        def first_slice(name: str) -> int:
            known = two.begin(channel, name, "a")
            two.step()
            assert known.result()
            listed = two.begin(channel, name, *["a"] * MOST)
            two.step()  # reads it
            size = two.slice()
            until(lambda: two.step() and listed.done())
            assert listed.result()
            return size

        assert first_slice("slow") == TOGETHER
        until(lambda: first_slice("quick") > TOGETHER)
        assert first_slice("slow") == TOGETHER
