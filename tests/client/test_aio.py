"""AsyncClient where it can't be as Client is: tasks that are cancelled, calls at once, loops."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import grpc
import pytest

from bothends import AsyncClient, BothendsError, OverloadedError
from bothends.model.bundle import Bundle
from bothends.server.server import Server
from bothends.settings import Settings
from bothends.v1 import embedding_pb2
from tests.support.grpcs import refuse, serving
from tests.support.measured import sample
from tests.support.until import TIMEOUT_S, until


@pytest.fixture
def narrow(english: Bundle) -> Iterator[Server]:
    """A server with one worker, which some long sentences keep busy for seconds."""
    server = Server(
        Settings(bundle=english.path, device="cpu", workers=1, port=0, http_port=0, selftest_s=0), lame_duck_s=0
    )
    server.start()
    yield server
    server.stop()


def test_a_cancelled_task_frees_its_place_at_the_server(narrow: Server) -> None:
    """Both chunks are given up: the one that is computed, and the one that waits behind it."""
    queued = "bothends_queue_sentences"

    async def seen(condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110  a server's metrics tell nobody
            await asyncio.sleep(0)

    async def leave() -> None:
        async with AsyncClient(f"127.0.0.1:{narrow.port}") as client, asyncio.timeout(TIMEOUT_S):
            task = asyncio.create_task(client.encode(["word " * 250] * 1000))
            await seen(lambda: sample(narrow, queued) > 128)  # the second chunk has come, too
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await seen(lambda: sample(narrow, queued) == 0)
            await seen(lambda: sample(narrow, "bothends_requests_total", method="Embed", code="CANCELLED") >= 2)
            assert (await client.encode(["next"])).shape == (1, 512)

    asyncio.run(leave())
    until(lambda: sample(narrow, "bothends_requests_total", method="Embed", code="OK") == 1)


def test_a_task_cancelled_between_attempts_waits_no_longer() -> None:
    """The wait ends, however long the server has asked for."""

    async def leave() -> None:
        refused = asyncio.Event()
        loop = asyncio.get_running_loop()

        def full(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
            loop.call_soon_threadsafe(refused.set)
            refuse(context, OverloadedError("full", retry_after_s=3600))
            return b""

        with serving(full) as server:
            async with AsyncClient(server.target, timeout_s=7200) as client, asyncio.timeout(TIMEOUT_S):
                task = asyncio.create_task(client.encode(["word"]))
                await refused.wait()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    asyncio.run(leave())


def test_a_client_made_before_its_loop_works(server: Server) -> None:
    """A client at the top of a module is one such."""
    client = AsyncClient(f"127.0.0.1:{server.port}")

    async def ask() -> None:
        assert (await client.encode(["later"])).shape == (1, 512)
        await client.close()

    asyncio.run(ask())


def test_a_client_closed_while_it_waits_says_so() -> None:
    """The task that waits isn't cancelled, as grpc.aio would have it."""

    async def ask() -> None:
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()

        def never(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
            loop.call_soon_threadsafe(asked.set)
            gone = threading.Event()
            context.add_callback(gone.set)
            gone.wait(TIMEOUT_S)
            return b""

        with serving(never) as server:
            client = AsyncClient(server.target)
            task = asyncio.create_task(client.encode(["anyone?"]))
            async with asyncio.timeout(TIMEOUT_S):
                await asked.wait()
                await client.close()
                with pytest.raises(BothendsError, match="was closed while it waited"):
                    await task

    asyncio.run(ask())
