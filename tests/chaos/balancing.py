"""Puts a steady load on servers, some of them in trouble, and measures the share that is answered in time.

The load is far below what the servers can do, so that the machine's speed isn't what is measured.
"""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

import grpc

from bothends import BothendsError, Client
from bothends.v1.embedding_pb2 import EmbedRequest, EmbedResponse
from tests.support.doors import ALONE
from tests.support.envoys import envoy
from tests.support.serving import Running, queued
from tests.support.until import eventually

SERVICE = "/bothends.v1.EmbeddingService"
PLACES = 4
"""Requests that a server takes at once where it is to be full."""
LATE = "LATE"
Call = Callable[[float], object]
"""Embeds a sentence within so many seconds, or raises."""


@dataclass(frozen=True)
class Offered:
    """Outcomes of calls, and the seconds of those that were answered in time."""

    kinds: "Counter[str]" = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    @property
    def goodput(self) -> float:
        """The share of calls that was answered in time."""
        return self.kinds["OK"] / self.kinds.total()

    def __add__(self, other: "Offered") -> "Offered":
        return Offered(self.kinds + other.kinds, self.seconds + other.seconds)


def offer(call: Call, *, rate: float, deadline_s: float, seconds: float) -> Offered:
    """Make so many calls a second, whatever became of those before."""
    offered, began = Offered(), time.monotonic()
    with ThreadPoolExecutor(64) as threads:
        for number in range(round(rate * seconds)):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            threads.submit(_call, call, deadline_s, offered)
    assert offered.kinds.total() == round(rate * seconds), "a call ended in a way that nobody foresaw"
    return offered


def _call(call: Call, deadline_s: float, offered: Offered) -> None:
    began = time.monotonic()
    try:
        call(deadline_s)
    except BothendsError as error:
        offered.kinds[type(error).__name__] += 1
        return
    except grpc.RpcError as error:
        offered.kinds[error.code().name] += 1
        return
    took_s = time.monotonic() - began
    offered.kinds["OK" if took_s <= deadline_s else LATE] += 1
    if took_s <= deadline_s:
        offered.seconds.append(took_s)


@contextmanager
def ours(targets: list[str]) -> Iterator[Call]:
    """A bothends.Client of these servers, as it is made by default."""
    with Client(targets) as client:
        yield lambda timeout_s: client.encode(["there will be dragons"], timeout_s=timeout_s)


@contextmanager
def by_envoy(targets: list[str]) -> Iterator[Call]:
    """A bothends.Client of an Envoy, as deploy/envoy has it, before these servers."""
    with envoy(targets) as (target, _), ours([target]) as call:
        yield call


@contextmanager
def plain(targets: list[str], *, service_config: str) -> Iterator[Call]:
    """A client of gRPC alone, with a service config."""
    options = [("grpc.service_config", service_config)]
    with grpc.insecure_channel(f"ipv4:{','.join(targets)}", options=options) as channel:
        embed = channel.unary_unary(f"{SERVICE}/Embed", EmbedRequest.SerializeToString, EmbedResponse.FromString)
        yield lambda timeout_s: embed(EmbedRequest(sentences=["there will be dragons"]), timeout=timeout_s)


@contextmanager
def stopped_mostly(running: Running, *, stops_s: float, goes_s: float) -> Iterator[None]:
    """Stop a server for `stops_s`, let it go on for `goes_s`, and so on."""
    end = threading.Event()

    def work() -> None:
        while not end.is_set():
            running.process.send_signal(signal.SIGSTOP)
            end.wait(stops_s)
            running.process.send_signal(signal.SIGCONT)
            end.wait(goes_s)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


@contextmanager
def full(running: Running) -> Iterator[None]:
    """Take all places of a server (started with PLACES of them) by calls that send nothing: it refuses every call.

    Each is a caller of its own: one that holds several places gives way to one that holds none.
    """
    with ExitStack() as stack:
        end = threading.Event()
        stack.callback(end.set)

        def is_full() -> bool:
            channel = stack.enter_context(grpc.insecure_channel(running.target, options=ALONE))
            begin = channel.stream_unary(f"{SERVICE}/Embed", bytes, bytes).future
            stack.callback(begin(iter(partial(_nothing, end), b"")).cancel)  # or is refused, where a call had its place
            return not _is_answered(client)

        with Client(running.target, timeout_s=0.5) as client:
            assert eventually(is_full, within_s=10)
        yield


def _nothing(end: threading.Event) -> bytes:
    end.wait()
    return b""


def _is_answered(client: Client) -> bool:
    try:
        client.encode(["a"])
    except BothendsError:
        return False
    return True


@contextmanager
def drained(running: Running) -> Iterator[Callable[[], None]]:
    """Yield a function that has a server stop while a call of many seconds is in progress, which is answered."""
    os.setpriority(os.PRIO_PROCESS, running.process.pid, 10)  # it is to take long, and no time from the others
    request = EmbedRequest(sentences=["word " * 250] * 400)
    with grpc.insecure_channel(running.target, [("grpc.max_receive_message_length", -1)]) as channel:
        embed = channel.unary_unary(f"{SERVICE}/Embed", EmbedRequest.SerializeToString, EmbedResponse.FromString)

        def tell() -> None:
            calls.append(embed.future(request))
            assert eventually(lambda: queued(running) > 0, within_s=10)
            running.process.send_signal(signal.SIGTERM)

        calls: list[grpc.Future[EmbedResponse]] = []
        yield tell
        for call in calls:
            assert len(call.result(timeout=120).embeddings) == len(request.sentences)
