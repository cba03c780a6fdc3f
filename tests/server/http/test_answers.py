"""Answers on their way: bounded in all, the slowest reader's first to go."""

import asyncio

from starlette.types import Message, Receive, Scope, Send

from bothends.server.http.answers import Paced

SIZE = 1 << 20


class Connection:
    """A connection whose caller reads as many pieces as it was told."""

    def __init__(self) -> None:
        self._pieces = asyncio.Semaphore(0)
        self.got = 0
        self.is_aborted = False

    def read(self, pieces: int = 100) -> None:
        for _ in range(pieces):
            self._pieces.release()

    def abort(self) -> None:
        self.is_aborted = True
        self.read()

    async def send(self, message: Message) -> None:
        await self._pieces.acquire()
        if not self.is_aborted:
            self.got += len(message["body"])


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.body", "body": bytes(SIZE)})


async def begun(paced: Paced, connection: Connection) -> "asyncio.Task[None]":
    scope = {"state": {"connection": connection}}
    task = asyncio.create_task(paced(scope, asyncio.Queue[Message]().get, connection.send))
    for _ in range(3):
        await asyncio.sleep(0)
    return task


async def outcomes() -> list[tuple[bool, int]]:
    """Three callers, of whom the first has read a little most lately, under a bound of two answers."""
    paced, callers = Paced(answer, most_bytes=2 * SIZE), [Connection() for _ in range(3)]
    tasks = [await begun(paced, caller) for caller in callers[:2]]
    callers[0].read(1)
    while not callers[0].got:
        await asyncio.sleep(0)
    tasks.append(await begun(paced, callers[2]))
    for caller in callers:
        caller.read()
    await asyncio.gather(*tasks)
    return [(caller.is_aborted, caller.got) for caller in callers]


def test_the_slowest_reader_is_cut_off() -> None:
    """Two answers fit: of three, that one ends of which nothing was read for longest, and the others come whole."""
    assert asyncio.run(outcomes()) == [(False, SIZE), (True, 0), (False, SIZE)]


async def alone() -> int:
    caller = Connection()
    task = await begun(Paced(answer, most_bytes=1), caller)
    caller.read()
    await task
    return caller.got


def test_a_single_answer_may_be_larger() -> None:
    assert asyncio.run(alone()) == SIZE
