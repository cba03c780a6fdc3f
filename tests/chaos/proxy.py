"""A TCP proxy on loopback with bad manners: to a server it looks like clients that read slowly, stop, break or vanish.

Each connection gets the next manner in turn. Bytes are cut anywhere, without regard to HTTP/2's frames.
"""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from itertools import cycle
from typing import Self

MANNERS = ("stall", "trickle", "half-close", "reset", "half a message", "vanish")
_HEAD_BYTES = 150
"""Size of a connection's first frames, about, before a request's own bytes."""
_FEW_BYTES, _PAUSE_S = 64, 0.005
_HELD_S = 3.0
"""Seconds for which a connection that does nothing more is kept."""
_RST = struct.pack("ii", 1, 0)


class RoughProxy:
    """A proxy that runs in a thread of its own while in `with`."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._server = (host.strip("[]"), int(port))
        self._manners = cycle(MANNERS)
        self._chance = random.Random(0)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        listening = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._connected, "127.0.0.1", 0), self._loop)
        self._listener = listening.result(timeout=10)
        self.target = f"127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    async def _end(self) -> None:
        self._listener.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        manner = next(self._manners)
        server_in, server_out = await asyncio.open_connection(*self._server)
        try:
            async with asyncio.timeout(4 * _HELD_S), asyncio.TaskGroup() as both:
                both.create_task(self._pump(client_in, server_out, cut=self._cut(manner), then=_ENDS[manner]))
                both.create_task(self._pump(server_in, client_out, cut=20_000 if manner == "stall" else None,
                                            then=_hold, slowly=manner == "trickle"))  # fmt: skip
        except* (OSError, TimeoutError, asyncio.CancelledError):
            pass  # whoever broke it off
        finally:
            for writer in (server_out, client_out):
                writer.transport.abort()

    def _cut(self, manner: str) -> int | None:
        """Number of bytes from the client after which the manner shows; None where it shows from the start."""
        return None if manner in ("stall", "trickle") else _HEAD_BYTES + int(30_000 * self._chance.random() ** 3)

    async def _pump(
        self, source: asyncio.StreamReader, to: asyncio.StreamWriter, *, cut: int | None,
        then: Callable[[asyncio.StreamWriter], Awaitable[None]], slowly: bool = False,
    ) -> None:  # fmt: skip
        """Pass bytes on until `cut` of them have gone, and then do what is bad."""
        passed = 0
        while content := await source.read(_FEW_BYTES if slowly else 65536):
            left = len(content) if cut is None else cut - passed
            to.write(content[:left])
            await to.drain()
            passed += len(content)
            if cut is not None and passed >= cut:
                return await then(to)
            if slowly:
                await asyncio.sleep(_PAUSE_S)
        to.write_eof()
        return None


async def _hold(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(_HELD_S)


async def _half_close(to: asyncio.StreamWriter) -> None:
    to.write_eof()
    await asyncio.sleep(_HELD_S)


async def _reset(to: asyncio.StreamWriter) -> None:
    to.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
    to.transport.abort()
    raise ConnectionResetError


async def _vanish(to: asyncio.StreamWriter) -> None:
    to.transport.abort()
    raise ConnectionAbortedError


_ENDS = {"stall": _hold, "trickle": _hold, "half-close": _half_close, "reset": _reset, "half a message": _hold,
         "vanish": _vanish}  # fmt: skip
