"""Shares of keys in C++: what is denied is told in Python's words, and a share is given back however its call ends."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc
import pytest
from bothends_native import transport
from grpc_status import rpc_status

from bothends.errors import QuotaError
from bothends.server.grpc.refusals import prepared, statuses
from bothends.server.quota import KeyAccount, Quota
from bothends.settings import Settings
from bothends.v1.embedding_pb2 import EmbedRequest, EmbedResponse
from bothends.wire.status import from_status, to_status
from tests.support.doors import Channel
from tests.support.until import TIMEOUT_S, until

from .fast import Fast
from .long import MOST, Long, checked, request_of
from .raw import ECHO
from .served import STATUSES, Served

KEY, OTHER = "one", "two"
DETAILS = "grpc-status-details-bin"


@pytest.fixture
def fast(serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch) -> Iterator[Fast]:
    """A fast path whose statuses are the server's."""
    for reason, status in statuses(Settings()).items():
        monkeypatch.setitem(STATUSES, reason.name, tuple(status))
    made = Fast(serve())
    yield made
    made.served.transport.stop(0)
    for thread in made.threads:
        thread.join(TIMEOUT_S)


class Holder:
    """Who holds a key with these limits, beside one who holds a key without any."""

    def __init__(self, fast: Fast, limits: Quota) -> None:
        self.fast = fast
        self.account = KeyAccount(KEY, limits, create_usage=transport.Usage)
        fast.served.transport.set_keys({sha256(KEY): self.account.usage, sha256(OTHER): None})

    def ask(self, *sentences: str, key: str = KEY, **options: Any) -> bytes:
        with self.fast.served.channel() as channel:
            content = EmbedRequest(sentences=sentences, **options).SerializeToString()
            metadata = (("authorization", f"Bearer {key}"),)
            return bytes(channel.unary_unary(ECHO)(content, timeout=TIMEOUT_S, metadata=metadata))

    def refused(self, *sentences: str) -> grpc.Call:
        with pytest.raises(grpc.RpcError) as raised:
            self.ask(*sentences)
        assert isinstance(raised.value, grpc.Call)
        return raised.value

    def denied(self) -> list[tuple[int, int, str]]:
        return self.fast.served.count()


def sha256(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def wire(call: grpc.Call) -> tuple[int, str, bytes]:
    """A status as it was sent."""
    details = dict(call.trailing_metadata() or ())[DETAILS]
    assert isinstance(details, bytes)
    return call.code().value[0], call.details() or "", details


@pytest.mark.parametrize("rate", [0.001, 0.25, 1 / 3, 12.0, 1e6], ids=str)
def test_a_denied_second_is_told_in_pythons_words(fast: Fast, rate: float) -> None:
    """Code, message and details are the bytes that Python writes of the same error; the time told is what is left."""
    holder = Holder(fast, Quota(sentences_per_s=rate))
    assert EmbedResponse.FromString(holder.ask("a", "b", "man")).embeddings
    holder.account.pay(int(1000 * rate) + 1000)
    begun = time.monotonic()
    call = holder.refused("a")
    with pytest.raises(QuotaError) as raised:
        holder.account.check()
    passed_s = time.monotonic() - begun
    nanoseconds = round(1e9 * retry_after_s(call))
    expected = QuotaError(str(raised.value), retry_after_s=(nanoseconds + 0.5) / 1e9)  # which is cut to whole ones
    assert wire(call) == tuple(prepared(to_status(expected)))
    assert 0 <= nanoseconds / 1e9 - raised.value.retry_after_s <= passed_s + 1e-6
    assert fast.taken == []
    until(lambda: holder.denied() == [(0, 8, "over_rate")])


def retry_after_s(call: grpc.Call) -> float:
    status = rpc_status.from_call(call)
    assert status is not None
    error = from_status(status)
    assert isinstance(error, QuotaError)
    return error.retry_after_s


def test_sentences_at_once_are_told_in_pythons_words(fast: Fast) -> None:
    holder = Holder(fast, Quota(concurrent_sentences=2**31 - 1))
    holder.account.take_share(2**31 - 2)
    assert EmbedResponse.FromString(holder.ask("a")).embeddings
    call = holder.refused("a", "a")
    with pytest.raises(QuotaError) as raised:
        holder.account.take_share(2)
    assert wire(call) == tuple(prepared(to_status(raised.value)))
    until(lambda: holder.denied() == [(0, 8, "over_concurrency")])
    holder.account.give_back(2**31 - 2)
    assert EmbedResponse.FromString(holder.ask("a", "a")).embeddings
    assert fast.taken == []


def test_a_connection_rests_whose_only_key_has_had_its_share(fast: Fast) -> None:
    """Refusals then take a small part of the time. Where a proxy brings other keys' calls by it, none rests."""
    Holder(fast, Quota(sentences_per_s=0.001)).account.pay(1000)
    content = EmbedRequest(sentences=["a"]).SerializeToString()

    def ask(channel: Channel, key: str) -> grpc.StatusCode:
        call = channel.unary_unary(ECHO).future(
            content, timeout=TIMEOUT_S, metadata=(("authorization", f"Bearer {key}"),)
        )
        return call.code()

    with fast.served.channel() as channel:
        assert ask(channel, OTHER) is grpc.StatusCode.OK
        assert {ask(channel, KEY) for _ in range(10)} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert fast.served.figure("rests") == 0
    with fast.served.channel() as channel:
        assert {ask(channel, KEY) for _ in range(10)} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        until(lambda: fast.served.figure("rests") > 0)


@pytest.mark.parametrize(
    "sentences", [("a", ""), ("a man from Ω",), ("a", "a", "a", "a")], ids=["empty", "character", "many"]
)
def test_what_is_left_to_python_costs_nothing_yet(fast: Fast, sentences: Sequence[str]) -> None:
    """Python takes the share of a request that isn't plain, or is more than the key may ever have; C++ doesn't, too."""
    holder = Holder(fast, Quota(sentences_per_s=0.001, concurrent_sentences=3))
    for _ in range(3):
        assert EmbedRequest.FromString(holder.ask(*sentences)).sentences == list(sentences)
    assert holder.account.in_progress == 0
    holder.account.check()
    assert len(fast.taken) == 3


def test_a_list_is_pythons_where_a_share_is_counted(serve: Callable[..., Served]) -> None:
    """It is there at once, behind no other's list: Python refuses what is over the share before anything is read."""
    long, content = Long(serve()), request_of(*["a b"] * MOST)
    account, free = (
        KeyAccount(name, limits, create_usage=transport.Usage)
        for name, limits in ((KEY, Quota(sentences_per_s=1e6)), (OTHER, Quota()))
    )
    long.served.transport.set_keys({sha256(KEY): account.usage, sha256(OTHER): free.usage})
    with long.served.channel() as channel, long.served.channel() as another:
        calls = {
            key: way.unary_unary(ECHO).future(
                content, timeout=TIMEOUT_S, metadata=(("authorization", f"Bearer {key}"),)
            )
            for key, way in ((OTHER, channel), (KEY, another))
        }
        long.waits(2)
        (message,) = long.step(most=1)
        long.served.transport.answer([message.id], [b"python"])
        assert calls[KEY].result() == b"python"
        checked(long.answers(calls[OTHER]), long.encoder, ["a b"] * MOST)
    assert account.in_progress == 0
    long.served.let_go()


def test_a_share_is_back_before_its_caller_has_the_answer(fast: Fast) -> None:
    """Whoever sends one call after another never meets their own last one."""
    holder = Holder(fast, Quota(concurrent_sentences=1))
    with fast.served.channel() as channel:
        call, content = channel.unary_unary(ECHO), EmbedRequest(sentences=["b"]).SerializeToString()
        for _ in range(300):
            call(content, timeout=TIMEOUT_S, metadata=(("authorization", f"Bearer {KEY}"),))
            assert holder.account.in_progress == 0
    assert fast.taken == []


def test_a_run_that_is_given_up_gives_its_share_back(fast: Fast) -> None:
    """Though its thread may never come back from it."""
    holder = Holder(fast, Quota(concurrent_sentences=10))
    with fast.served.channel() as channel:
        call, content = channel.unary_unary(ECHO), EmbedRequest(sentences=["b b b b b"] * 3).SerializeToString()
        while not fast.given_up:
            asked = call.future(content, timeout=TIMEOUT_S, metadata=(("authorization", f"Bearer {KEY}"),))
            while not asked.done():
                for run in fast.path.overdue(0.0):
                    assert holder.account.in_progress == 0
                    ids = run.messages[0]
                    fast.served.transport.fail(ids, [(13, "it hung", b"")] * len(ids))
    until(lambda: holder.account.in_progress == 0)


def test_only_a_count_of_its_own_is_taken() -> None:
    served = Served()
    with pytest.raises((TypeError, RuntimeError)):
        served.transport.set_keys({sha256(KEY): KeyAccount(KEY, Quota()).usage})
    served.stop()
